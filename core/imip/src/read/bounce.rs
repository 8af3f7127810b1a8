//! Reports that a mail was not delivered: RFC 3464, and those of Exim and qmail that have no such part.

use super::decode::{self, start_of};
use super::entity::Entity;
use super::fields::Fields;
use super::{Incoming, address, lexical, message_ids};
use crate::mailbox::one_line;
use convoke_types::CalendarAddress;

/// The most recipients of one report.
const MAX_REPORTS: usize = 100;
/// The most of a returned mail's header that is looked at, in octets.
const MAX_RETURNED: usize = 64 << 10;

/// A report on mails that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// One for each recipient that it speaks of; never empty.
    pub reports: Vec<DeliveryReport>,
    /// The Message-ID of the mail that it is about, without angle brackets, if it says so.
    pub message_id: Option<String>,
}

/// What became of a mail to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// To whom it was sent, if that can be read.
    pub recipient: Option<CalendarAddress>,
    /// What was done.
    pub action: Action,
    /// The status code (RFC 3463), such as `5.1.1`.
    pub status: Option<String>,
    /// What the mail server says about it, one line of at most 200 characters; may be empty.
    pub text: String,
}

/// What was done with a mail (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is not delivered, and will not be.
    Failed,
    /// It waits; nothing is final.
    Delayed,
    /// It is delivered, handed on to where nothing is reported from, or sent to a list.
    Delivered,
}

/// Reads a report; `None` if the mail is none.
pub(super) fn read(mail: &Entity, text: &str, incoming: &Incoming) -> Option<Bounce> {
    let mut reports = by_status_part(mail);
    if reports.is_empty() && incoming.origin.is_null_sender {
        reports = by_failed_recipients(&mail.fields, text);
        if reports.is_empty() {
            reports = by_paragraphs(text);
        }
    }
    if reports.is_empty() {
        return None;
    }
    Some(Bounce {
        message_id: returned_message_id(mail, text),
        reports,
    })
}

/// RFC 3464 §2.1: fields about the message, and behind an empty line fields about each recipient.
fn by_status_part(mail: &Entity) -> Vec<DeliveryReport> {
    if !mail.is("multipart", "report") {
        return Vec::new();
    }
    let leaves = mail.leaves();
    let part = leaves.iter().find(|part| {
        part.is("message", "delivery-status") || part.is("message", "global-delivery-status")
    });
    let Some(octets) = part.and_then(|part| decode::octets(part).ok()) else {
        return Vec::new();
    };
    let mut reports = Vec::new();
    let mut rest: &[u8] = octets.trim_ascii_start();
    while !rest.is_empty() && reports.len() < MAX_REPORTS {
        let Ok((fields, behind)) = Fields::read(rest) else {
            break;
        };
        reports.extend(of_recipient(&fields));
        rest = behind.trim_ascii_start();
    }
    reports
}

fn of_recipient(fields: &Fields) -> Option<DeliveryReport> {
    let word = fields
        .get("Action")?
        .split([' ', '(', ';'])
        .next()?
        .to_ascii_lowercase();
    let action = match word.as_str() {
        "failed" => Action::Failed,
        "delayed" => Action::Delayed,
        "delivered" | "relayed" | "expanded" => Action::Delivered,
        _ => return None,
    };
    // RFC 3464 §2.3.1: the original is what we sent to; the final one may be another address of theirs.
    let recipient = ["Original-Recipient", "Final-Recipient"]
        .iter()
        .find_map(|name| typed_address(fields.get(name)?));
    let diagnostic = fields.get("Diagnostic-Code").unwrap_or_default();
    let diagnostic = diagnostic
        .split_once(';')
        .map_or(diagnostic, |(_, text)| text);
    Some(DeliveryReport {
        recipient,
        action,
        status: fields.get("Status").and_then(status_code),
        text: one_line(diagnostic),
    })
}

/// `rfc822; bo@example.org`
fn typed_address(value: &str) -> Option<CalendarAddress> {
    let spec = value.split_once(';').map_or(value, |(_, spec)| spec);
    let spec = lexical::without_comments(spec);
    address(spec.trim().trim_start_matches('<').trim_end_matches('>'))
}

