//! Who signed a library: minisign signatures that lie beside it.

use super::Reason;
use base64::{Engine, prelude::BASE64_STANDARD};
use minisign_verify::PublicKey;
use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// What the name of a signature's file adds to the library's.
const SUFFIX: &str = ".minisig";
/// The largest signature or key file read, in bytes: minisign's own comments end at 8 KiB.
const MAX_FILE: u64 = 32 * 1024;
/// How many characters of a trusted comment are shown.
const MAX_COMMENT: usize = 200;

/// A minisign public key whose owner's libraries are run.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedKey {
    name: Option<String>,
    id: String,
    key: PublicKey,
}

/// A text or file is no minisign public key.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    /// Not 42 bytes in base64.
    #[error("it is no minisign public key; such a key is one line of 56 characters, `RW…`")]
    Text,
    /// The file is not there, or may not be read.
    #[error("{}: cannot be read ({error}); name the `.pub` file of a minisign key", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("{}: is no minisign public key; name the `.pub` file of one", .0.display())]
    File(PathBuf),
}

impl TrustedKey {
    /// Reads a key from its text: `RWQ…`.
    pub fn from_text(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let key = PublicKey::from_base64(text).map_err(|_| InvalidKey::Text)?;
        Ok(Self {
            name: None,
            id: key_id(text).ok_or(InvalidKey::Text)?,
            key,
        })
    }

    /// Reads a key from a `.pub` file as minisign writes it, a comment and the key; it goes by the file's name.
    pub fn from_file(path: &Path) -> Result<Self, InvalidKey> {
        let text = small_file(path)
            .map_err(|error| InvalidKey::Unreadable {
                file: path.to_owned(),
                error,
            })?
            .ok_or_else(|| InvalidKey::File(path.to_owned()))?;
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        let key = line.and_then(|line| Self::from_text(line).ok());
        let name = path
            .file_stem()
            .map(|name| printable(&name.to_string_lossy()));
        Ok(Self {
            name,
            ..key.ok_or_else(|| InvalidKey::File(path.to_owned()))?
        })
    }

    /// Its number, as minisign prints it: 16 hexadecimal digits. It tells keys apart, and proves nothing.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the administrator calls it: the name of its file, if it came from one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedKey({self})")
    }
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.id),
            None => f.write_str(&self.id),
        }
    }
}

/// What the signature beside a library is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// There is none.
    No,
    /// The file beside it is no signature, or cannot be read: why.
    Unreadable(String),
    /// By a key that is not trusted; whether it is right is not known.
    Unknown {
        /// The key's number.
        key_id: String,
    },
    /// It names a trusted key, but was not made with it over these bytes.
    Wrong {
        /// The key that it names.
        key: TrustedKey,
    },
    /// By the owner of a trusted key, over these very bytes.
    By {
        /// The key.
        key: TrustedKey,
        /// What the signer wrote beside it, signed too.
        comment: String,
    },
}

