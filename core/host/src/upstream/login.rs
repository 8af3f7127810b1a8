//! Who logs in: the credentials are the server's to try, and what it said of them is remembered for a short while.
//!
//! Of Basic credentials a digest is remembered, under a secret of this process, and never they themselves. Digest credentials
//! are good for one request, so that only their name is known, once the server took them.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Duration,
};

/// For how long the server is not asked again about the same credentials.
const REMEMBERED: Duration = Duration::from_secs(300);
const MOST: u64 = 10_000;
/// Of a name that is shown in the log, in characters.
const SHOWN: usize = 100;

/// Who a request says it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The log-in, as it is written.
    pub(crate) login: String,
    pub(crate) scheme: Scheme,
}

/// How it is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// By a password; what stands for it in memory.
    Basic([u8; 32]),
    /// By an answer that fits this one request.
    Digest,
}

/// Which credentials were right lately.
pub(crate) struct Logins {
    secret: [u64; 2],
    right: Cache<[u8; 32], ()>,
}

impl Logins {
    pub(crate) fn new() -> Self {
        Self {
            secret: [(); 2].map(|()| RandomState::new().hash_one(0)),
            right: Cache::builder()
                .max_capacity(MOST)
                .time_to_live(REMEMBERED)
                .build(),
        }
    }

    /// What a request claims; `None` if it claims nothing that can be read, or that the server might read otherwise ([`is_unreadable`]).
    pub(crate) fn claim(&self, headers: &HeaderMap) -> Option<Claim> {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        let field = fields.next()?;
        if fields.next().is_some() {
            return None;
        }
        let (scheme, credentials) = field.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Claim {
                login: basic_name(credentials)?,
                scheme: Scheme::Basic(self.digest(field)),
            });
        }
        scheme.eq_ignore_ascii_case("digest").then_some(())?;
        Some(Claim {
            login: digest_name(credentials)?,
            scheme: Scheme::Digest,
        })
    }

    /// Whether the server took the same credentials lately.
    pub(crate) fn is_right(&self, claim: &Claim) -> bool {
        match &claim.scheme {
            Scheme::Basic(digest) => self.right.contains_key(digest),
            Scheme::Digest => false,
        }
    }

    /// The server took them.
    pub(crate) fn note_right(&self, claim: &Claim) {
        if let Scheme::Basic(digest) = claim.scheme {
            self.right.insert(digest, ());
        }
    }

    /// The server refused them.
    pub(crate) fn note_wrong(&self, claim: &Claim) {
        if let Scheme::Basic(digest) = &claim.scheme {
            self.right.invalidate(digest);
        }
    }

    fn digest(&self, field: &HeaderValue) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in self.secret {
            digest.update(part.to_be_bytes());
        }
        digest.update(field.as_bytes());
        digest.finalize().into()
    }
}

/// Whether a request comes with a password that cannot be read, or with several credentials. Servers read more than we do (a
/// letter too many among the base64, none after `Basic`), and who guesses passwords in that way would not be counted.
pub(crate) fn is_unreadable(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return false;
    };
    let bytes = field.as_bytes();
    let is_basic = (bytes.get(..5)).is_some_and(|it| it.eq_ignore_ascii_case(b"basic"));
    let name = || {
        let (scheme, credentials) = field.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then_some(())?;
        basic_name(credentials)
    };
    fields.next().is_some() || is_basic && name().is_none()
}

/// The name in credentials of RFC 7617 §2.
fn basic_name(credentials: &str) -> Option<String> {
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let login = decoded.split(|it| *it == b':').next()?;
    String::from_utf8(login.to_vec()).ok()
}

impl Claim {
    /// For fail2ban and the like, as at other listeners.
    pub(crate) fn tell_refused(&self, client: IpAddr) {
        let login: String = self.login.chars().take(SHOWN).collect();
        tracing::warn!(
            event = "login-failed",
            address = %client.to_canonical(),
            ?login,
            "somebody could not log in"
        );
    }
}

