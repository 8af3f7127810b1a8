//! The header fields of a scheduling POST (spec §5), read in the order of spec §6.

use crate::{ContentType, Deviations, ErrorElement, Refusal, VERSION};
use convoke_types::CalendarAddress;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{collections::HashSet, fmt::Write as _};

/// The protocol versions a message is written for.
pub const ISCHEDULE_VERSION: HeaderName = HeaderName::from_static("ischedule-version");
/// The serial number of a receiver's capabilities.
pub const ISCHEDULE_CAPABILITIES: HeaderName = HeaderName::from_static("ischedule-capabilities");
/// A token unique to a message.
pub const ISCHEDULE_MESSAGE_ID: HeaderName = HeaderName::from_static("ischedule-message-id");
/// The calendar user who sends the message.
pub const ORIGINATOR: HeaderName = HeaderName::from_static("originator");
/// The recipients of the message.
pub const RECIPIENT: HeaderName = HeaderName::from_static("recipient");
/// What `Cache-Control` must say on scheduling messages and their answers.
pub const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, no-transform");

/// The most recipients read of one message; a receiver's own limit lies below.
pub const MAX_RECIPIENTS: usize = 1000;

/// Recipients share a field until it reaches this many bytes.
const FIELD_WIDTH: usize = 500;

/// The header of a scheduling message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeaders {
    /// A token unique to the message, without angle brackets.
    pub message_id: Option<String>,
    /// The sender.
    pub originator: CalendarAddress,
    /// The recipients: at least one, no two of the same address.
    pub recipients: Vec<Recipient>,
    /// The component and method of the body.
    pub content: ContentType,
}

/// A recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As it stood in the header; the answer repeats it.
    pub as_sent: String,
    /// The calendar user that it names.
    pub address: CalendarAddress,
}

impl Recipient {
    /// A recipient of a message to send: `as_sent` is the address as a URI, percent-encoded where it must be.
    pub fn new(address: CalendarAddress) -> Self {
        Self {
            as_sent: to_uri(&address),
            address,
        }
    }
}

impl RequestHeaders {
    /// Reads the header of a request.
    ///
    /// Accepted beyond the specification: a bare `user@host` as `mailto:`, angle brackets around the
    /// message id, no `Cache-Control`; a recipient named twice counts once.
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        Self::read_reporting(headers, &mut Deviations::default())
    }

    /// [`Self::read`], and reports where the peer deviates.
    pub fn read_reporting(
        headers: &HeaderMap,
        deviations: &mut Deviations,
    ) -> Result<Self, Refusal> {
        check_version(headers)?;
        let content = content_type(headers)?;
        let originator = originator(headers, deviations)?;
        let recipients = recipients(headers, deviations)?;
        if !headers.contains_key(header::CACHE_CONTROL) {
            deviations.report("§5", "no `Cache-Control: no-cache, no-transform`");
        }
        Ok(Self {
            message_id: message_id(headers, deviations),
            originator,
            recipients,
            content,
        })
    }

    /// The header fields of a message to send, but for `DKIM-Signature` and those of HTTP itself.
    ///
    /// Recipients share a `Recipient` field up to some hundred bytes, so that 250 of them make about 20 fields
    /// that a person can read.
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ISCHEDULE_VERSION, HeaderValue::from_static(VERSION));
        if let Some(id) = &self.message_id {
            headers.insert(ISCHEDULE_MESSAGE_ID, visible(id));
        }
        headers.insert(header::CACHE_CONTROL, NO_CACHE);
        headers.insert(ORIGINATOR, visible(&to_uri(&self.originator)));
        let mut field = String::new();
        for recipient in &self.recipients {
            // Not `as_sent`: what a peer sent as UTF-8 would lose letters here and name somebody else.
            let uri = to_uri(&recipient.address);
            if !field.is_empty() && field.len() + uri.len() > FIELD_WIDTH {
                headers.append(RECIPIENT, visible(&field));
                field.clear();
            }
            if !field.is_empty() {
                field.push(',');
            }
            field.push_str(&uri);
        }
        if !field.is_empty() {
            headers.append(RECIPIENT, visible(&field));
        }
        headers.insert(header::CONTENT_TYPE, visible(&self.content.to_string()));
        headers
    }
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |text: String| Err(Refusal::new(ErrorElement::VersionNotSupported, text));
    let mut stated = Vec::new();
    for field in headers.get_all(ISCHEDULE_VERSION) {
        let field = String::from_utf8_lossy(field.as_bytes()).into_owned();
        stated.push(field);
    }
    let stated = stated.join(",");
    if stated.trim().is_empty() {
        return refused(format!("iSchedule-Version is missing; send `{VERSION}`"));
    }
    if stated.split(',').any(|version| version.trim() == VERSION) {
        return Ok(());
    }
    let stated: String = stated.chars().take(60).collect();
    refused(format!(
        "iSchedule-Version `{stated}` is not supported; send `{VERSION}`"
    ))
}

