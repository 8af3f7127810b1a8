//! What the configuration says of the server behind the listener: which stores keep calendars on it, and what cannot be meant.

use super::urls::{is_within, path_on};
use crate::config::{Config, Listener, Role, UpstreamServer};
use convoke_plugin_host::PluginEntry;
use convoke_sdk::remote::Kind;

/// What stands for a user in the URL of a store.
const PLACES: [&str; 3] = ["{user}", "{domain}", "{address}"];

/// The stores whose configuration names the server.
pub(crate) fn stores_on<'c>(config: &'c Config, server: &UpstreamServer) -> Vec<&'c PluginEntry> {
    let names = |url: &str| path_on(server, url).is_some_and(|it| is_within(&it, &server.path));
    all_stores(config)
        .filter(|it| urls(it).iter().any(|url| names(url)))
        .collect()
}

/// Every store.
pub(crate) fn all_stores(config: &Config) -> impl Iterator<Item = &PluginEntry> {
    config.plugins.iter().filter(|it| it.kind == Kind::Store)
}

/// The URLs in a store's configuration, whatever they are for.
pub(crate) fn urls(store: &PluginEntry) -> Vec<&str> {
    let mut urls = Vec::new();
    let mut left: Vec<&toml::Value> = store.config.values().collect();
    while let Some(value) = left.pop() {
        match value {
            toml::Value::String(text) if is_url(text) => urls.push(text.as_str()),
            toml::Value::Array(values) => left.extend(values),
            toml::Value::Table(table) => left.extend(table.values()),
            _ => {}
        }
    }
    urls.sort_unstable();
    urls
}

/// What stands in braces in a URL and means nothing: `{usr}`.
pub(crate) fn misspelt(url: &str) -> Option<&str> {
    let mut rest = url;
    while let Some(begin) = rest.find('{') {
        let end = rest[begin..]
            .find('}')
            .map_or(rest.len(), |it| begin + it + 1);
        let place = &rest[begin..end];
        if !PLACES.contains(&place) {
            return Some(place);
        }
        rest = &rest[end..];
    }
    None
}

/// The listener of ours that a server is, as far as its address tells.
pub(crate) fn is_ours<'c>(config: &'c Config, server: &UpstreamServer) -> Option<&'c Listener> {
    config.listeners.iter().find(|it| {
        let (ip, port) = (it.address.ip(), it.address.port());
        let is_same = server.host.parse() == Ok(ip);
        let is_both_here = server.is_on_this_machine() && (ip.is_unspecified() || ip.is_loopback());
        port == server.port && (is_same || is_both_here)
    })
}

/// The store's URL that leads to the caldav listener itself.
pub(crate) fn around(config: &Config, store: &PluginEntry) -> Option<String> {
    let url = urls(store).into_iter().find(|url| {
        let origin = url.split(['{', '?', '#']).next().unwrap_or_default();
        let server = UpstreamServer::parse(origin).ok();
        let ours = server.and_then(|it| is_ours(config, &it));
        ours.is_some_and(|it| it.role == Role::Caldav)
    });
    url.map(str::to_owned)
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::misspelt;

    #[test]
    fn what_stands_in_braces_is_known() {
        for (url, wrong) in [
            ("http://127.0.0.1:5232/{user}/", None),
            ("https://dav.example.org/{domain}/{user}/cal/", None),
            ("https://dav.example.org/", None),
            ("http://127.0.0.1:5232/{usr}/", Some("{usr}")),
            ("http://127.0.0.1:5232/{user}/{name}", Some("{name}")),
            ("http://127.0.0.1:5232/{user", Some("{user")),
        ] {
            assert_eq!(misspelt(url), wrong, "{url}");
        }
    }
}
