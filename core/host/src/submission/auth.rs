//! Who hands in a message: HTTP Basic against an htpasswd file, or the token of this host.

use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_types::{CalendarAddress, Domain};
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt, fs, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Somebody who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitter {
    /// Somebody who can read the state folder of this host.
    Local,
    /// A user of the htpasswd file.
    User(CalendarAddress),
}

impl fmt::Display for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("a local service"),
            Self::User(address) => write!(f, "{address}"),
        }
    }
}

/// The administrator's htpasswd file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// A line is not `login:hash`.
    #[error("{file}:{line}: {problem}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// Who may hand in messages.
pub struct Users {
    token: String,
    hashes: HashMap<CalendarAddress, String>,
    /// Passwords that were right a short while ago, by a digest: hashes are slow on purpose.
    recent: Mutex<HashMap<[u8; 32], Instant>>,
}

const RECENT: Duration = Duration::from_secs(300);
const MAX_RECENT: usize = 10_000;

/// The hash that is tried for a login that does not exist, so that it takes as long as one that does.
const NOBODY: &str = "$2b$10$CwTycUXWue0Thq9StjUM0uJ8.z8Vb1xPqO1m1mBqjRZ0eqs8ZQe4K";

impl Users {
    /// The users of an htpasswd file, if there is one, and whoever knows the token.
    ///
    /// A login without `@` is one of `domain`.
    pub fn new(token: String, file: Option<&Path>, domain: &Domain) -> Result<Self, UsersError> {
        let hashes = match file {
            None => HashMap::new(),
            Some(path) => {
                let file = path.display().to_string();
                let text = fs::read_to_string(path).map_err(|error| UsersError::Unreadable {
                    file: file.clone(),
                    error,
                })?;
                read(&text, &file, domain)?
            }
        };
        Ok(Self {
            token,
            hashes,
            recent: Mutex::default(),
        })
    }

    /// Who the request says it is from, if it proves that.
    pub async fn identify(self: &Arc<Self>, headers: &HeaderMap) -> Option<Submitter> {
        let field = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, credentials) = field.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            let same = Sha256::digest(credentials.trim()) == Sha256::digest(&self.token);
            return same.then_some(Submitter::Local);
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
        let (login, password) = decoded.split_once(':')?;
        let address = CalendarAddress::new(login)
            .ok()
            .or_else(|| self.by_local_part(login))?;
        self.check(&address, password)
            .await
            .then_some(Submitter::User(address))
    }

    fn by_local_part(&self, login: &str) -> Option<CalendarAddress> {
        let mut found = self
            .hashes
            .keys()
            .filter(|address| address.local_part() == Some(login));
        found.next().filter(|_| found.next().is_none()).cloned()
    }

    async fn check(self: &Arc<Self>, address: &CalendarAddress, password: &str) -> bool {
        let known = self
            .hashes
            .iter()
            .find(|(user, _)| user.same_user(address))
            .map(|(_, hash)| hash);
        let hash = known.map_or(NOBODY, String::as_str);
        let digest = digest(hash, password);
        if known.is_some() && self.is_recent(&digest) {
            return true;
        }
        let (hash, password) = (hash.to_owned(), password.to_owned());
        let right = tokio::task::spawn_blocking(move || verify(&hash, &password))
            .await
            .unwrap_or(false);
        let right = right && known.is_some();
        if right {
            self.remember(digest);
        }
        right
    }

    fn is_recent(&self, digest: &[u8; 32]) -> bool {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent
            .get(digest)
            .is_some_and(|since| since.elapsed() < RECENT)
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= MAX_RECENT {
            recent.clear();
        }
        recent.insert(digest, Instant::now());
    }
}

fn digest(hash: &str, password: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(hash)
        .chain_update([0])
        .chain_update(password)
        .finalize()
        .into()
}

fn read(
    text: &str,
    file: &str,
    domain: &Domain,
) -> Result<HashMap<CalendarAddress, String>, UsersError> {
    let mut hashes = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |problem: String| UsersError::Line {
            file: file.to_owned(),
            line: number + 1,
            problem,
        };
        let (login, hash) = line.split_once(':').ok_or_else(|| {
            wrong("this is not `login:hash`; `htpasswd -B` writes such lines".to_owned())
        })?;
        let login = if login.contains('@') {
            login.to_owned()
        } else {
            format!("{login}@{domain}")
        };
        let address = CalendarAddress::new(&login).map_err(|error| wrong(error.to_string()))?;
        if !is_bcrypt(hash) && !hash.starts_with("$argon2") {
            let text =
                "the password is neither bcrypt nor argon2; make the line anew with `htpasswd -B`";
            return Err(wrong(text.to_owned()));
        }
        hashes.insert(address, hash.to_owned());
    }
    Ok(hashes)
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"]
        .iter()
        .any(|prefix| hash.starts_with(prefix))
}

fn verify(hash: &str, password: &str) -> bool {
    use argon2::{Argon2, PasswordHash, PasswordVerifier};
    if is_bcrypt(hash) {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Arc<Users> {
        let hashes = read(text, "users", &"example.org".parse().unwrap()).unwrap();
        Arc::new(Users {
            token: "secret".to_owned(),
            hashes,
            recent: Mutex::default(),
        })
    }

    fn basic(login: &str, password: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(format!("{login}:{password}")));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[tokio::test]
    async fn a_right_password_logs_in_and_a_wrong_one_does_not() {
        let hash = bcrypt::hash("right", 4).unwrap();
        let users = users(&format!("# people\nanna:{hash}\n"));
        let anna = Submitter::User("anna@example.org".parse().unwrap());
        for (login, password, expected) in [
            ("anna@example.org", "right", Some(&anna)),
            ("anna@example.org", "right", Some(&anna)), // remembered
            ("anna", "right", Some(&anna)),
            ("anna@example.org", "wrong", None),
            ("bo@example.org", "right", None),
            ("", "", None),
        ] {
            let submitter = users.identify(&basic(login, password)).await;
            assert_eq!(submitter.as_ref(), expected, "{login} {password}");
        }
    }

    #[tokio::test]
    async fn the_token_logs_in_a_local_service() {
        let users = users("");
        let bearer = |token: &str| {
            HeaderMap::from_iter([(
                header::AUTHORIZATION,
                format!("Bearer {token}").parse().unwrap(),
            )])
        };
        assert_eq!(
            users.identify(&bearer("secret")).await,
            Some(Submitter::Local)
        );
        assert_eq!(users.identify(&bearer("secre")).await, None);
        assert_eq!(users.identify(&HeaderMap::new()).await, None);
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named() {
        for (text, expected) in [
            ("anna", "users:1: this is not"),
            ("\nanna:{SHA}abc", "users:2: the password is neither"),
        ] {
            let error = read(text, "users", &"example.org".parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
