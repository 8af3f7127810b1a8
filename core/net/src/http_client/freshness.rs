//! How long an answer of another server may be used again.

use http::{HeaderMap, header};
use std::time::{Duration, SystemTime};

/// Nothing is used for longer, whatever its server says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long an answer may be used (RFC 9111 §4.2.1, §5.2.2): its `max-age` less its `Age`, else what is left until it
/// `Expires`, else `unsaid`. Zero for `no-cache` and `no-store`; never more than a day.
pub fn freshness(headers: &HeaderMap, unsaid: Duration) -> Duration {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let control = text(header::CACHE_CONTROL)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let mut directives = control.split(',').map(str::trim);
    let is_fresh = |directive| directive != "no-cache" && directive != "no-store";
    if !directives.clone().all(is_fresh) {
        return Duration::ZERO;
    }
    let max_age =
        directives.find_map(|it| it.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
    let fresh = if let Some(seconds) = max_age {
        let age = text(header::AGE).and_then(|age| age.trim().parse().ok());
        Duration::from_secs(seconds).saturating_sub(Duration::from_secs(age.unwrap_or(0)))
    } else if let Some(expires) = text(header::EXPIRES) {
        // What is no date has expired (RFC 9111 §5.3).
        let expires = httpdate::parse_http_date(expires).unwrap_or(SystemTime::UNIX_EPOCH);
        let now = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
        let now = now.unwrap_or_else(SystemTime::now);
        expires.duration_since(now).unwrap_or_default()
    } else {
        unsaid
    };
    fresh.min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn an_answer_lives_as_long_as_its_header_says() {
        for (fields, seconds) in [
            (&[("cache-control", "max-age=60")][..], 60),
            (&[("cache-control", "public, Max-Age=\"60\"")], 60),
            (&[("cache-control", "max-age=60"), ("age", "20")], 40),
            (&[("cache-control", "max-age=60"), ("age", "90")], 0),
            (&[("cache-control", "max-age=999999999")], 24 * 3600),
            (&[("cache-control", "no-cache")], 0),
            (&[("cache-control", "no-store, max-age=60")], 0),
            (&[("cache-control", "private")], 300),
            (&[("cache-control", "max-age=x")], 300),
            (&[("expires", "0")], 0),
            (
                &[
                    ("date", "Mon, 23 Nov 2026 06:00:00 GMT"),
                    ("expires", "Mon, 23 Nov 2026 06:01:00 GMT"),
                ],
                60,
            ),
            (&[], 300),
        ] {
            let headers = fields.iter().map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            let headers: HeaderMap = headers.collect();
            let fresh = freshness(&headers, Duration::from_secs(300));
            assert_eq!(fresh, Duration::from_secs(seconds), "{fields:?}");
        }
    }
}
