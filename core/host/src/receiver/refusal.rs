//! What the log says of a message that is refused as a whole, or put off: who sent it, to whom, about what, and why.

use super::posted::Posted;
use convoke_ischedule::Refusal;
use convoke_net::http_server::Arrival;
use convoke_types::{CalendarAddress, excerpt};

/// Recipients that are named; there may be hundreds.
const NAMED: usize = 10;
/// The longest UID, message id and address that is shown, in characters.
const LONGEST: usize = 200;

/// A message could not even be read: its header is wrong, or it is too long.
pub(crate) fn tell_unread(arrival: &Arrival, refusal: &Refusal) {
    let (peer, error) = (arrival.address, refusal.element.name());
    tracing::info!(event = "refused", %peer, error, "refused: {refusal}");
}

/// A message was refused.
pub(crate) fn tell(arrival: &Arrival, posted: &Posted, refusal: &Refusal) {
    let about = About::of(posted);
    tracing::info!(
        event = "refused",
        peer = %arrival.address,
        originator = %posted.headers.originator,
        recipients = about.recipients,
        uid = about.uid,
        message_id = about.message_id,
        error = refusal.element.name(),
        "refused: {refusal}"
    );
}

/// A message was put off.
pub(super) fn tell_later(arrival: &Arrival, posted: &Posted, why: &str) {
    let about = About::of(posted);
    tracing::info!(
        event = "retry-later",
        peer = %arrival.address,
        originator = %posted.headers.originator,
        recipients = about.recipients,
        uid = about.uid,
        message_id = about.message_id,
        "later: {why}"
    );
}

/// What a message says that nobody has proved.
struct About {
    recipients: String,
    uid: Option<String>,
    message_id: Option<String>,
}

impl About {
    fn of(posted: &Posted) -> Self {
        let all = &posted.headers.recipients;
        let named = all
            .iter()
            .take(NAMED)
            .map(|it| excerpt(CalendarAddress::as_str(&it.address), LONGEST));
        let mut recipients = named.collect::<Vec<_>>().join(" ");
        if all.len() > NAMED {
            recipients.push_str(" …");
        }
        Self {
            recipients,
            uid: uid_of(&posted.body),
            message_id: message_id_of(posted.headers.message_id.as_deref()),
        }
    }
}

/// A message id, which may be as long as a header.
fn message_id_of(id: Option<&str>) -> Option<String> {
    id.map(|it| excerpt(it, LONGEST))
}

/// The first UID of a body that was not read: it may be wrong, and far too long.
fn uid_of(body: &[u8]) -> Option<String> {
    let mut lines = body.split(|octet| *octet == b'\n');
    let uid = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"UID:").then_some(value)
    })?;
    let uid = String::from_utf8_lossy(uid.trim_ascii());
    Some(excerpt(&uid, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_is_found_in_what_cannot_be_read() {
        for (body, expected) in [
            ("BEGIN:VCALENDAR\r\nUID:one\r\nUID:two\r\n", Some("one")),
            ("uid:one", Some("one")),
            ("X-UID:one\r\n", None),
            ("", None),
        ] {
            assert_eq!(uid_of(body.as_bytes()).as_deref(), expected);
        }
        let long = format!("UID:{}", "x".repeat(5000));
        assert_eq!(uid_of(long.as_bytes()).unwrap().len(), LONGEST);
    }

    #[test]
    fn a_message_id_is_cut() {
        assert_eq!(message_id_of(None), None);
        assert_eq!(message_id_of(Some("one")).as_deref(), Some("one"));
        let long = "x".repeat(30_000);
        assert_eq!(message_id_of(Some(&long)).unwrap().len(), LONGEST);
    }
}