/// The `username` of Digest credentials (RFC 7616 §3.4); `None` for what is coded or hashed.
///
/// The server proves the name that it reads, and some read the last of two names, or the backslashes of a quoted string as they
/// are. So there is a name only where all read the same.
fn digest_name(credentials: &str) -> Option<String> {
    let names = credentials.to_ascii_lowercase().matches("username").count();
    if names != 1 || credentials.contains('\\') {
        return None;
    }
    let mut rest = credentials;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = if let Some(quoted) = after.trim_start().strip_prefix('"') {
            quoted_string(quoted)?
        } else {
            let end = after.find(',').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        if name.trim().eq_ignore_ascii_case("username") {
            return Some(value);
        }
        rest = after.trim_start().strip_prefix(',')?;
    }
}

/// What a quoted string says, without its first quote, and what comes after it.
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut said = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((said, &text[at + 1..])),
            '\\' => said.push(letters.next()?.1),
            _ => said.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(logins: &Logins, value: &str) -> Option<Claim> {
        let value = value.parse().unwrap();
        logins.claim(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn names_are_read_from_credentials() {
        let logins = Logins::new();
        let digest = r#"Digest realm="a, b=c", qop=auth, Username="u1", nc=00000001"#;
        for (value, expected) in [
            (basic("u1:secret"), Some("u1")),
            (basic("u1@example.org:a:b"), Some("u1@example.org")),
            (basic("u1"), Some("u1")),
            (digest.to_owned(), Some("u1")),
            // Servers differ in what they read here.
            (r#"Digest username="anna", username="u1""#.to_owned(), None),
            (
                r#"Digest username="anna", x="", USERNAME=u1"#.to_owned(),
                None,
            ),
            (
                r#"Digest username="anna", username*=UTF-8''u1"#.to_owned(),
                None,
            ),
            (
                r#"Digest realm="username=", username="u1""#.to_owned(),
                None,
            ),
            (
                r#"Digest x="\", username="anna", y="", username="u1""#.to_owned(),
                None,
            ),
            (r#"Digest username="an\na""#.to_owned(), None),
            ("Digest realm=\"a\"".to_owned(), None),
            ("Digest username=\"open".to_owned(), None),
            ("Basic %%%".to_owned(), None),
            ("Bearer abc".to_owned(), None),
            ("Basic".to_owned(), None),
        ] {
            let login = claim(&logins, &value).map(|it| it.login);
            assert_eq!(login.as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn nobody_has_two_names() {
        let logins = Logins::new();
        let mut headers = HeaderMap::new();
        for name in ["anna:right", "bo:right"] {
            let value = basic(name).parse().unwrap();
            headers.append(header::AUTHORIZATION, value);
        }
        assert!(logins.claim(&headers).is_none() && is_unreadable(&headers));
    }

    #[test]
    fn a_password_is_read_or_refused() {
        let right = basic("u1:guest");
        for (value, unreadable) in [
            (right.clone(), false),
            (right.replace("Basic", "bAsIc"), false),
            (right.replace("Basic ", "Basic  "), false),
            ("Bearer abc".to_owned(), false),
            ("Negotiate TlRMTVNT".to_owned(), false),
            (r"Digest username*=UTF-8''u1".to_owned(), false),
            (right.replace("Basic ", "Basic"), true),
            (right.replace("Basic ", "Basic\t"), true),
            (format!("{right}."), true),
            (right.trim_end_matches('=').to_owned(), right.ends_with('=')),
            (format!("Basic {}", STANDARD.encode(b"\xfc:guest")), true),
            ("Basic".to_owned(), true),
        ] {
            let field = value.parse().unwrap();
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, field)]);
            assert_eq!(is_unreadable(&headers), unreadable, "{value}");
        }
    }

    #[test]
    fn what_was_right_is_remembered_until_it_is_wrong() {
        let logins = Logins::new();
        let right = claim(&logins, &basic("u1:right")).unwrap();
        let wrong = claim(&logins, &basic("u1:wrong")).unwrap();
        logins.note_right(&right);
        assert!(logins.is_right(&right) && !logins.is_right(&wrong));
        logins.note_wrong(&right);
        assert!(!logins.is_right(&right));
        assert!(!claim(&Logins::new(), &basic("u1:right")).is_some_and(|it| it == right));
    }
}
