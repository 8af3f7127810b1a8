//! Receivers that hung: for a while, those that stand beside them are tried first.
//!
//! A server that refuses a connection costs nothing; one that takes it and says nothing costs each message the whole of
//! `client.connect_timeout`, or more. Its turn comes all the same where no other takes the message.

use convoke_sdk::Receiver;
use moka::sync::Cache;
use std::time::Duration;

/// How long others are tried first.
const FOR: Duration = Duration::from_secs(5 * 60);
/// Receivers remembered at once.
const MOST: u64 = 1_000;

/// Receivers that hung a short while ago, by host and port.
#[derive(Clone)]
pub(super) struct Hanging(Cache<String, ()>);

impl Default for Hanging {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MOST).time_to_live(FOR);
        Self(cache.build())
    }
}

impl Hanging {
    /// It did not answer in time.
    pub(super) fn hung(&self, receiver: &Receiver) {
        self.0.insert(place(receiver), ());
    }

    /// It answers.
    pub(super) fn answers(&self, receiver: &Receiver) {
        self.0.invalidate(&place(receiver));
    }

    /// In the order in which they are tried: as given, those that hung last.
    pub(super) fn last<'a>(&self, receivers: &'a [Receiver]) -> Vec<&'a Receiver> {
        let (hung, well): (Vec<_>, Vec<_>) =
            (receivers.iter()).partition(|it| self.0.contains_key(&place(it)));
        well.into_iter().chain(hung).collect()
    }
}

fn place(receiver: &Receiver) -> String {
    let url = receiver.url.url();
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(url: &str) -> Receiver {
        Receiver::new(url.parse().unwrap())
    }

    #[test]
    fn who_hung_comes_last_until_it_answers() {
        let hanging = Hanging::default();
        let [one, two, three] = ["https://a/x", "https://b/x", "https://a:8443/x"].map(receiver);
        let all = [one.clone(), two.clone(), three.clone()];
        let order = |hanging: &Hanging| -> Vec<String> {
            let order = hanging.last(&all).into_iter();
            order.map(place).collect()
        };
        hanging.hung(&one);
        assert_eq!(order(&hanging), ["b:443", "a:8443", "a:443"]);
        hanging.hung(&two);
        hanging.hung(&three);
        assert_eq!(order(&hanging), ["a:443", "b:443", "a:8443"]);
        hanging.answers(&three);
        assert_eq!(order(&hanging), ["a:8443", "a:443", "b:443"]);
    }
}
