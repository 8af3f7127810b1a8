//! Which domains are asked for an address (spec §3).

use convoke_sdk::Domain;

/// The domain and those above it, down to the registered one; none if the domain is a public suffix of the registries
/// (`co.uk`), which speaks for nobody.
pub(crate) fn to_ask(domain: &Domain) -> impl Iterator<Item = Domain> {
    let registered = psl::domain_str(domain.as_str()).map(str::to_owned);
    let suffix = psl::suffix(domain.as_str().as_bytes());
    let is_suffix = registered.is_none()
        && suffix.is_some_and(|it| it.is_known() && it.typ() == Some(psl::Type::Icann));
    let first = (!is_suffix).then(|| domain.clone());
    // What is registered nowhere (`lab.internal` is, by the list's last rule; `intranet` is not) has nothing above it.
    let last = registered.unwrap_or_else(|| domain.to_string());
    std::iter::successors(first, move |domain| {
        (domain.as_str() != last).then(|| domain.parent()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_domains_are_climbed_but_no_public_suffix_is_asked() {
        for (domain, expected) in [
            ("example.org", &["example.org"][..]),
            (
                "a.b.example.co.uk",
                &["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"],
            ),
            ("co.uk", &[]),
            ("org", &[]),
            // Somebody's own domain, though others register below it.
            ("github.io", &["github.io"]),
            ("x.anna.github.io", &["x.anna.github.io", "anna.github.io"]),
            ("host.lab.internal", &["host.lab.internal", "lab.internal"]),
            ("intranet", &["intranet"]),
        ] {
            let asked: Vec<_> = to_ask(&domain.parse().unwrap())
                .map(|it| it.to_string())
                .collect();
            assert_eq!(asked, expected, "{domain}");
        }
    }
}
