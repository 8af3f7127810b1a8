//! What forms of ours carry and other pages do not know.

use convoke_types::CalendarUser;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use uuid::Uuid;

/// What only this process knows.
pub(crate) struct FormSecret([Uuid; 3]);

impl Default for FormSecret {
    fn default() -> Self {
        Self([(); 3].map(|()| Uuid::now_v7()))
    }
}

impl FormSecret {
    /// What the forms of a user carry.
    pub(crate) fn token(&self, user: &CalendarUser) -> String {
        let mut digest = Sha256::new();
        for part in self.0 {
            digest.update(part.as_bytes());
        }
        digest.update(user.address.as_str());
        let mut hex = String::new();
        for octet in digest.finalize() {
            let _ = write!(hex, "{octet:02x}");
        }
        hex
    }

    /// Whether a token is that of the user.
    pub(crate) fn made(&self, user: &CalendarUser, token: &str) -> bool {
        // Digests of both, so that how long it takes says nothing.
        Sha256::digest(token) == Sha256::digest(self.token(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::UserId;

    #[test]
    fn a_token_is_one_users_and_one_hosts() {
        let user = |name: &str| {
            let address = format!("{name}@example.org").parse().unwrap();
            CalendarUser::new(UserId::new(name).unwrap(), address)
        };
        let (secret, other) = (FormSecret::default(), FormSecret::default());
        let token = secret.token(&user("anna"));
        assert!(secret.made(&user("anna"), &token));
        assert!(!secret.made(&user("bo"), &token) && !other.made(&user("anna"), &token));
        assert!(!secret.made(&user("anna"), ""));
    }
}
