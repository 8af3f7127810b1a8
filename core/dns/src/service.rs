//! What is read of the records of a service.

use convoke_types::Domain;

/// A server of a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Lower ones come first.
    pub priority: u16,
    /// Share among those of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, without a dot at the end; empty if the service is decidedly not offered.
    pub target: String,
}

/// The servers of a service in the order to try them in (RFC 2782): by priority, and among equals by chance, as their
/// weights say. Empty if the service is decidedly not offered (the only target is the root).
pub fn in_order(mut servers: Vec<Server>) -> Vec<Server> {
    servers.retain(|server| !server.target.is_empty());
    // Those without weight come first, so that they have a small chance too.
    servers.sort_by_key(|server| (server.priority, server.weight));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(priority) = servers.first().map(|server| server.priority) {
        let equals = servers
            .iter()
            .take_while(|server| server.priority == priority);
        let total: u32 = equals.map(|server| u32::from(server.weight)).sum();
        let mut chance = fastrand::u32(0..=total);
        let place = servers.iter().position(|server| {
            let weight = u32::from(server.weight);
            let chosen = chance <= weight;
            chance = chance.saturating_sub(weight);
            chosen
        });
        ordered.push(servers.remove(place.unwrap_or(0)));
    }
    ordered
}

/// The value of `path=` in a TXT record (RFC 6763 §6.4: the key in any case); `None` if the record is about something else.
pub fn path(text: &str) -> Option<&str> {
    let (key, value) = text.split_once('=')?;
    (key.eq_ignore_ascii_case("path") && value.starts_with('/')).then_some(value)
}

/// Which domains are asked for a service of `domain`: itself and those above it, down to the registered one; none if it is a
/// public suffix of the registries (`co.uk`), which speaks for nobody.
pub fn domains_to_ask(domain: &Domain) -> impl Iterator<Item = Domain> {
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

    fn server(priority: u16, weight: u16, target: &str) -> Server {
        Server {
            priority,
            weight,
            port: 443,
            target: target.to_owned(),
        }
    }

    #[test]
    fn servers_come_by_priority_and_share_by_weight() {
        let servers = vec![
            server(20, 0, "last"),
            server(10, 0, "seldom"),
            server(10, 30, "often"),
            server(10, 10, "now-and-then"),
        ];
        let mut first = std::collections::HashMap::<String, u32>::new();
        for _ in 0..4000 {
            let ordered = in_order(servers.clone());
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3].target, "last");
            *first.entry(ordered[0].target.clone()).or_default() += 1;
        }
        // Of 41 chances one, 30 and 10: some hundred times the deviation away from the bounds.
        assert!((1..400).contains(&first["seldom"]), "{first:?}");
        assert!((2600..3300).contains(&first["often"]), "{first:?}");
        assert!((700..1300).contains(&first["now-and-then"]), "{first:?}");
    }

    #[test]
    fn the_root_offers_nothing() {
        assert_eq!(in_order(vec![server(0, 0, "")]), []);
        assert_eq!(in_order(Vec::new()), []);
    }

    #[test]
    fn a_path_is_absolute_and_its_key_has_no_case() {
        for (text, expected) in [
            ("path=/x", Some("/x")),
            ("PATH=/a=b", Some("/a=b")),
            ("path=x", None),
            ("path", None),
            ("txtvers=1", None),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }

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
            let asked: Vec<_> = domains_to_ask(&domain.parse().unwrap())
                .map(|it| it.to_string())
                .collect();
            assert_eq!(asked, expected, "{domain}");
        }
    }
}
