//! Whether a person has written something beside an answer, or a program has.
//!
//! Buttons of calendar programs put a sentence of their own beside the calendar (`sentences`), and a person may write there,
//! too. What is not known as a program's counts as a person's: rather once too often a mail of a program in somebody's mailbox
//! than words that nobody reads.
//!
//! A text is compared as a whole, then each of its paragraphs, then each of its lines; what people see no difference in is none
//! (spaces, line ends, the letters' case, quotation marks, a full stop).

mod sentences;

use crate::mailbox::addr_spec;
use crate::read::{CalendarPart, Content, Incoming};
use convoke_calendar::tree::{Calendar, Property};
use convoke_types::CalendarAddress;
use sentences::{FOOTERS, FRAME_ENDS, FRAME_SENDER, SENTENCES};
use std::collections::HashSet;

/// The most lines of people whose names are looked for: an answer has one.
const MOST_PEOPLE: usize = 4;
/// Whose own answers say all in the calendar.
const OURS: &str = "-//Convoke//";

impl Incoming {
    /// Whether somebody has written something by hand beside an answer (REPLY, COUNTER, REFRESH, DECLINECOUNTER), that the
    /// answer itself does not say.
    ///
    /// What programs send in answer to a mail (RFC 3834), or to a list, nobody has written. What a program sends of itself counts:
    /// buttons do, with the note that somebody has typed.
    pub fn has_words_beside_answer(&self) -> bool {
        let Content::Scheduling(part) = &self.content else {
            return false;
        };
        let is_answer = matches!(
            part.method().as_str(),
            "REPLY" | "COUNTER" | "REFRESH" | "DECLINECOUNTER"
        );
        let Some(text) = self.text.as_deref().filter(|_| is_answer) else {
            return false;
        };
        let product = part.calendar.root().value("PRODID").unwrap_or_default();
        self.origin.may_be_answered()
            && !product.starts_with(OURS)
            && !is_of_program(text, self, part)
    }
}

/// Whether a program has written all of a text.
fn is_of_program(text: &str, mail: &Incoming, part: &CalendarPart) -> bool {
    let known = known(mail, part);
    let is_known = |text: &str| {
        let text = plain(text);
        text.is_empty() || known.contains(&text)
    };
    let is_known_in_lines = |text: &str| is_known(text) || text.lines().all(is_known);
    if is_known(text) {
        return true;
    }
    let paragraphs = paragraphs(text);
    let is_framed = || {
        let sender = mail.sender.as_ref().and_then(|it| addr_spec(it).ok());
        sender.is_some_and(|it| it.eq_ignore_ascii_case(FRAME_SENDER))
            && paragraphs.first().is_some_and(|first| is_known(first))
            && text.lines().any(ends_frame)
    };
    is_framed() || paragraphs.iter().all(|it| is_known_in_lines(it))
}

/// What stands between empty lines.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        if plain(line).is_empty() {
            paragraphs.push(String::new());
        } else if let Some(last) = paragraphs.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    paragraphs.retain(|it| !it.is_empty());
    paragraphs
}

fn ends_frame(line: &str) -> bool {
    let line = plain(line);
    FRAME_ENDS.iter().any(|end| line.starts_with(&plain(end)))
}

/// All that a program may say of this answer, as [`plain`] has it.
fn known(mail: &Incoming, part: &CalendarPart) -> HashSet<String> {
    let people = people(mail, &part.calendar);
    let titles = texts(&part.calendar, "SUMMARY");
    let mut known: HashSet<String> = HashSet::new();
    for (_, sentences) in SENTENCES {
        for sentence in *sentences {
            for who in &people {
                let sentence = sentence.replace("{who}", who);
                if !sentence.contains("{title}") {
                    known.insert(plain(&sentence));
                    continue;
                }
                known.extend(
                    titles
                        .iter()
                        .map(|it| plain(&sentence.replace("{title}", it))),
                );
            }
        }
    }
    known.extend(FOOTERS.iter().map(|it| plain(it)));
    known.extend(titles.iter().map(|it| plain(it)));
    for name in ["COMMENT", "LOCATION"] {
        for text in texts(&part.calendar, name) {
            known.extend(text.lines().map(plain));
            known.insert(plain(&text));
        }
    }
    known
}

fn texts(calendar: &Calendar, name: &str) -> Vec<String> {
    let components = calendar.main_components();
    let lines = components.flat_map(|it| it.all(name));
    lines.take(MOST_PEOPLE).map(Property::to_text).collect()
}

/// How whoever answers may be called: by the calendar, or by the mail.
fn people(mail: &Incoming, calendar: &Calendar) -> Vec<String> {
    let mut people = vec![String::new()];
    let mut add = |name: Option<&str>, address: Option<&CalendarAddress>| {
        let address = address.and_then(|it| addr_spec(it).ok());
        if let (Some(name), Some(address)) = (name, &address) {
            people.push(format!("{name} <{address}>"));
        }
        people.extend(name.map(str::to_owned));
        people.extend(address);
    };
    if let Some(from) = &mail.from {
        add(from.name.as_deref(), Some(&from.address));
    }
    let components = calendar.main_components();
    let lines = components.flat_map(|it| it.all("ATTENDEE"));
    for line in lines.take(MOST_PEOPLE) {
        let address = CalendarAddress::new(&line.value).ok();
        add(line.param("CN"), address.as_ref());
        let name = mail.from.as_ref().and_then(|it| it.name.as_deref());
        add(name, address.as_ref());
    }
    people
}

/// A text as it is compared.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase).map(unquoted));
    }
    plain.truncate(plain.trim_end_matches(['.', ' ']).len());
    plain
}

/// What people see as nothing, or as a space.
fn is_space(letter: char) -> bool {
    const UNSEEN: [char; 6] = [
        '\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{fffc}',
    ];
    letter.is_whitespace() || UNSEEN.contains(&letter)
}

fn unquoted(letter: char) -> char {
    match letter {
        '“' | '”' | '„' | '‟' | '«' | '»' => '"',
        '‘' | '’' | '‚' => '\'',
        other => other,
    }
}

#[cfg(test)]
mod tests;
