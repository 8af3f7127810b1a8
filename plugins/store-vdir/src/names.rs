//! File names that no UID can choose, and entity tags.

use convoke_sdk::prelude::*;
use sha2::{Digest, Sha256};

/// The name of the file for a new object: the UID if every file system takes it as it is, else a hash of it.
/// `attempt` makes another name when one is taken.
pub(crate) fn file(uid: &Uid, attempt: u32) -> String {
    let stem = if is_plain(uid.as_str()) {
        uid.as_str().to_owned()
    } else {
        hash([uid.as_str().as_bytes()])
    };
    match attempt {
        0 => format!("{stem}.ics"),
        _ => format!("{stem}-{attempt}.ics"),
    }
}

/// Whether a file of this name holds the object of this UID, by what programs call files, and we do: nothing tells better where
/// it cannot be read.
pub(crate) fn is_of(name: &str, uid: &Uid) -> bool {
    name.strip_suffix(".ics") == Some(uid.as_str()) || name == file(uid, 0)
}

/// Whether a file of this name holds an object: vdir spells it exactly so, and hidden files are unfinished ones.
#[allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "khal's own rule"
)]
pub(crate) fn is_object(name: &str) -> bool {
    name.ends_with(".ics") && !name.starts_with('.')
}

/// The name of the folder for a new user.
pub(crate) fn folder(address: &CalendarAddress) -> String {
    let name = address.human();
    if is_plain(name) {
        name.to_owned()
    } else {
        hash([address.as_str().as_bytes()])
    }
}

/// Equal tags mean equal bytes.
pub(crate) fn etag(data: &[u8]) -> Etag {
    Etag::new(hash([data])).expect("a hash is 32 digits")
}

/// 32 hexadecimal digits of SHA-256 over the parts; where each ends counts.
pub(crate) fn hash<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        if N > 1 {
            hasher.update(part.len().to_be_bytes());
        }
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..16])
}

/// Nothing that is hidden, long, has a meaning in a path, or differs between file systems.
fn is_plain(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && (name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_names_its_file_only_if_it_is_harmless() {
        let name = |uid: &str| file(&Uid::new(uid).unwrap(), 0);
        assert_eq!(name("1f0c-42@example.org"), "1f0c-42@example.org.ics");
        for uid in [
            "../../etc/passwd",
            "..",
            ".hidden",
            "a/b",
            "a\\b",
            "-rf",
            "naïve 🗓",
            "con:1",
            &"x".repeat(1024),
        ] {
            let name = name(uid);
            assert_eq!(name.len(), 36, "{uid} became {name}");
            assert!(!name.contains(['/', '\\', ':']), "{uid} became {name}");
        }
        assert_ne!(name("a/b"), name("a\\b"));
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash([b"ab", b"c"]), hash([b"a", b"bc"]));
    }
}
