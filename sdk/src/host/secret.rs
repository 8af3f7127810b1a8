//! What no log may show.

use crate::{Error, Result};
use std::fmt;
use zeroize::Zeroizing;

/// A password, a key or the like: it does not show itself, and its memory is overwritten when it is dropped.
///
/// ```
/// use convoke_sdk::Secret;
///
/// let password = Secret::new(b"hunter2\n".to_vec())?;
/// assert_eq!(password.text()?, "hunter2");
/// assert_eq!(format!("{password:?}"), "Secret(…)");
/// # Ok::<(), convoke_sdk::Error>(())
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The longest, in bytes: 64 KiB.
    pub const MAX: usize = 64 << 10;

    /// What a file holds, without the end of its last line (`\n` or `\r\n`). `Invalid` if nothing is left, or more than
    /// [`MAX`](Self::MAX).
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Self::bounded(bytes)
    }

    /// What crossed the boundary, where [`new`](Self::new) has made it.
    pub(crate) fn received(bytes: Vec<u8>) -> Result<Self> {
        Self::bounded(Zeroizing::new(bytes))
    }

    fn bounded(bytes: Zeroizing<Vec<u8>>) -> Result<Self> {
        match bytes.len() {
            0 => Err(Error::invalid("it is empty; write the secret into it")),
            1..=Self::MAX => Ok(Self(bytes)),
            _ => Err(Error::invalid(format!(
                "it is longer than a secret may be, {} bytes",
                Self::MAX
            ))),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text. `Invalid` if they are not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.0).map_err(|_| Error::invalid("the secret is not UTF-8"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_it() {
        for (file, secret) in [
            ("a", Some("a")),
            ("a\n", Some("a")),
            ("a\r\n", Some("a")),
            ("a\n\n", Some("a\n")),
            (" a \n", Some(" a ")),
            ("a\r", Some("a\r")),
            ("", None),
            ("\n", None),
            ("\r\n", None),
        ] {
            let read = Secret::new(file.into());
            let text = read.as_ref().ok().and_then(|it| it.text().ok());
            assert_eq!(text, secret, "{file:?}");
        }
        assert!(Secret::new(vec![b'a'; Secret::MAX]).is_ok());
        assert!(Secret::new(vec![b'a'; Secret::MAX + 1]).is_err());
        assert!(Secret::new(vec![0xff]).unwrap().text().is_err());
    }
}
