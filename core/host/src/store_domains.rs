//! Which store a domain's people are looked for in, where several could serve them.

use crate::config::Config;
use convoke_plugin_host::{PluginEntry, find::short_name};
use convoke_sdk::remote::Kind;
use convoke_types::Domain;

/// A store that is never asked for people of a domain that it serves, and what to do about it; one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// What the administrator calls the store.
    pub(crate) store: String,
    /// What happens instead.
    pub(crate) sentence: String,
}

/// Each store that another one stands before: of several that serve a domain, one alone is asked for its people.
pub(crate) fn passed_over(config: &Config) -> Vec<Passed> {
    let stores = config.plugins.iter().filter(|it| it.kind == Kind::Store);
    let stores: Vec<&PluginEntry> = stores.collect();
    passed(&stores, &config.server.domains)
}

fn passed(stores: &[&PluginEntry], ours: &[Domain]) -> Vec<Passed> {
    let mut found = Vec::new();
    for (place, store) in stores.iter().enumerate() {
        // Who lists none serves what the others leave, so that it is told of only where they leave nothing.
        let all = store.domains.is_empty();
        let domains = if all { ours } else { &store.domains };
        let before: Vec<_> = domains
            .iter()
            .filter_map(|domain| Some((domain, before(stores, place, domain)?)))
            .collect();
        if all && before.len() < domains.len() {
            continue;
        }
        found.extend(before.into_iter().map(|(domain, first)| Passed {
            store: name(store),
            sentence: format!(
                "the store `{}` serves {domain}, too, and it alone is asked for people there; give each of the two domains of its own \
                 (`domains`), or take one out",
                name(first)
            ),
        }));
    }
    found
}

/// The store that is asked for a domain instead of the one at `place`: who lists the domain goes before who lists none, else who
/// stands first does.
fn before<'a>(
    stores: &[&'a PluginEntry],
    place: usize,
    domain: &Domain,
) -> Option<&'a PluginEntry> {
    let is_listed = |it: &PluginEntry| it.domains.contains(domain);
    let own = is_listed(stores[place]);
    let others = stores.iter().enumerate().filter(|(at, _)| *at != place);
    let mut others = others.filter(|(at, other)| {
        let takes_all = other.domains.is_empty();
        match (own, is_listed(other)) {
            (true, listed) => listed && *at < place,
            (false, true) => true,
            (false, false) => takes_all && *at < place,
        }
    });
    others.next().map(|(_, store)| *store)
}

fn name(store: &PluginEntry) -> String {
    let name = store.name.clone();
    name.unwrap_or_else(|| short_name(&store.plugin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str, domains: &[&str]) -> PluginEntry {
        PluginEntry {
            name: Some(name.to_owned()),
            domains: domains.iter().map(|it| it.parse().unwrap()).collect(),
            ..PluginEntry::new(Kind::Store, "store-sqlite")
        }
    }

    #[test]
    fn a_store_that_is_never_asked_is_named_with_the_one_that_is() {
        let ours: Vec<Domain> = vec![
            "example.org".parse().unwrap(),
            "lab.example.org".parse().unwrap(),
        ];
        let of = |stores: &[PluginEntry]| -> Vec<String> {
            let stores: Vec<&PluginEntry> = stores.iter().collect();
            let passed = passed(&stores, &ours).into_iter();
            passed
                .map(|it| {
                    let first = it.sentence.split('`').nth(1).unwrap_or_default();
                    let domain = it.sentence.split(' ').nth(4).unwrap_or_default();
                    format!(
                        "{} after {first} for {}",
                        it.store,
                        domain.trim_end_matches(',')
                    )
                })
                .collect()
        };
        for (stores, expected) in [
            (
                vec![store("a", &[]), store("b", &["lab.example.org"])],
                vec![],
            ),
            (
                vec![
                    store("a", &["example.org"]),
                    store("b", &["lab.example.org"]),
                ],
                vec![],
            ),
            (
                vec![store("a", &["example.org"]), store("b", &["example.org"])],
                vec!["b after a for example.org"],
            ),
            (
                vec![store("a", &[]), store("b", &[])],
                vec!["b after a for example.org", "b after a for lab.example.org"],
            ),
            (
                vec![
                    store("a", &[]),
                    store("b", &["example.org", "lab.example.org"]),
                ],
                vec!["a after b for example.org", "a after b for lab.example.org"],
            ),
        ] {
            assert_eq!(of(&stores), expected);
        }
    }
}
