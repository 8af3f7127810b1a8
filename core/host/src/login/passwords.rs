//! Hashes of passwords, and what it costs to compare with one.
//!
//! Whoever guesses must not see from the time it takes whether there is such a user. So an attempt that fails costs the
//! same whomever it names: one verification for each kind and cost of hash in the file, with the user's own hash among
//! them or not.

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use std::collections::HashMap;

/// The hash of one user's password.
#[derive(Clone, Debug)]
pub(super) struct Hash {
    text: String,
    class: Class,
}

/// What takes equally long to verify: `2b$10`, `argon2id$v=19$m=65536,t=3,p=4`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Class(String);

impl Hash {
    /// A line's hash, if it is one that we can verify.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let class = if is_bcrypt(text) {
            let parts = text.parse::<bcrypt::HashParts>();
            let parts = parts.map_err(|_| "the bcrypt hash is broken")?;
            // The letter after the 2 costs nothing.
            format!("bcrypt${}", parts.get_cost())
        } else if text.starts_with("$argon2") {
            let hash = PasswordHash::new(text).map_err(|_| "the argon2 hash is broken")?;
            if hash.salt.is_none() || hash.hash.is_none() {
                return Err("the argon2 hash is cut off");
            }
            format!("{}${}", hash.algorithm, hash.params)
        } else {
            return Err(instead(text));
        };
        Ok(Self {
            text: text.to_owned(),
            class: Class(class),
        })
    }

    /// Why it can be guessed faster than it should.
    pub(super) fn weakness(&self) -> Option<String> {
        let parts = self.text.parse::<bcrypt::HashParts>().ok()?;
        let cost = parts.get_cost();
        (cost < LEAST_COST).then(|| {
            format!("bcrypt at cost {cost}, where {LEAST_COST} is the least that guessing takes long enough by")
        })
    }

    /// As it stands in the file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn verify(&self, password: &str) -> bool {
        if is_bcrypt(&self.text) {
            return bcrypt::verify(password, &self.text).unwrap_or(false);
        }
        PasswordHash::new(&self.text).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    }
}

/// The bcrypt cost below which a stolen file is guessed too fast.
const LEAST_COST: u32 = 10;

/// What stands where a hash should.
fn instead(text: &str) -> &'static str {
    let is_des = text.len() == 13
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"./".contains(&it))
        && text
            .bytes()
            .any(|it| it.is_ascii_digit() || b"./".contains(&it));
    if text.starts_with("{SHA}") {
        "this is SHA-1, without a salt, which is guessed at once; bcrypt or argon2 is wanted"
    } else if text.starts_with("$apr1$") || text.starts_with("$1$") {
        "this is MD5, which is guessed fast; bcrypt or argon2 is wanted"
    } else if text.starts_with('$') {
        "this is crypt of another kind than bcrypt or argon2, which are wanted"
    } else if text.starts_with('{') {
        "this is a hash as LDAP has it; bcrypt or argon2 is wanted"
    } else if is_des {
        "this is DES crypt, which is guessed at once; bcrypt or argon2 is wanted"
    } else if text.is_empty() {
        "there is no password"
    } else {
        "this is a password in the clear, or a hash that is not known; bcrypt or argon2 is wanted"
    }
}

fn is_bcrypt(text: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
}

/// One hash of each class; who has it does not matter, as what comes out is thrown away.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes(HashMap<Class, Hash>);

impl Classes {
    pub(super) fn of<'a>(hashes: impl Iterator<Item = &'a Hash>) -> Self {
        let mut classes = HashMap::new();
        for hash in hashes {
            classes
                .entry(hash.class.clone())
                .or_insert_with(|| hash.clone());
        }
        Self(classes)
    }

    /// Whether the password is that of `own`, in a time that does not depend on whether there is an `own`, if it is not.
    pub(super) fn verify(&self, own: Option<&Hash>, password: &str) -> bool {
        if own.is_some_and(|own| own.verify(password)) {
            return true;
        }
        for (class, hash) in &self.0 {
            if own.is_none_or(|own| own.class != *class) {
                std::hint::black_box(hash.verify(password));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_what_costs_the_same() {
        let bcrypt = |cost| Hash::read(&bcrypt::hash("x", cost).unwrap()).unwrap();
        let hashes = [bcrypt(4), bcrypt(4), bcrypt(5)];
        assert_eq!(hashes[0].class, hashes[1].class);
        let other_letter = hashes[0].text.replace("$2b$", "$2y$");
        assert_eq!(Hash::read(&other_letter).unwrap().class, hashes[0].class);
        assert_eq!(Classes::of(hashes.iter()).0.len(), 2);
    }

    #[test]
    fn only_the_own_hash_counts() {
        let [own, other] =
            ["right", "other"].map(|it| Hash::read(&bcrypt::hash(it, 4).unwrap()).unwrap());
        let classes = Classes::of([&other].into_iter());
        assert!(classes.verify(Some(&own), "right"));
        assert!(!classes.verify(Some(&own), "other"));
        assert!(!classes.verify(None, "other"), "whoever has it");
    }

    #[test]
    fn broken_hashes_are_not_read() {
        for text in ["{SHA}abc", "$2b$10$short", "$argon2id$broken", ""] {
            assert!(Hash::read(text).is_err(), "{text}");
        }
    }
}
