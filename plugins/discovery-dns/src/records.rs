//! Servers of a service, and the order to try them in (RFC 2782).

use std::time::Instant;

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Lower ones come first.
    pub(crate) priority: u16,
    /// Share among those of the same priority.
    pub(crate) weight: u16,
    pub(crate) port: u16,
    /// Without a dot at the end; empty if the service is decidedly not offered.
    pub(crate) target: String,
}

/// All of a service.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// Empty if there are no records.
    pub(crate) servers: Vec<Server>,
    /// What DNSSEC says of them, if it was asked.
    pub(crate) validated: Option<convoke_sdk::Dnssec>,
    /// Until when that holds.
    pub(crate) until: Instant,
}

/// By priority, and among equals by chance, as their weights say; without those that offer nothing.
pub(crate) fn in_order(mut servers: Vec<Server>) -> Vec<Server> {
    servers.retain(|server| !server.target.is_empty());
    // Those without weight come first, so that they have a small chance too.
    servers.sort_by_key(|server| (server.priority, server.weight));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(priority) = servers.first().map(|server| server.priority) {
        let equals = servers.iter().filter(|server| server.priority == priority);
        let total: u32 = equals.map(|server| u32::from(server.weight)).sum();
        let mut left = fastrand::u32(0..=total);
        let chosen = servers.iter().position(|server| {
            let weight = u32::from(server.weight);
            let chosen = left <= weight;
            left = left.saturating_sub(weight);
            chosen
        });
        ordered.push(servers.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// The value of `path=` in a TXT record (RFC 6763 §6.4: the key in any case); `None` if the record is about
/// something else.
pub(crate) fn path(text: &str) -> Option<String> {
    let (key, value) = text.split_once('=')?;
    (key.eq_ignore_ascii_case("path") && value.starts_with('/')).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn servers_come_by_priority_and_share_by_weight() {
        let servers = [
            (20, 0, "last"),
            (10, 0, "seldom"),
            (10, 30, "often"),
            (10, 10, "at times"),
        ];
        let servers = servers.map(|(priority, weight, target)| Server {
            priority,
            weight,
            port: 443,
            target: target.to_owned(),
        });
        let mut first = HashMap::<String, u32>::new();
        for _ in 0..4000 {
            let ordered = in_order(servers.to_vec());
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3].target, "last");
            *first.entry(ordered[0].target.clone()).or_default() += 1;
        }
        // Of 41 chances 1, 30 and 10, with bounds that chance does not reach.
        assert!((1..400).contains(&first["seldom"]), "{first:?}");
        assert!((2600..3300).contains(&first["often"]), "{first:?}");
        assert!((700..1300).contains(&first["at times"]), "{first:?}");
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
            assert_eq!(path(text).as_deref(), expected, "{text}");
        }
    }
}
