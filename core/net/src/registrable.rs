//! Which domains anybody can register, and which one somebody has registered: the Public Suffix List.
//!
//! Below a public suffix (`com`, `co.uk`, `github.io`) live strangers to each other, so nobody speaks for one: no
//! certificate and no signature for it proves anything. A single label that the list does not know (`localhost`,
//! `intranet`, a top-level domain of a test) may be somebody's own machine: it speaks for itself, and for nothing below.

use convoke_types::Domain;

/// Whether the list has the domain as a public suffix.
pub fn is_public_suffix(domain: &Domain) -> bool {
    let is_suffix = psl::domain_str(domain.as_str()).is_none();
    let listed = psl::suffix(domain.as_str().as_bytes()).is_some_and(|suffix| suffix.is_known());
    is_suffix && listed
}

/// The domain that its owner registered: `example.co.uk` for `cal.example.co.uk`; the domain itself where nobody can
/// have registered one above it.
pub fn registrable(domain: &Domain) -> Domain {
    psl::domain_str(domain.as_str())
        .and_then(|registered| Domain::new(registered).ok())
        .unwrap_or_else(|| domain.clone())
}

/// Whether who proved to be `proven` speaks for `domain` (spec §6): the same or one below it, but for nobody if
/// `proven` is a public suffix, and for itself alone if it is a single label.
pub fn speaks_for(proven: &Domain, domain: &Domain) -> bool {
    if is_public_suffix(proven) {
        return false;
    }
    let is_registered = psl::domain_str(proven.as_str()).is_some();
    domain == proven || is_registered && domain.is_within(proven)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::new(text).unwrap()
    }

    #[test]
    fn nobody_speaks_for_a_public_suffix() {
        for suffix in [
            "com",
            "COM.",
            "co.uk",
            // Of the private section: strangers live below it.
            "github.io",
            "blogspot.com",
            // By a wildcard rule.
            "foo.ck",
            "рф",
            "xn--p1ai",
            "公司.cn",
            "xn--55qx5d.cn",
        ] {
            let suffix = domain(suffix);
            assert!(is_public_suffix(&suffix), "{suffix}");
            assert!(!speaks_for(&suffix, &suffix), "{suffix}");
            let below = domain(&format!("bank.{suffix}"));
            assert!(!speaks_for(&suffix, &below), "{below}");
            assert!(speaks_for(&below, &below), "{below}");
        }
    }

    #[test]
    fn a_domain_speaks_for_itself_and_those_below() {
        for (proven, other, speaks) in [
            ("example.com", "example.com", true),
            ("example.com", "lab.example.com", true),
            ("lab.example.com", "example.com", false),
            ("example.com", "evil-example.com", false),
            ("anna.github.io", "x.anna.github.io", true),
            // An exception of a wildcard rule.
            ("www.ck", "x.www.ck", true),
            // A top-level domain that the list does not know.
            ("harbour.example", "lab.harbour.example", true),
            ("example", "harbour.example", false),
            ("example", "example", true),
            ("localhost", "localhost", true),
            ("localhost", "x.localhost", false),
            ("ck", "bank.ck", false),
        ] {
            let speaks_for = speaks_for(&domain(proven), &domain(other));
            assert_eq!(speaks_for, speaks, "{proven} for {other}");
        }
    }

    #[test]
    fn sub_domains_fold_to_what_was_registered() {
        for (of, registered) in [
            ("a.b.example.com", "example.com"),
            ("example.com", "example.com"),
            ("x.example.co.uk", "example.co.uk"),
            ("x.anna.github.io", "anna.github.io"),
            ("x.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
            ("lab.harbour.example", "harbour.example"),
            ("localhost", "localhost"),
            ("com", "com"),
        ] {
            assert_eq!(registrable(&domain(of)), domain(registered), "{of}");
        }
    }
}