fn content_type(headers: &HeaderMap) -> Result<ContentType, Refusal> {
    let refused = |text| Refusal::new(ErrorElement::InvalidCalendarDataType, text);
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let field = fields
        .next()
        .ok_or_else(|| refused("Content-Type is missing; send `text/calendar`"))?;
    if fields.next().is_some() {
        return Err(refused("Content-Type appears more than once"));
    }
    let text = std::str::from_utf8(field.as_bytes());
    ContentType::read(text.map_err(|_| refused("Content-Type is not UTF-8"))?)
}

fn originator(
    headers: &HeaderMap,
    deviations: &mut Deviations,
) -> Result<CalendarAddress, Refusal> {
    let missing = || Refusal::new(ErrorElement::OriginatorMissing, "Originator is missing");
    let mut fields = headers.get_all(ORIGINATOR).iter();
    let field = fields.next().ok_or_else(missing)?;
    let invalid = |reason: String| Refusal::new(ErrorElement::OriginatorInvalid, reason);
    let text = std::str::from_utf8(field.as_bytes())
        .map_err(|_| invalid("Originator is not UTF-8".to_owned()))?
        .trim();
    let several =
        fields.next().is_some() || text.split(',').filter(|uri| is_address(uri)).count() > 1;
    if several {
        let text = "Originator appears more than once";
        return Err(Refusal::new(ErrorElement::TooManyOriginators, text));
    }
    if text.is_empty() {
        return Err(missing());
    }
    let address = CalendarAddress::new(text).map_err(|e| invalid(format!("Originator {e}")))?;
    report_bare("Originator", text, deviations);
    Ok(address)
}

fn recipients(headers: &HeaderMap, deviations: &mut Deviations) -> Result<Vec<Recipient>, Refusal> {
    let mismatch = |reason: String| Refusal::new(ErrorElement::RecipientMismatch, reason);
    let mut recipients = Vec::new();
    let mut seen = HashSet::new();
    for field in headers.get_all(RECIPIENT) {
        let field = std::str::from_utf8(field.as_bytes())
            .map_err(|_| mismatch("Recipient is not UTF-8".to_owned()))?;
        // RFC 9110 §5.6.1.2: empty list elements are ignored
        for uri in field
            .split(',')
            .map(str::trim)
            .filter(|uri| !uri.is_empty())
        {
            let address =
                CalendarAddress::new(uri).map_err(|e| mismatch(format!("Recipient {e}")))?;
            report_bare("Recipient", uri, deviations);
            if !seen.insert(address.clone()) {
                deviations.report("§5", format!("Recipient {address} appears twice"));
                continue;
            }
            if recipients.len() == MAX_RECIPIENTS {
                let text = format!("there are more than {MAX_RECIPIENTS} recipients");
                return Err(Refusal::new(ErrorElement::MaxRecipients, text));
            }
            recipients.push(Recipient {
                as_sent: uri.to_owned(),
                address,
            });
        }
    }
    if recipients.is_empty() {
        let text = "Recipient is missing";
        return Err(Refusal::new(ErrorElement::RecipientMissing, text));
    }
    Ok(recipients)
}

fn message_id(headers: &HeaderMap, deviations: &mut Deviations) -> Option<String> {
    let Some(field) = headers.get(ISCHEDULE_MESSAGE_ID) else {
        deviations.report("§5", "no iSchedule-Message-ID");
        return None;
    };
    let text = String::from_utf8_lossy(field.as_bytes());
    let text = text.trim();
    let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>'));
    if bare.is_some() {
        deviations.report("§5", "iSchedule-Message-ID is in angle brackets");
    }
    let id = bare.unwrap_or(text).trim();
    (!id.is_empty()).then(|| id.to_owned())
}

fn is_address(text: &str) -> bool {
    CalendarAddress::new(text).is_ok()
}

fn report_bare(field: &str, uri: &str, deviations: &mut Deviations) {
    let has_scheme = uri
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.contains('@'));
    if !has_scheme {
        deviations.report("§5", format!("{field} {uri} has no `mailto:`"));
    }
}

/// The address as a URI (RFC 6068 §2): a mailbox name may hold what a URI may not.
fn to_uri(address: &CalendarAddress) -> String {
    let (Some(local), Ok(domain)) = (address.mailbox_name(), address.domain()) else {
        return address.as_str().to_owned();
    };
    let mut uri = "mailto:".to_owned();
    for byte in local.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$'*+=:@/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    format!("{uri}@{domain}")
}

/// A field value of ASCII alone; other characters are left out.
fn visible(text: &str) -> HeaderValue {
    let allowed = |c: &char| matches!(c, ' '..='~');
    let text: String = text.chars().filter(allowed).collect();
    HeaderValue::from_str(&text).expect("visible ASCII and spaces make a header value")
}

#[cfg(test)]
mod tests;
