//! Who hands in a message: HTTP Basic against an htpasswd file, or the token of this host.

mod attempts;
mod passwords;
mod passwords_file;

pub(crate) use attempts::Attempts;
pub(crate) use passwords_file::{addresses, remarks};

use crate::admission::RetryAfter;
use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_types::{CalendarAddress, Domain};
use http::{HeaderMap, header};
use moka::future::Cache;
use passwords::{Classes, Hash};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
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
    #[error("{}: cannot be read: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line is not `login:hash`.
    #[error("{}:{line}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl UsersError {
    /// The file.
    pub(crate) fn file(&self) -> &Path {
        match self {
            Self::Unreadable { file, .. } | Self::Line { file, .. } => file,
        }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Nobody said who they are, or they did not prove it.
    Unauthorized,
    /// They were not asked for a proof: too many attempts failed, or are being made.
    RetryAfter(RetryAfter),
}

impl From<RetryAfter> for Denied {
    fn from(later: RetryAfter) -> Self {
        Self::RetryAfter(later)
    }
}

/// Who may hand in messages.
pub struct Users {
    token: String,
    /// The htpasswd file, and the domain of logins in it without one.
    file: Option<(PathBuf, Domain)>,
    logins: ArcSwap<Logins>,
    /// Passwords that were right a short while ago, by a digest: hashes are slow on purpose.
    recent: Cache<[u8; 32], ()>,
    attempts: Arc<Attempts>,
}

/// What the htpasswd file says.
struct Logins {
    /// By [`key`].
    hashes: HashMap<String, Hash>,
    /// Keys by what stands before the `@`; `None` where several users share it.
    local_parts: HashMap<String, Option<String>>,
    classes: Arc<Classes>,
}

/// As whom browsers log in with the token of this host as their password.
const TOKEN: &str = "token";

const RECENT: Duration = Duration::from_secs(300);
const MAX_RECENT: u64 = 10_000;
/// A login that is shown in the log is cut off here, in characters.
const SHOWN: usize = 100;

impl Users {
    /// The users of an htpasswd file, if there is one, and whoever knows the token.
    ///
    /// A login without `@` is one of `domain`. `attempts` go on over a reload.
    pub(crate) fn new(
        token: String,
        file: Option<&Path>,
        domain: &Domain,
        attempts: Arc<Attempts>,
    ) -> Result<Self, UsersError> {
        let hashes = match file {
            None => HashMap::new(),
            Some(path) => read_file(path, domain)?,
        };
        Ok(Self {
            file: file.map(|path| (path.to_owned(), domain.clone())),
            ..Self::with(token, hashes, attempts)
        })
    }

    fn with(
        token: String,
        hashes: HashMap<CalendarAddress, Hash>,
        attempts: Arc<Attempts>,
    ) -> Self {
        Self {
            token,
            file: None,
            logins: ArcSwap::from_pointee(Logins::new(hashes)),
            recent: Cache::builder()
                .max_capacity(MAX_RECENT)
                .time_to_live(RECENT)
                .build(),
            attempts,
        }
    }

    /// Reads the file again, which takes a while; who logs in meanwhile does so by what it said before. What cannot be used
    /// changes nothing.
    pub(crate) fn read_again(&self) -> Result<(), UsersError> {
        if let Some((path, domain)) = &self.file {
            let hashes = read_file(path, domain)?;
            self.logins.store(Arc::new(Logins::new(hashes)));
        }
        Ok(())
    }
}

impl Logins {
    fn new(hashes: HashMap<CalendarAddress, Hash>) -> Self {
        let mut local_parts = HashMap::new();
        for address in hashes.keys() {
            if let Some(local) = address.mailbox_name() {
                local_parts
                    .entry(local.into_owned())
                    .and_modify(|taken| *taken = None)
                    .or_insert_with(|| Some(address.to_string()));
            }
        }
        Self {
            classes: Arc::new(Classes::of(hashes.values())),
            hashes: (hashes.into_iter())
                .map(|(address, hash)| (key(&address), hash))
                .collect(),
            local_parts,
        }
    }