/// Exim's `X-Failed-Recipients: bo@example.org`.
fn by_failed_recipients(fields: &Fields, text: &str) -> Vec<DeliveryReport> {
    let named = fields
        .all("X-Failed-Recipients")
        .flat_map(lexical::addresses);
    let report = |recipient: CalendarAddress| {
        let said = said_below(text, recipient.human());
        DeliveryReport {
            status: status_code(&said),
            text: said,
            recipient: Some(recipient),
            action: Action::Failed,
        }
    };
    named.take(MAX_REPORTS).map(report).collect()
}

/// What stands below the first line that is an address, up to an empty line.
fn said_below(text: &str, address: &str) -> String {
    let mut lines = text.lines();
    let found = lines.any(|line| {
        let line = line.trim().trim_matches(['<', '>', ':']);
        line.eq_ignore_ascii_case(address)
    });
    let below = lines
        .take_while(|line| found && !line.trim().is_empty())
        .take(10);
    one_line(&below.collect::<Vec<_>>().join(" "))
}

/// qmail's (QSBMF): a paragraph begins with `<bo@example.org>:`; one that begins with `-` ends the report.
fn by_paragraphs(text: &str) -> Vec<DeliveryReport> {
    if !text.starts_with("Hi. This is the") {
        return Vec::new();
    }
    let mut reports = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('-') || reports.len() >= MAX_REPORTS {
            break;
        }
        let spec = line
            .strip_prefix('<')
            .and_then(|rest| rest.trim_end().strip_suffix(">:"));
        let Some(recipient) = spec.and_then(address) else {
            continue;
        };
        let below = lines.by_ref().take_while(|line| !line.trim().is_empty());
        let said = one_line(&below.collect::<Vec<_>>().join(" "));
        reports.push(DeliveryReport {
            recipient: Some(recipient),
            action: Action::Failed,
            status: status_code(&said),
            text: said,
        });
    }
    reports
}

/// The first status code in a text (RFC 3463 §2): `5.1.1`, `(#5.1.1)`.
fn status_code(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let is_code = |word: &&str| {
        let mut numbers = word.split('.');
        let class = numbers
            .next()
            .is_some_and(|class| ["2", "4", "5"].contains(&class));
        let mut short = numbers.by_ref().take(2);
        let is_short = |number: &str| (1..=3).contains(&number.len());
        class
            && short.next().is_some_and(is_short)
            && short.next().is_some_and(is_short)
            && numbers.next().is_none()
    };
    words
        .map(|word| word.trim_end_matches('.'))
        .find(is_code)
        .map(str::to_owned)
}

/// The Message-ID of the mail that came back: of its part, else of the copy in the text.
fn returned_message_id(mail: &Entity, text: &str) -> Option<String> {
    let leaves = mail.leaves();
    let returned = leaves.iter().find(|part| {
        ["rfc822", "global", "global-headers"]
            .iter()
            .any(|kind| part.is("message", kind))
            || part.is("text", "rfc822-headers")
    });
    if let Some(part) = returned {
        let octets = decode::octets(part).ok()?;
        let start = &octets[..octets.len().min(MAX_RETURNED)];
        let (fields, _) = Fields::read(start.trim_ascii_start()).ok()?;
        return message_ids(fields.get("Message-ID")?).next();
    }
    let mut lines = text.lines();
    let line = lines.find(|line| start_of(line, 11).eq_ignore_ascii_case("message-id:"))?;
    message_ids(line).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_found_in_texts() {
        for (text, expected) in [
            ("5.1.1", Some("5.1.1")),
            ("5.1.1 (bad mailbox)", Some("5.1.1")),
            ("550 5.7.26 no. See 1.2.3.4.", Some("5.7.26")),
            ("Sorry. (#5.1.1)", Some("5.1.1")),
            ("host mx.example.org[192.0.2.1] said: 550 no", None),
            ("5.1", None),
            ("5.1.1234", None),
            ("", None),
        ] {
            assert_eq!(status_code(text).as_deref(), expected, "{text}");
        }
    }
}
