//! What a configuration's keys mean, for administrators who look at a plugin without running it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `json` | the keys as JSON, for the manifest |
//! | `values` | keys that the administrator did not write |
//!
//! What is public here beside [`ConfigSchema`], [`Key`] and [`Presence`] is for [`config!`](crate::config!) and
//! [`plugin!`](crate::plugin!).

mod json;
mod values;

pub use json::{Schema, SchemaOf, WithoutSchema, text};
pub use values::{default_value, missing_key};

/// A configuration that describes its keys; [`config!`](crate::config!) writes this down.
///
/// The description goes into the library's manifest, where `convoke plugin inspect` finds it.
pub trait ConfigSchema {
    /// The keys, in the order in which they are shown.
    const KEYS: &'static [Key];
}

/// One key of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value is: a Rust type, or words.
    pub kind: &'static str,
    /// What holds if it is not written.
    pub presence: Presence,
    /// What it means, line by line.
    pub doc: &'static [&'static str],
}

/// What holds if a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It must be.
    Required,
    /// It has no value.
    Optional,
    /// It has this one, as TOML.
    Default(&'static str),
}

impl Key {
    /// A key.
    pub const fn new(
        name: &'static str,
        kind: &'static str,
        presence: Presence,
        doc: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            kind,
            presence,
            doc,
        }
    }
}

/// What holds for a key without a default: its type, as it is written, says whether it may be left out.
pub const fn without_default(kind: &str) -> Presence {
    if is_option(kind) {
        Presence::Optional
    } else {
        Presence::Required
    }
}

/// Whether a type, as it is written, is an `Option`.
const fn is_option(kind: &str) -> bool {
    begins(kind, "Option") || begins(kind, "std::option") || begins(kind, "core::option")
}

const fn begins(text: &str, with: &str) -> bool {
    let (text, with) = (text.as_bytes(), with.as_bytes());
    let mut same = 0;
    while same < text.len() && same < with.len() && text[same] == with[same] {
        same += 1;
    }
    same == with.len()
}