/// Where the signature of `library` lies: `acme.so.minisig` beside `acme.so`.
pub(super) fn file_of(library: &Path) -> PathBuf {
    let mut name = library.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// Holds the signature beside `library` against its bytes.
pub(super) fn verify(library: &Path, data: &[u8], keys: &[TrustedKey]) -> Signed {
    let text = match small_file(&file_of(library)) {
        Ok(Some(text)) => text,
        Ok(None) => return Signed::Unreadable("it is no text".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Signed::No,
        Err(error) => return Signed::Unreadable(error.to_string()),
    };
    let signature = match minisign_verify::Signature::decode(&text) {
        Ok(signature) => signature,
        Err(error) => return Signed::Unreadable(error.to_string()),
    };
    let Some(key_id) = text.lines().nth(1).and_then(key_id) else {
        return Signed::Unreadable("it names no key".to_owned());
    };
    let mut wrong = None;
    for key in keys.iter().filter(|key| key.id == key_id) {
        // Signatures of old minisign cover the file itself rather than its BLAKE2b hash; both are sound.
        if key.key.verify(data, &signature, true).is_ok() {
            return Signed::By {
                key: key.clone(),
                comment: printable(signature.trusted_comment()),
            };
        }
        wrong = Some(key.clone());
    }
    match wrong {
        Some(key) => Signed::Wrong { key },
        None => Signed::Unknown { key_id },
    }
}

impl Signed {
    /// Whether `library` may run, if only what is signed may.
    pub(super) fn check(self, library: &Path) -> Result<(), Reason> {
        let signature = || file_of(library);
        match self {
            Self::By { .. } => Ok(()),
            Self::No => Err(Reason::Unsigned(signature())),
            Self::Unreadable(why) => Err(Reason::NoSignature {
                file: signature(),
                why,
            }),
            Self::Unknown { key_id } => Err(Reason::SignedByStranger { key_id }),
            Self::Wrong { key } => Err(Reason::WrongSignature {
                file: signature(),
                key: key.to_string(),
            }),
        }
    }
}

/// The number in a key or a signature: bytes 2 to 10, printed as one number, as minisign does.
fn key_id(line: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(line.trim()).ok()?;
    let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// The text of a file; `None` if it is too large or no text. Never blocks on something that is no file.
fn small_file(path: &Path) -> io::Result<Option<String>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut data = Vec::new();
    fs::File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut data)?;
    if data.len() as u64 > MAX_FILE {
        return Ok(None);
    }
    Ok(String::from_utf8(data).ok())
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_COMMENT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;

    fn keys() -> (KeyPair, TrustedKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = TrustedKey::from_text(&pair.pk.to_base64()).unwrap();
        (pair, key)
    }

    #[test]
    fn a_signature_is_worth_what_its_key_is() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("acme.so");
        let ((acme, acme_key), (_, other_key)) = (keys(), keys());
        let check = |text: Option<&str>, data: &[u8], keys: &[TrustedKey]| {
            let file = file_of(&library);
            match text {
                Some(text) => fs::write(file, text).unwrap(),
                None => drop(fs::remove_file(file)),
            }
            verify(&library, data, keys)
        };
        let signature = minisign::sign(
            Some(&acme.pk),
            &acme.sk,
            io::Cursor::new(b"library"),
            Some("version 1\u{7}"),
            None,
        );
        let signature = signature.unwrap().to_string();
        let id = acme_key.id().to_owned();
        let trusted = [other_key.clone(), acme_key.clone()];
        assert_eq!(
            check(Some(&signature), b"library", &trusted),
            Signed::By {
                key: acme_key.clone(),
                comment: "version 1 ".to_owned()
            }
        );
        assert_eq!(
            check(Some(&signature), b"another", &trusted),
            Signed::Wrong {
                key: acme_key.clone()
            }
        );
        assert_eq!(
            check(
                Some(&signature.replace("version 1", "version 2")),
                b"library",
                &trusted
            ),
            Signed::Wrong { key: acme_key }
        );
        assert_eq!(
            check(Some(&signature), b"library", &[other_key]),
            Signed::Unknown { key_id: id }
        );
        assert_eq!(check(None, b"library", &trusted), Signed::No);
        for text in [
            "",
            "Dear colleague,",
            &signature[..80],
            &"x".repeat(100_000),
        ] {
            let found = check(Some(text), b"library", &trusted);
            assert!(matches!(found, Signed::Unreadable(_)), "{found:?}");
        }
    }

    #[test]
    fn a_key_is_a_line_or_a_file_and_has_minisigns_number() {
        // The public key that minisign's own releases are signed with.
        let line = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        assert_eq!(
            TrustedKey::from_text(line).unwrap().id(),
            "E7620F1842B4E81F"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("acme.pub");
        fs::write(&file, format!("untrusted comment: acme's\n{line}\n")).unwrap();
        let key = TrustedKey::from_file(&file).unwrap();
        assert_eq!(key.to_string(), "acme (E7620F1842B4E81F)");
        fs::write(&file, "Dear colleague,").unwrap();
        assert!(matches!(
            TrustedKey::from_file(&file),
            Err(InvalidKey::File(_))
        ));
        let none = TrustedKey::from_file(&folder.path().join("none.pub"));
        assert!(matches!(none, Err(InvalidKey::Unreadable { .. })));
        assert!(TrustedKey::from_text("RWQf6LRCGA9i53").is_err());
    }
}
