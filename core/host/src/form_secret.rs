//! What forms of ours carry and other pages do not know.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What only this process knows.
pub(crate) struct FormSecret([Uuid; 3]);

impl Default for FormSecret {
    fn default() -> Self {
        Self([(); 3].map(|()| Uuid::now_v7()))
    }
}

impl FormSecret {
    /// What the forms carry of who goes by that name here.
    pub(crate) fn token(&self, who: &str) -> String {
        let mut digest = Sha256::new();
        for part in self.0 {
            digest.update(part.as_bytes());
        }
        digest.update(who);
        hex::encode(digest.finalize())
    }

    /// Whether a token is theirs.
    pub(crate) fn made(&self, who: &str, token: &str) -> bool {
        // Digests of both, so that how long it takes says nothing.
        Sha256::digest(token) == Sha256::digest(self.token(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_users_and_one_hosts() {
        let (secret, other) = (FormSecret::default(), FormSecret::default());
        let token = secret.token("anna");
        assert!(secret.made("anna", &token));
        assert!(!secret.made("bo", &token) && !other.made("anna", &token));
        assert!(!secret.made("anna", ""));
    }
}