    /// Whom a login names, whether there is such a user or not.
    fn address(&self, login: &str) -> Option<CalendarAddress> {
        let named = CalendarAddress::new(login).ok();
        named.or_else(|| self.local_parts.get(login)?.as_ref()?.parse().ok())
    }
}

impl Users {
    /// Who the request from `address` says it is from, if it proves that.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
    ) -> Result<Submitter, Denied> {
        let Some(field) = headers.get(header::AUTHORIZATION) else {
            // Nobody has tried anything yet.
            return Err(Denied::Unauthorized);
        };
        let (scheme, credentials) = (field.to_str().ok())
            .and_then(|field| field.split_once(' '))
            .unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") {
            if Sha256::digest(credentials.trim()) == Sha256::digest(&self.token) {
                return Ok(Submitter::Local);
            }
        } else if scheme.eq_ignore_ascii_case("basic")
            && let Some((login, password)) = decoded(credentials)
        {
            if login == TOKEN && Sha256::digest(&password) == Sha256::digest(&self.token) {
                return Ok(Submitter::Local);
            }
            return self.log_in(&login, &password, address).await;
        }
        // It says nothing about any user, so it may be answered at once.
        self.attempts.check_login(address, "")?;
        let guess = self.attempts.guess(&[field.as_bytes()]);
        if self.attempts.failed(address, guess) {
            tell(address, scheme);
        }
        Err(Denied::Unauthorized)
    }

    async fn log_in(
        &self,
        login: &str,
        password: &str,
        address: IpAddr,
    ) -> Result<Submitter, Denied> {
        let logins = self.logins.load_full();
        let user = logins.address(login);
        let key = user.as_ref().map(key).unwrap_or_default();
        // Before anything is looked up, so that nothing is learned while one has to wait.
        self.attempts.check_login(address, &key)?;
        let own = logins.hashes.get(&key).cloned();
        let digest = (own.as_ref()).map(|own| digest(&self.token, own.text(), password));
        if let (Some(digest), Some(user)) = (&digest, &user)
            && self.recent.get(digest).await.is_some()
        {
            return Ok(Submitter::User(user.clone()));
        }
        // With the hash, as the password may have been changed to it since.
        let hash = own.as_ref().map_or("", Hash::text);
        let guess = [login, hash, password].map(str::as_bytes);
        let guess = self.attempts.guess(&guess);
        if self.attempts.is_wrong_again(address, &key, guess) {
            return Err(Denied::Unauthorized);
        }
        let attempt = self.attempts.begin(address, &key).await?;
        let (classes, password) = (logins.classes.clone(), password.to_owned());
        let verified =
            tokio::task::spawn_blocking(move || classes.verify(own.as_ref(), &password)).await;
        match (user, digest) {
            (Some(user), Some(digest)) if verified.unwrap_or(false) => {
                self.recent.insert(digest, ()).await;
                attempt.succeeded(&key);
                Ok(Submitter::User(user))
            }
            _ => {
                if attempt.failed(guess) {
                    tell(address, login);
                }
                Err(Denied::Unauthorized)
            }
        }
    }
}

/// For fail2ban and the like. The login comes last and in quotes: nothing in it can look like an address of ours.
fn tell(address: IpAddr, login: &str) {
    let login: String = login.chars().take(SHOWN).collect();
    tracing::warn!(
        event = "login-failed",
        address = %address.to_canonical(),
        ?login,
        "somebody could not log in"
    );
}

/// What is the same for one user, however it is written.
fn key(address: &CalendarAddress) -> String {
    if address.local_part().is_some() {
        address.as_str().to_ascii_lowercase()
    } else {
        address.as_str().to_owned()
    }
}

