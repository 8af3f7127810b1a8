//! What is in a backup.
//!
//! A tar of regular files, in this order; numbers count from 1:
//!
//! ```text
//! manifest.json                  who made it, of what, when; the version of this format
//! state/N.json                   entries of the state, a list
//! stores/S/U/user.json           the Uth calendar user of the Sth store of the manifest, with all settings
//! stores/S/U/uids-N.json         the UIDs of the objects that follow
//! stores/S/U/N.ics               an object as the store has it
//! stores/S/U/inbox-N.json        a message that waits to be decided
//! seal.json                      the SHA-256 of all octets before, and how much there is
//! ```
//!
//! No name comes from outside: an address or a UID is in the files, where no program takes it for a path. The seal makes a file that is
//! cut off, or of which any bit was changed, one that is refused before anything is done with it. It is no signature: who can write the
//! file can write another seal.

use convoke_types::{CalendarAddress, Domain};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tar::{EntryType, Header};

/// The version of this format; a later one is refused.
pub(super) const FORMAT: u32 = 1;
/// The longest part, in bytes: what is read at once.
pub(super) const LONGEST: u64 = 64 << 20;
/// The longest manifest, in bytes: addresses take more memory than room in the file.
const LONGEST_MANIFEST: u64 = 16 << 20;
/// The longest list of UIDs, and the longest description of a calendar user, in bytes.
const LONGEST_LIST: u64 = 1 << 20;
/// The unit of a tar.
pub(super) const BLOCK: usize = 512;
/// What a seal and the end of the tar take: a header, the text, two empty blocks.
pub(super) const TAIL: usize = 4 * BLOCK;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SEAL: &str = "seal.json";

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Manifest {
    /// The version of the format.
    pub(in crate::cli) format: u32,
    /// The version of the program that made it.
    pub(in crate::cli) convoke: String,
    pub(in crate::cli) created: Timestamp,
    pub(in crate::cli) domains: Vec<Domain>,
    pub(in crate::cli) stores: Vec<StoreInside>,
}

/// A store of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct StoreInside {
    /// What the administrator called it.
    pub(in crate::cli) name: String,
    /// Its calendar users, in the order of the file.
    pub(in crate::cli) users: Vec<CalendarAddress>,
}

/// The end of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    /// Of all octets before, in hexadecimal digits.
    pub(super) sha256: String,
    pub(super) state: usize,
    pub(super) users: usize,
    pub(super) objects: usize,
    pub(super) inbox: usize,
}

impl Seal {
    /// The last octets of a file that ends with it.
    pub(super) fn tail(&self) -> Vec<u8> {
        let text = serde_json::to_vec(self).expect("digits and numbers can be written");
        assert!(text.len() <= BLOCK, "64 digits and four numbers are short");
        let mut tail = header(SEAL, text.len() as u64).as_bytes().to_vec();
        tail.extend(text);
        tail.resize(TAIL, 0);
        tail
    }

    /// The seal that a file ends with; `None` if that is no seal as we write it, to the last bit.
    pub(super) fn read(tail: &[u8]) -> Option<Self> {
        let text = tail.get(BLOCK..2 * BLOCK)?;
        let end = text.iter().position(|it| *it == 0).unwrap_or(BLOCK);
        let seal: Self = serde_json::from_slice(&text[..end]).ok()?;
        (seal.sha256.len() == 64 && seal.tail() == tail).then_some(seal)
    }
}

/// What a part is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Manifest,
    State,
    User { store: usize, user: usize },
    Uids,
    Object,
    Inbox,
    Seal,
}

impl Part {
    /// How many bytes it has at most. What is small in the file and large in memory may be less long than an object.
    pub(super) const fn longest(self) -> u64 {
        match self {
            Self::Manifest => LONGEST_MANIFEST,
            Self::User { .. } | Self::Uids => LONGEST_LIST,
            Self::Seal => BLOCK as u64,
            Self::State | Self::Object | Self::Inbox => LONGEST,
        }
    }

    /// `None` for a name that no backup has.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let number = |text: &str| -> Option<usize> {
            let is_plain = text.bytes().all(|it| it.is_ascii_digit()) && !text.starts_with('0');
            text.parse().ok().filter(|_| is_plain)
        };
        let parts: Vec<&str> = name.split('/').collect();
        match parts[..] {
            [MANIFEST] => Some(Self::Manifest),
            [SEAL] => Some(Self::Seal),
            ["state", file] => number(file.strip_suffix(".json")?).map(|_| Self::State),
            ["stores", store, user, file] => {
                let (store, user) = (number(store)?, number(user)?);
                if file == "user.json" {
                    return Some(Self::User { store, user });
                }
                if let Some(object) = file.strip_suffix(".ics") {
                    return number(object).map(|_| Self::Object);
                }
                let file = file.strip_suffix(".json")?;
                match file.split_once('-')? {
                    ("uids", rest) => number(rest).map(|_| Self::Uids),
                    ("inbox", rest) => number(rest).map(|_| Self::Inbox),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The header of a part. Nothing in it depends on who writes it, or when.
pub(super) fn header(name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header
        .set_path(name)
        .expect("our names are short, and no paths that lead elsewhere");
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_cksum();
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_names_of_ours_alone() {
        let user = Part::User { store: 2, user: 31 };
        for (name, expected) in [
            ("manifest.json", Some(Part::Manifest)),
            ("seal.json", Some(Part::Seal)),
            ("state/12.json", Some(Part::State)),
            ("stores/2/31/user.json", Some(user)),
            ("stores/2/31/uids-4.json", Some(Part::Uids)),
            ("stores/2/31/7.ics", Some(Part::Object)),
            ("stores/2/31/inbox-1.json", Some(Part::Inbox)),
            ("", None),
            ("/manifest.json", None),
            ("./manifest.json", None),
            ("../state/1.json", None),
            ("state/../1.json", None),
            ("state/.json", None),
            ("state/0.json", None),
            ("state/+1.json", None),
            ("state/99999999999999999999999.json", None),
            ("stores/0/1/user.json", None),
            ("stores/1/1/../7.ics", None),
            ("stores/1/1/x-1.json", None),
            ("etc/passwd", None),
        ] {
            assert_eq!(Part::of(name.as_bytes()), expected, "{name}");
        }
        assert_eq!(Part::of(b"state/\xff.json"), None);
    }

    #[test]
    fn a_seal_is_read_as_it_was_written_and_with_no_bit_changed() {
        let seal = Seal {
            sha256: "ab".repeat(32),
            state: 1,
            users: 2,
            objects: usize::MAX,
            inbox: 0,
        };
        let tail = seal.tail();
        assert_eq!(tail.len(), TAIL);
        assert_eq!(Seal::read(&tail).as_ref(), Some(&seal));
        for place in 0..tail.len() {
            for bit in 0..8 {
                let mut other = tail.clone();
                other[place] ^= 1 << bit;
                assert_ne!(Seal::read(&other).as_ref(), Some(&seal), "{place} {bit}");
            }
        }
        assert_eq!(Seal::read(&tail[1..]), None);
        assert_eq!(Seal::read(&[0; TAIL]), None);
    }
}
