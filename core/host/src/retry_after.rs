//! When others want to be asked again: `Retry-After` (RFC 9110 §10.2.3).

use http::{HeaderMap, header};
use jiff::Timestamp;
use std::time::Duration;

/// How long a server wants to be left alone, from `now` on: a number of seconds, or until a date. Nothing if it does not say, or if
/// that is over.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let said = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(said).ok()?;
    Duration::try_from(date.timestamp().duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn when_to_come_back_is_seconds_or_a_date() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        for (text, expected) in [
            ("120", Some(1_700_000_120)),
            (" 0 ", Some(1_700_000_000)),
            ("Tue, 14 Nov 2023 22:15:20 GMT", Some(1_700_000_120)),
            ("Tue, 14 Nov 2023 22:00:00 GMT", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
            let wait = retry_after(&headers, now);
            let moment = wait.map(|wait| (now + wait).as_second());
            assert_eq!(moment, expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