fn decoded(credentials: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (login, password) = decoded.split_once(':')?;
    Some((login.to_owned(), password.to_owned()))
}

/// With a secret, so that the memory of this process is no shorter way to the password than the file.
fn digest(secret: &str, hash: &str, password: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [secret, hash, password] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Reads an htpasswd file.
fn read_file(path: &Path, domain: &Domain) -> Result<HashMap<CalendarAddress, Hash>, UsersError> {
    let logins = passwords_file::read(path, domain)?;
    Ok(logins.into_iter().map(|it| (it.address, it.hash)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Arc<Users> {
        let logins =
            passwords_file::parse(text, Path::new("users"), &"example.org".parse().unwrap());
        let logins = logins.unwrap().into_iter();
        let hashes = logins.map(|it| (it.address, it.hash)).collect();
        Arc::new(Users::with("secret".to_owned(), hashes, Arc::default()))
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

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
            let submitter = users.identify(&basic(login, password), HERE).await.ok();
            assert_eq!(submitter.as_ref(), expected, "{login} {password}");
        }
    }

    #[tokio::test]
    async fn the_token_logs_in_a_local_service() {
        let users = users("");
        assert_eq!(
            users.identify(&basic("token", "secret"), HERE).await,
            Ok(Submitter::Local)
        );
        let bearer = |token: &str| {
            HeaderMap::from_iter([(
                header::AUTHORIZATION,
                format!("Bearer {token}").parse().unwrap(),
            )])
        };
        assert_eq!(
            users.identify(&bearer("secret"), HERE).await,
            Ok(Submitter::Local)
        );
        for wrong in [bearer("secre"), basic("token", "secre"), HeaderMap::new()] {
            let denied = users.identify(&wrong, HERE).await;
            assert_eq!(denied, Err(Denied::Unauthorized));
        }
    }

    /// What is remembered makes nobody's guesses cheaper, and guesses nobody's log-in slower.
    #[tokio::test]
    async fn guesses_are_slowed_and_those_who_know_are_not() {
        let hash = bcrypt::hash("right", 4).unwrap();
        let users = users(&format!("anna:{hash}\nbo:{hash}\n"));
        let log_in = |login: &'static str, password: &'static str| {
            let (users, headers) = (users.clone(), basic(login, password));
            async move { users.identify(&headers, HERE).await }
        };
        assert!(log_in("anna", "right").await.is_ok());
        // The same again says nothing new.
        for password in ["1", "2", "3", "4", "4", "4", "4", "5"] {
            let denied = log_in("nobody", password).await;
            assert_eq!(denied, Err(Denied::Unauthorized), "{password}");
        }
        for (login, password) in [("nobody", "wrong"), ("bo", "right"), ("", "")] {
            let denied = log_in(login, password).await;
            assert!(matches!(denied, Err(Denied::RetryAfter(_))), "{denied:?}");
        }
        assert!(log_in("anna", "right").await.is_ok());
        let token = HeaderMap::from_iter([(
            header::AUTHORIZATION,
            http::HeaderValue::from_static("Bearer secret"),
        )]);
        assert!(users.identify(&token, HERE).await.is_ok());
    }

    /// Somebody may type a new password before it is the new one.
    #[tokio::test]
    async fn what_was_wrong_may_be_right_once_the_file_says_so() {
        let attempts = Arc::new(Attempts::default());
        let users = |password: &str| {
            let hash = Hash::read(&bcrypt::hash(password, 4).unwrap()).unwrap();
            let anna = "anna@example.org".parse().unwrap();
            let hashes = HashMap::from([(anna, hash)]);
            Users::with("secret".to_owned(), hashes, attempts.clone())
        };
        let headers = basic("anna", "new");
        for _ in 0..2 {
            let denied = users("old").identify(&headers, HERE).await;
            assert_eq!(denied, Err(Denied::Unauthorized));
        }
        assert!(users("new").identify(&headers, HERE).await.is_ok());
    }
}
