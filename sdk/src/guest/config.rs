//! A plugin's configuration: TOML text in, the author's type or one sentence out.

use crate::{
    Error,
    config_words::{Complaint, list, named, nearest},
    wire::{Write, attributes},
};
use convoke_abi::values::{Failure, failure};
use serde::de::{DeserializeOwned, IntoDeserializer, value::UnitDeserializer};
use serde_path_to_error::{Path, Segment};
use toml::Value;

/// Reads the configuration, or says which key is wrong and what was expected.
pub(crate) fn read<C: DeserializeOwned>(text: &str) -> Result<C, Failure> {
    let table = text.parse::<toml::Table>().map_err(|error| {
        Error::invalid(format!(
            "its configuration is not TOML: {}",
            error.message()
        ))
        .write()
    })?;
    let empty = table.is_empty();
    let read = serde_path_to_error::deserialize::<_, C>(Value::Table(table).into_deserializer());
    read.or_else(|error| {
        if empty {
            // `type Config = ()` takes no keys; serde's unit is no table.
            let unit: UnitDeserializer<toml::de::Error> = ().into_deserializer();
            if let Ok(nothing) = C::deserialize(unit) {
                return Ok(nothing);
            }
        }
        let key = key(error.path());
        Err(Failure {
            attributes: attributes([(failure::CONFIG_KEY, key.as_str())]),
            ..Error::invalid(sentence(&key, error.inner().message())).write()
        })
    })
}

/// The key as it is written in the file.
fn key(path: &Path) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("[{index}]"),
        Segment::Map { key: name } | Segment::Enum { variant: name } if is_bare(name) => {
            format!(".{name}")
        }
        Segment::Map { key: name } | Segment::Enum { variant: name } => format!(".{name:?}"),
        Segment::Unknown => String::new(),
    };
    let mut parts = vec!["config".to_owned()];
    parts.extend(path.iter().map(segment));
    parts.concat()
}

/// Whether TOML takes the key without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && (key.chars()).all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn sentence(key: &str, message: &str) -> String {
    match Complaint::read(message) {
        Complaint::UnknownKey(wrong, known) => {
            // Whether the path already ends in the unknown key depends on how the type was read.
            let key = if key.ends_with(wrong) {
                key.to_owned()
            } else {
                format!("{key}.{wrong}")
            };
            let key = named(&key);
            match (nearest(wrong, &known), known.as_slice()) {
                (_, []) => format!("{key} is not known; there are no keys here"),
                (Some(near), _) => format!("{key} is not known; did you mean `{near}`?"),
                (None, known) => {
                    format!("{key} is not known; the keys here are {}", list(known))
                }
            }
        }
        Complaint::UnknownWord(wrong, known) => match nearest(wrong, &known) {
            Some(near) => format!("{} cannot be `{wrong}`; did you mean `{near}`?", named(key)),
            None => format!(
                "{} cannot be `{wrong}`; it is one of {}",
                named(key),
                list(&known)
            ),
        },
        Complaint::MissingKey(missing) => {
            format!("{} is missing; add it", named(&format!("{key}.{missing}")))
        }
        Complaint::Other(what) => format!("{} is wrong: {what}", named(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, ReceiverUrl};
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Config {
        path: String,
        #[serde(default)]
        domains: BTreeMap<Domain, ReceiverUrl>,
        #[serde(default)]
        rules: Vec<Rule>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields, rename_all = "lowercase")]
    #[expect(dead_code, reason = "only read")]
    struct Rule {
        allow: Allow,
    }

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "lowercase")]
    enum Allow {
        Freebusy,
        Schedule,
    }

    #[test]
    fn what_is_wrong_is_said_in_one_sentence() {
        for (text, sentence) in [
            ("", "`config.path` is missing; add it"),
            ("path = 3", "`config.path` is wrong: expected a text, not 3"),
            (
                "path = ''\ndomain = 1",
                "`config.domain` is not known; did you mean `domains`?",
            ),
            (
                "path = ''\nzzz = 1",
                "`config.zzz` is not known; the keys here are `path`, `domains`, `rules`",
            ),
            (
                "path = ''\nrules = [{ alow = 'freebusy' }]",
                "`alow` in number 1 of `config.rules` is not known; did you mean `allow`?",
            ),
            (
                "path = ''\nrules = [{ allow = 'free-busy' }]",
                "`allow` in number 1 of `config.rules` cannot be `free-busy`; did you mean `freebusy`?",
            ),
            (
                "path = ''\ndomains.'example.org' = 'http://x/'",
                "`config.domains.\"example.org\"` is wrong: `http://x/` is not a receiver URL such as \
                 `https://cal.example.org/.well-known/ischedule`: iSchedule goes over https only",
            ),
        ] {
            let failure = read::<Config>(text).unwrap_err();
            assert_eq!(failure.message, sentence, "{text}");
        }
    }

    #[test]
    fn a_plugin_without_configuration_takes_none() {
        assert!(read::<()>("").is_ok());
        assert!(read::<()>("path = 1").is_err());
    }
}
