//! Mails as programs write them, and as people do who mean no good: each `tests/shapes/NAME.eml` is read, and what was read is
//! what `NAME.expected` says.
//!
//! The first line of an expectation is MAIL FROM (`?` if it is not known), as it is no part of the mail. `text`, `comment` and
//! `summary` are compared where an expectation has them; a line that ends with `*` is compared up to there.

use convoke_calendar::itip::PartStat;
use convoke_calendar::tree::{Component, Limits};
use convoke_imip::{
    Action, Arrival, AuthservId, AutoSubmitted, CalendarPart, Content, Incoming, Origin,
    ReturnPath, read,
};
use convoke_types::CalendarAddress;
use std::fmt::Write;
use std::{fs, path::PathBuf};

/// Keys that are compared only where they are expected.
const OPTIONAL: [&str; 3] = ["text", "comment", "summary"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shapes")
}

#[test]
fn every_shape_is_read_as_expected() {
    let mut wrong = String::new();
    let mut count = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|it| it != "eml") {
            continue;
        }
        count += 1;
        let mail = fs::read(&path).unwrap();
        let expected = fs::read_to_string(path.with_extension("expected"));
        let expected = expected.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = described(&mail, &expected);
        if !is_as(&found, &expected) {
            let name = path.file_stem().unwrap().display();
            writeln!(wrong, "{name}: found\n{found}expected\n{expected}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 100, "{count} shapes");
}

/// A mail that is cut off anywhere proves no other sender than the whole.
#[test]
fn what_is_cut_off_proves_nothing_else() {
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|it| it != "eml") {
            continue;
        }
        let mail = fs::read(&path).unwrap();
        let whole = incoming(&mail, "?");
        for end in (0..mail.len()).step_by(1 + mail.len() / 97) {
            let part = incoming(&mail[..end], "?");
            if let (Some(from), Some(address)) = (&whole.from, &part.from)
                && part.proves(&address.address).is_some()
            {
                assert_eq!(from.address, address.address, "{}", path.display());
            }
        }
    }
}

fn incoming(mail: &[u8], mail_from: &str) -> Incoming {
    let trusted = [AuthservId::new("mx.example.org").unwrap()];
    let limits = Limits::default();
    let arrival = Arrival {
        return_path: match mail_from {
            "?" => ReturnPath::Unknown,
            "<>" => ReturnPath::Null,
            address => ReturnPath::Address(address.to_owned()),
        },
        trusted: &trusted,
        limits: &limits,
    };
    read(mail, &arrival)
}

/// What was read, a fact a line.
fn described(mail: &[u8], expected: &str) -> String {
    let mail_from = expected
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("mail-from "))
        .unwrap();
    let incoming = incoming(mail, mail_from);
    let mut facts = format!("mail-from {mail_from}\n");
    let from = incoming.from.as_ref().map(|from| from.address.human());
    writeln!(facts, "from {}", from.unwrap_or("-")).unwrap();
    if let Some(sender) = &incoming.sender {
        writeln!(facts, "sender {}", sender.human()).unwrap();
    }
    writeln!(facts, "origin {}", origin(incoming.origin)).unwrap();
    writeln!(facts, "verdict {}", incoming.verdict).unwrap();
    facts.push_str(&content(&incoming));
    if let Some(text) = &incoming.text {
        writeln!(
            facts,
            "text {}",
            text.replace("\r\n", " ").replace('\n', " ")
        )
        .unwrap();
    }
    facts
}

fn origin(origin: Origin) -> String {
    let auto = match origin.auto_submitted {
        AutoSubmitted::No => "person",
        AutoSubmitted::Generated => "auto-generated",
        AutoSubmitted::Replied => "auto-replied",
        AutoSubmitted::Other => "auto-other",
    };
    let list = if origin.is_list { " list" } else { "" };
    let null = if origin.is_null_sender { " null" } else { "" };
    format!("{auto}{list}{null}")
}

fn content(incoming: &Incoming) -> String {
    match &incoming.content {
        Content::Scheduling(part) => scheduling(part, incoming),
        Content::Bounce(bounce) => {
            let mut facts = String::new();
            for report in &bounce.reports {
                let action = match report.action {
                    Action::Failed => "failed",
                    Action::Delayed => "delayed",
                    Action::Delivered => "delivered",
                };
                let recipient = report
                    .recipient
                    .as_ref()
                    .map_or("-", CalendarAddress::human);
                let status = report.status.as_deref().unwrap_or("-");
                let line = format!("{action} {recipient} {status} {}", report.text);
                writeln!(facts, "{}", line.trim_end()).unwrap();
            }
            if let Some(id) = &bounce.message_id {
                writeln!(facts, "about {id}").unwrap();
            }
            facts
        }
        Content::Words => "words\n".to_owned(),
        Content::Refused(refusal) => format!("refused {refusal}\n"),
        Content::Other => "other\n".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// The message as the host reads it for the token of Anna's guest.
fn scheduling(part: &CalendarPart, incoming: &Incoming) -> String {
    let anna = "anna@example.org".parse().unwrap();
    let message = match part.message(Some(&anna)) {
        Ok(message) => message,
        Err(error) => return format!("invalid {}\n", error.in_source(&part.octets)),
    };
    let organizer = message.organizer().map_or("-", CalendarAddress::human);
    let mut facts = format!(
        "{} {} organizer {organizer}\n",
        part.method(),
        message.uid()
    );
    let component: &Component = message.calendar().main_components().next().unwrap();
    for line in component.all("ATTENDEE") {
        let address: CalendarAddress = line.value.parse().unwrap();
        let partstat = PartStat::parse(line.param("PARTSTAT").unwrap_or_default());
        writeln!(facts, "attendee {} {}", address.human(), partstat.as_str()).unwrap();
    }
    let people = message.attendees().iter().chain(message.organizer());
    for address in people.filter(|address| incoming.proves(address).is_some()) {
        writeln!(facts, "proved {}", address.human()).unwrap();
    }
    for name in ["COMMENT", "SUMMARY"] {
        if let Some(line) = component.get(name) {
            writeln!(
                facts,
                "{} {}",
                name.to_ascii_lowercase(),
                line.to_text().trim()
            )
            .unwrap();
        }
    }
    facts
}

fn is_as(found: &str, expected: &str) -> bool {
    let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let is_optional = |line: &&str| OPTIONAL.contains(&key(line).as_str());
    let required: Vec<&str> = found.lines().filter(|line| !is_optional(line)).collect();
    let wanted: Vec<&str> = expected.lines().filter(|line| !is_optional(line)).collect();
    let same = |found: &str, wanted: &str| match wanted.strip_suffix('*') {
        Some(start) => found.starts_with(start),
        None => found == wanted,
    };
    required.len() == wanted.len()
        && required
            .iter()
            .zip(&wanted)
            .all(|(found, wanted)| same(found, wanted))
        && expected
            .lines()
            .filter(is_optional)
            .all(|line| found.lines().any(|found| found == line))
}