/// Makes a configuration of a struct: read from TOML, and described in the plugin's manifest.
///
/// A field may have a default, which is written **as TOML**, as the administrator would. A field of type `Option` may
/// be left out; any other without a default must be there. An unknown key is an error that names the nearest known
/// one. Where the Rust type says little to an administrator, `as "…"` says it in words. Doc comments are what
/// `convoke plugin inspect` shows.
///
/// ```
/// use convoke_sdk::prelude::*;
///
/// convoke_sdk::config! {
///     /// What the administrator writes under `config`.
///     #[derive(Debug)]
///     pub struct Config {
///         /// The file of addresses.
///         pub path: std::path::PathBuf,
///         /// How long an answer holds, in seconds.
///         pub valid_for: u64 = 3600,
///         /// Who is never found.
///         pub hidden: Vec<CalendarAddress> = [],
///         /// What to fall back to.
///         pub relay: Option<ReceiverUrl>,
///         /// When the office is open.
///         pub hours: (String, String) as "list of two times" = ["09:00", "17:00"],
///     }
/// }
/// ```
///
/// A configuration may as well be any type that serde can read; then nothing is known of its keys.
#[macro_export]
macro_rules! config {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field_visibility:vis $field:ident: $type:ty $(as $words:literal)? $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[doc = $doc])* $field_visibility $field: $type,)*
        }

        impl $crate::ConfigSchema for $name {
            const KEYS: &'static [$crate::Key] = &[$($crate::Key::new(
                ::core::stringify!($field),
                $crate::config!(@kind $type $(, $words)?),
                $crate::config!(@presence $type $(, $default)?),
                &[$($doc),*],
            )),*];
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                from: D,
            ) -> ::core::result::Result<Self, D::Error> {
                #[derive($crate::serde::Deserialize)]
                #[serde(crate = "convoke_sdk::serde", deny_unknown_fields)]
                struct AsWritten {
                    $($field: ::core::option::Option<$type>,)*
                }
                let written = <AsWritten as $crate::serde::Deserialize>::deserialize(from)?;
                ::core::result::Result::Ok(Self {
                    $($field: match written.$field {
                        ::core::option::Option::Some(value) => value,
                        ::core::option::Option::None => {
                            $crate::config!(@missing $field $($default)?)?
                        }
                    },)*
                })
            }
        }
    };
    (@kind $type:ty) => { ::core::stringify!($type) };
    (@kind $type:ty, $words:literal) => { $words };
    (@presence $type:ty) => { $crate::config_schema::without_default(::core::stringify!($type)) };
    (@presence $type:ty, $default:expr) => {
        $crate::Presence::Default(::core::stringify!($default))
    };
    (@missing $field:ident) => {
        $crate::config_schema::missing_key(::core::stringify!($field))
    };
    (@missing $field:ident $default:expr) => {
        $crate::config_schema::default_value(::core::stringify!($field), ::core::stringify!($default))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReceiverUrl, guest};
    use std::{collections::BTreeMap, path::PathBuf};

    crate::config! {
        /// A configuration of everything.
        #[derive(Debug, PartialEq)]
        struct Config {
            /// Where it lies.
            path: PathBuf,
            /// How long,
            /// in "seconds".
            valid_for: i64 = -1,
            /// Names.
            names: Vec<String> = ["a", "b"],
            relays: BTreeMap<String, ReceiverUrl> = {},
            calendar: Option<String> as "name of a calendar",
            hours: (String, String) as "list of two times" = ["09:00", "17:00"],
        }
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let config: Config = guest::read_config("path = 'x'\ncalendar = 'work'").unwrap();
        let wanted = Config {
            path: "x".into(),
            valid_for: -1,
            names: vec!["a".to_owned(), "b".to_owned()],
            relays: BTreeMap::new(),
            calendar: Some("work".to_owned()),
            hours: ("09:00".to_owned(), "17:00".to_owned()),
        };
        assert_eq!(config, wanted);
        let config: Config = guest::read_config("path = 'x'\nvalid_for = 7").unwrap();
        assert_eq!((config.valid_for, config.calendar), (7, None));
    }

    #[test]
    fn mistakes_are_told_as_for_any_configuration() {
        for (text, sentence) in [
            ("", "`config.path` is missing; add it"),
            (
                "path = 'x'\nname = []",
                "`config.name` is not known; did you mean `names`?",
            ),
            (
                "path = 'x'\nnames = [1]",
                "number 1 of `config.names` is wrong: expected a text, not 1",
            ),
        ] {
            let failure = guest::read_config::<Config>(text).unwrap_err();
            assert_eq!(failure.message, sentence, "{text}");
        }
    }

    #[test]
    fn a_default_that_its_type_refuses_is_told() {
        crate::config! {
            #[derive(Debug)]
            #[expect(dead_code, reason = "only read")]
            struct Wrong {
                relay: ReceiverUrl = "http://cal.example.org/",
            }
        }
        let failure = guest::read_config::<Wrong>("").unwrap_err();
        let message = failure.message.as_str();
        assert!(message.contains("the default of `relay`"), "{message}");
        assert!(message.contains("https only"), "{message}");
    }

    #[test]
    fn keys_are_described_in_json() {
        const KINDS: &[(&str, Option<&[Key]>)] = &[("store", Some(Config::KEYS)), ("policy", None)];
        static JSON: [u8; Schema::<0>::of(KINDS).size()] = Schema::of(KINDS).bytes();
        let found = std::str::from_utf8(&JSON).unwrap();
        let wanted = concat!(
            r#"{"store":[{"name":"path","type":"PathBuf","required":true,"default":null,"doc":"Where it lies."},"#,
            r#"{"name":"valid_for","type":"i64","required":false,"default":"-1","doc":"How long, in \"seconds\"."},"#,
            r#"{"name":"names","type":"Vec<String>","required":false,"default":"[\"a\", \"b\"]","doc":"Names."},"#,
            r#"{"name":"relays","type":"BTreeMap<String, ReceiverUrl>","required":false,"default":"{}","doc":""},"#,
            r#"{"name":"calendar","type":"name of a calendar","required":false,"default":null,"doc":""},"#,
            r#"{"name":"hours","type":"list of two times","required":false,"default":"[\"09:00\", \"17:00\"]","doc":""}],"#,
            r#""policy":null}"#,
        );
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_type_without_a_description_has_none() {
        use WithoutSchema as _;
        assert!(SchemaOf::<Config>::KEYS.is_some());
        assert!(SchemaOf::<BTreeMap<String, String>>::KEYS.is_none());
    }
}
