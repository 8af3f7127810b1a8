//! Who we are to a server: Basic (RFC 7617) and Digest (RFC 7616), with a password from a file.
//!
//! The password is in no log and in no `Debug`. The host reads the file, and refuses one that others on the machine may
//! read: when it is first needed, and again whenever the server refuses what was in it, so a new password needs no restart.

use base64::{Engine, prelude::BASE64_STANDARD};
use convoke_sdk::{Secret, prelude::*};
use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};
use http::{HeaderMap, HeaderValue, Method, header::WWW_AUTHENTICATE};
use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A name and a password.
pub(crate) struct Login {
    host: Host,
    username: String,
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    password: Option<Secret>,
    scheme: Scheme,
}

/// What the server wants, as far as it is known.
#[derive(Clone, Default)]
enum Scheme {
    #[default]
    Unknown,
    Basic,
    Digest(Box<WwwAuthenticateHeader>),
}

/// Whether a password may be sent before the server has asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Nobody else reads it: TLS, or loopback.
    Private,
    /// Then a server that takes Digest must not be shown the password.
    Plain,
}

/// What came of a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is something new to try.
    TryAgain,
    /// The server does not take this name and password.
    Refused,
    /// It wants a scheme that is not spoken here.
    UnknownScheme,
}

impl Login {
    pub(crate) fn new(host: Host, username: String, file: PathBuf) -> Self {
        Self {
            host,
            username,
            file,
            state: Mutex::default(),
        }
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// The value of `Authorization` for a request; `None` while the server has to be asked what it wants.
    pub(crate) async fn authorization(
        &self,
        wire: Wire,
        method: &Method,
        path: &str,
    ) -> Result<Option<HeaderValue>> {
        if self.state().password.is_none() {
            let password = self.read().await?;
            self.state().password = Some(password);
        }
        let mut state = self.state();
        let State { password, scheme } = &mut *state;
        let password = match password {
            Some(secret) => first_line(secret)?,
            None => "",
        };
        let text = match scheme {
            Scheme::Unknown if wire == Wire::Plain => return Ok(None),
            Scheme::Unknown | Scheme::Basic => {
                let pair = BASE64_STANDARD.encode(format!("{}:{password}", self.username));
                format!("Basic {pair}")
            }
            Scheme::Digest(challenge) => {
                let method = HttpMethod::from(method.as_str());
                let context = AuthContext::new_with_method(
                    &self.username,
                    password,
                    path,
                    None::<&[u8]>,
                    method,
                );
                let answer = challenge.respond(&context);
                answer
                    .map_err(|error| Error::unavailable(format!("Digest failed: {error}")))?
                    .to_header_string()
            }
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Error::invalid("a user name or password has a control character"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Takes note of a 401; `sent` is whether the request carried a password.
    pub(crate) async fn refused(&self, headers: &HeaderMap, sent: bool) -> Result<Next> {
        let challenges: Vec<&str> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let Some(wanted) = Scheme::wanted(&challenges) else {
            return Ok(Next::UnknownScheme);
        };
        let password = self.read().await?;
        let mut state = self.state();
        let old = state.password.as_ref().map(Secret::bytes);
        let new = old != Some(password.bytes());
        // A server forgets its nonces; the first refusal of one says nothing of the password.
        let other = match (&state.scheme, &wanted) {
            (Scheme::Digest(old), Scheme::Digest(new)) => old.nonce != new.nonce,
            (Scheme::Digest(_), _) | (_, Scheme::Digest(_)) => true,
            _ => !sent,
        };
        *state = State {
            password: Some(password),
            scheme: wanted,
        };
        Ok(if new || other {
            Next::TryAgain
        } else {
            Next::Refused
        })
    }

    async fn read(&self) -> Result<Secret> {
        let (host, file) = (self.host.clone(), self.file.clone());
        let read = tokio::task::spawn_blocking(move || host.secret(file)).await;
        let read =
            read.map_err(|error| Error::internal(format!("a password is not read: {error}")))?;
        let secret = read.map_err(|error| self.unreadable(error.message()))?;
        if first_line(&secret)?.is_empty() {
            let file = self.file.display();
            return Err(self.unreadable(&format!("{file}: its first line is empty")));
        }
        Ok(secret)
    }

    /// Whoever mends the file need not restart anything, so this may be tried again.
    fn unreadable(&self, why: &str) -> Error {
        Error::unavailable(format!(
            "{why}; the first line of the file must hold the password of `{}`, and the user that runs convoke must be able to \
             read it",
            self.username
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A password file may say more below the password.
fn first_line(secret: &Secret) -> Result<&str> {
    Ok(secret.text()?.lines().next().unwrap_or_default())
}

impl Scheme {
    /// The best of what the server offers: Digest before Basic, as it does not show the password.
    fn wanted(challenges: &[&str]) -> Option<Self> {
        let digest = challenges
            .iter()
            .filter_map(|text| text.get(find(text, "digest ")?..))
            .filter_map(|text| digest_auth::parse(text).ok())
            .next_back();
        if let Some(challenge) = digest {
            return Some(Self::Digest(Box::new(challenge)));
        }
        let basic = challenges.iter().any(|text| find(text, "basic").is_some());
        basic.then_some(Self::Basic)
    }
}

/// Where a scheme's challenge begins in a header that may hold several (RFC 9110 §11.6.1).
fn find(header: &str, scheme: &str) -> Option<usize> {
    let header = header.to_ascii_lowercase();
    let mut places = header.match_indices(scheme).map(|(at, _)| at);
    places.find(|at| {
        let before = header[..*at].trim_end();
        before.is_empty() || before.ends_with(',')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_preferred_wherever_it_stands() {
        const DIGEST: &str = "Digest realm=\"a, basic\", nonce=\"n\", qop=\"auth\"";
        let is_digest =
            |challenges: &[&str]| matches!(Scheme::wanted(challenges), Some(Scheme::Digest(_)));
        assert!(is_digest(&[DIGEST]));
        assert!(is_digest(&["Basic realm=\"a\"", DIGEST]));
        assert!(is_digest(&[&format!("Basic realm=\"a\", {DIGEST}")]));
        assert!(matches!(
            Scheme::wanted(&["basic realm=\"digest\""]),
            Some(Scheme::Basic)
        ));
        assert!(Scheme::wanted(&["Negotiate"]).is_none());
        assert!(Scheme::wanted(&[]).is_none());
    }
}
