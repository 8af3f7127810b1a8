//! What a library says about itself without being run.
//!
//! A manifest lies in a link section of its own, so that a host can read it from the file, and is exported as the C
//! symbol [`SYMBOL`]. It begins with [`MAGIC`] and the length of what follows as eight digits and a line feed; then
//! come `key = value` lines. Readers ignore keys they do not know. Keys of 1.0:
//!
//! | key | value |
//! | --- | --- |
//! | `abi` | the interface it was built for, `1.0` |
//! | `name` | what it is called in a configuration, `store-sqlite` |
//! | `version` | its own version |
//! | `vendor` | who makes it |
//! | `kinds` | `discovery`, `policy`, `store`, `state`, separated by spaces |
//! | `name.store` (of any kind) | what the plugin of that kind is called, where it is not `name` |
//! | `sdk` | the version of the SDK |
//! | `rustc` | the compiler, as `rustc --version` says it |
//! | `panic` | `unwind` or `abort` |
//! | `exclusive` | the kinds that cannot be opened twice side by side, separated by spaces |
//! | `one-version` | the kinds of which two versions must not be open in one process, separated by spaces |
//! | `schema` | the configuration's keys as JSON in one line, see below; empty if it says nothing |
//!
//! The schema is an object with a member for each kind: `null`, or a list of keys, each an object of `name`, `type`
//! (a Rust type, or words), `required`, `default` (TOML, or `null`) and `doc`.

use std::fmt;

/// What a manifest begins with.
pub const MAGIC: &str = "CONVOKE-PLUGIN ";
/// The link section of an ELF library.
pub const SECTION: &str = ".convoke";
/// The link section of a Mach-O library, in segment `__DATA`.
pub const SECTION_MACHO: &str = "__convoke";
/// The C symbol of the manifest.
pub const SYMBOL: &str = "CONVOKE_PLUGIN_MANIFEST";

/// What comes before a kind in the key of its own name.
const OTHER_NAME: &str = "name.";
const DIGITS: usize = 8;
const HEAD: usize = MAGIC.len() + DIGITS + 1;
const MAX_TEXT: usize = 1024 * 1024;

/// The size of a manifest whose lines are made of `parts`.
pub const fn size(parts: &[&str]) -> usize {
    let (mut size, mut at) = (HEAD, 0);
    while at < parts.len() {
        size += parts[at].len();
        at += 1;
    }
    size
}

/// A manifest whose lines are made of `parts`; `N` is their [`size`].
pub const fn bytes<const N: usize>(parts: &[&str]) -> [u8; N] {
    assert!(size(parts) == N && N - HEAD <= MAX_TEXT);
    let mut bytes = [b' '; N];
    let mut to = copy(MAGIC, &mut bytes, 0) + DIGITS;
    let (mut rest, mut digit) = (N - HEAD, 0);
    while digit < DIGITS {
        digit += 1;
        bytes[to - digit] = b"0123456789"[rest % 10];
        rest /= 10;
    }
    bytes[to] = b'\n';
    to += 1;
    let mut at = 0;
    while at < parts.len() {
        to = copy(parts[at], &mut bytes, to);
        at += 1;
    }
    bytes
}

const fn copy<const N: usize>(text: &str, to: &mut [u8; N], mut at: usize) -> usize {
    let (text, mut from) = (text.as_bytes(), 0);
    while from < text.len() {
        to[at] = text[from];
        (from, at) = (from + 1, at + 1);
    }
    at
}

/// Whether `name` can be a plugin's name: 1 to 64 of `a-z`, `0-9` and `-`, beginning with a letter.
pub const fn is_name(name: &str) -> bool {
    let name = name.as_bytes();
    let mut at = 0;
    while at < name.len() {
        if !(name[at].is_ascii_lowercase()
            || at > 0 && (name[at].is_ascii_digit() || name[at] == b'-'))
        {
            return false;
        }
        at += 1;
    }
    !name.is_empty() && name.len() <= 64
}

/// A kind of plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Finds receivers.
    Discovery,
    /// Decides who may do what.
    Policy,
    /// Keeps calendars.
    Store,
    /// Keeps the host's own state.
    State,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Discovery, Self::Policy, Self::Store, Self::State];

    /// The word in manifests and configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Policy => "policy",
            Self::Store => "store",
            Self::State => "state",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The interface it was built for: major, minor.
    pub abi: (u32, u32),
    /// What it is called in a configuration.
    pub name: String,
    /// Kinds that go by another name; see [`name_of`](Self::name_of).
    pub other_names: Vec<(Kind, String)>,
    /// Its own version.
    pub version: String,
    /// Who makes it; may be empty.
    pub vendor: String,
    /// What it offers; kinds this host does not know are left out.
    pub kinds: Vec<Kind>,
    /// Those of them that cannot be opened twice side by side.
    pub exclusive: Vec<Kind>,
    /// Those of them of which two versions must not be open in one process.
    pub one_version: Vec<Kind>,
    /// The version of the SDK it was built with.
    pub sdk: String,
    /// The compiler, as `rustc --version` says it.
    pub rustc: String,
    /// Whether a panic unwinds (and can be caught) or ends the process.
    pub unwinds: bool,
    /// The configuration's keys as JSON; may be empty.
    pub schema: String,
}

