//! The answer to a POST to the outbox (RFC 6638 §10.5).

use crate::xml::{Document, Element};

/// What became of a question for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Its address, as the program wrote it.
    pub address: String,
    /// The request status: `2.0;Success`.
    pub status: String,
    /// The VFREEBUSY that answers, as iCalendar.
    pub data: Option<String>,
    /// More words, for people.
    pub description: Option<String>,
}

/// A `C:schedule-response`.
///
/// ```
/// use convoke_caldav::{schedule_response::{Recipient, schedule_response}, xml::{CALDAV, DAV, Element, LIMITS, parse}};
///
/// let recipient = Recipient {
///     address: "mailto:bo@example.org".to_owned(),
///     status: "3.7;Invalid calendar user".to_owned(),
///     data: None,
///     description: None,
/// };
/// let root: Element = parse(schedule_response(vec![recipient]).as_bytes(), &LIMITS)?;
/// let response = root.child(CALDAV, "response").unwrap();
/// assert_eq!(response.child(CALDAV, "request-status").unwrap().text, "3.7;Invalid calendar user");
/// let recipient = response.child(CALDAV, "recipient").unwrap();
/// assert_eq!(recipient.child(DAV, "href").unwrap().text, "mailto:bo@example.org");
/// # Ok::<(), convoke_caldav::xml::XmlError>(())
/// ```
pub fn schedule_response(recipients: Vec<Recipient>) -> String {
    let mut document = Document::new(&Element::caldav("schedule-response"));
    for recipient in recipients {
        document.push(&response(recipient));
    }
    document.finish()
}

fn response(recipient: Recipient) -> Element {
    let href = Element::href(recipient.address);
    let mut response = Element::caldav("response")
        .with(Element::caldav("recipient").with(href))
        .with(Element::caldav("request-status").with_text(recipient.status));
    if let Some(data) = recipient.data {
        let data = Element::caldav("calendar-data").with_text(data);
        response.children.push(data);
    }
    if let Some(description) = recipient.description {
        let description = Element::dav("responsedescription").with_text(description);
        response.children.push(description);
    }
    response
}