/// Bytes are not a manifest: what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its plugin manifest is damaged: {0}")]
pub struct InvalidManifest(&'static str);

impl Manifest {
    /// What the plugin of a kind is called in a configuration.
    pub fn name_of(&self, kind: Kind) -> &str {
        let mut others = self.other_names.iter();
        let other = others.find_map(|(of, name)| (*of == kind).then_some(name));
        other.unwrap_or(&self.name)
    }

    /// The kinds that go by a name.
    pub fn kinds_of(&self, name: &str) -> Vec<Kind> {
        let kinds = self.kinds.iter().copied();
        kinds.filter(|kind| self.name_of(*kind) == name).collect()
    }

    /// The names that its plugins go by, each with their kinds.
    pub fn plugins(&self) -> Vec<(&str, Vec<Kind>)> {
        let mut plugins: Vec<(&str, Vec<Kind>)> = Vec::new();
        for &kind in &self.kinds {
            let name = self.name_of(kind);
            match plugins.iter_mut().find(|(known, _)| *known == name) {
                Some((_, kinds)) => kinds.push(kind),
                None => plugins.push((name, vec![kind])),
            }
        }
        plugins
    }

    /// Reads a manifest from the beginning of `bytes`; what comes after it is ignored.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let rest = bytes
            .strip_prefix(MAGIC.as_bytes())
            .ok_or(InvalidManifest("it does not begin with `CONVOKE-PLUGIN`"))?;
        let (length, rest) = rest
            .split_at_checked(DIGITS)
            .and_then(|(digits, rest)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((digits.parse::<usize>().ok()?, rest.strip_prefix(b"\n")?))
            })
            .ok_or(InvalidManifest("its length is no number"))?;
        let text = rest
            .get(..length)
            .ok_or(InvalidManifest("it is cut short"))?;
        let text = std::str::from_utf8(text).map_err(|_| InvalidManifest("it is not UTF-8"))?;
        Self::read_lines(text)
    }

    fn read_lines(text: &str) -> Result<Self, InvalidManifest> {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find_map(|(name, value)| (name.trim() == key).then_some(value.trim()))
        };
        let owned = |key| value(key).unwrap_or_default().to_owned();
        let abi = value("abi")
            .and_then(|abi| abi.split_once('.'))
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
            .ok_or(InvalidManifest("it states no ABI version"))?;
        let name = value("name")
            .filter(|name| is_name(name))
            .ok_or(InvalidManifest("it states no name"))?;
        let kinds = |key| -> Vec<Kind> {
            let words = value(key).unwrap_or_default();
            let is_said = |kind: &Kind| words.split_whitespace().any(|word| word == kind.as_str());
            Kind::ALL.into_iter().filter(is_said).collect()
        };
        let other_name = |kind: Kind| {
            let name = value(&format!("{OTHER_NAME}{kind}")).filter(|name| is_name(name))?;
            Some((kind, name.to_owned()))
        };
        Ok(Self {
            abi,
            name: name.to_owned(),
            other_names: Kind::ALL.into_iter().filter_map(other_name).collect(),
            version: owned("version"),
            vendor: owned("vendor"),
            kinds: kinds("kinds"),
            exclusive: kinds("exclusive"),
            one_version: kinds("one-version"),
            sdk: owned("sdk"),
            rustc: owned("rustc"),
            // What does not say that it unwinds is taken not to: it would take the host down.
            unwinds: value("panic") == Some("unwind"),
            schema: owned("schema"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: &[&str] = &[
        "abi = 1.0\nname = demo\nkinds = store policy\n",
        "panic = unwind\nexclusive = store\none-version = policy\nlater = x\n",
    ];
    static BYTES: [u8; size(PARTS)] = bytes(PARTS);

    #[test]
    fn what_is_written_is_read() {
        let manifest = Manifest::read(&BYTES).unwrap();
        assert_eq!((manifest.abi, manifest.name.as_str()), ((1, 0), "demo"));
        assert_eq!(manifest.kinds, [Kind::Policy, Kind::Store]);
        assert_eq!(manifest.exclusive, [Kind::Store]);
        assert_eq!(manifest.one_version, [Kind::Policy]);
        assert!(manifest.unwinds && manifest.vendor.is_empty());
        assert_eq!(
            manifest.plugins(),
            [("demo", vec![Kind::Policy, Kind::Store])]
        );
    }

    #[test]
    fn a_kind_may_go_by_a_name_of_its_own() {
        const PARTS: &[&str] = &[
            "abi = 1.0\nname = store-demo\nkinds = store policy state\n",
            "name.state = state-demo\nname.policy = Not A Name\n",
        ];
        static BYTES: [u8; size(PARTS)] = bytes(PARTS);
        let manifest = Manifest::read(&BYTES).unwrap();
        assert_eq!(manifest.name_of(Kind::State), "state-demo");
        assert_eq!(
            manifest.plugins(),
            [
                ("store-demo", vec![Kind::Policy, Kind::Store]),
                ("state-demo", vec![Kind::State])
            ]
        );
    }

    #[test]
    fn damaged_manifests_are_refused() {
        for wrong in [
            &b""[..],
            b"CONVOKE-PLUGIN ",
            b"CONVOKE-PLUGIN 0000000x\n",
            b"CONVOKE-PLUGIN 99999999\nabi = 1.0\n",
            b"CONVOKE-PLUGIN 00000003\n\xff\xff\xff",
            b"CONVOKE-PLUGIN 00000009\nname = a\n",
            &BYTES[..BYTES.len() - 1],
        ] {
            assert!(Manifest::read(wrong).is_err());
        }
    }

    #[test]
    fn names_can_be_file_names() {
        for (name, fine) in [
            ("store-sqlite", true),
            ("a1", true),
            ("", false),
            ("1a", false),
            ("A", false),
            ("a/b", false),
        ] {
            assert_eq!(is_name(name), fine, "{name}");
        }
    }
}
