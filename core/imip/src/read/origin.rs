//! Who speaks: a person, a program, a mailing list (RFC 3834).

use super::fields::Fields;
use convoke_types::CalendarAddress;

/// MAIL FROM of the envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReturnPath {
    /// Not known, as in a pipe: the Return-Path that the mail has is taken.
    #[default]
    Unknown,
    /// `<>`: a bounce, or what shall never be answered.
    Null,
    /// An address.
    Address(String),
}

/// Auto-Submitted (RFC 3834 §5), or what older programs write for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoSubmitted {
    /// A person sent it, as far as can be seen.
    No,
    /// `auto-generated`: a program sent it by itself, as invitations are sent.
    Generated,
    /// `auto-replied`: an answer to a mail, such as a holiday notice.
    Replied,
    /// `auto-notified` and whatever else: told to somebody who asked for it once.
    Other,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether a program sent it by itself.
    pub auto_submitted: AutoSubmitted,
    /// Whether it came over a mailing list, or in bulk.
    pub is_list: bool,
    /// Whether its sender is `<>`, or MAILER-DAEMON.
    pub is_null_sender: bool,
}

impl Origin {
    pub(super) fn of(
        fields: &Fields,
        return_path: &ReturnPath,
        from: Option<&CalendarAddress>,
    ) -> Self {
        let is_null = match return_path {
            ReturnPath::Null => true,
            ReturnPath::Address(address) => address.is_empty() || is_daemon(address),
            ReturnPath::Unknown => fields
                .get("Return-Path")
                .is_some_and(|path| path.replace([' ', '\t'], "") == "<>" || is_daemon(path)),
        };
        Self {
            auto_submitted: auto_submitted(fields),
            is_list: is_list(fields),
            is_null_sender: is_null || from.is_some_and(|from| is_daemon(from.human())),
        }
    }

    /// Whether a program of ours may answer: not to an auto-reply, a null sender, or a list, as two programs that do would go
    /// on for ever. Invitations are `auto-generated`, and are answered.
    pub const fn may_be_answered(&self) -> bool {
        let is_fine = matches!(
            self.auto_submitted,
            AutoSubmitted::No | AutoSubmitted::Generated
        );
        is_fine && !self.is_list && !self.is_null_sender
    }

    /// Whether a person seems to have written it.
    pub const fn is_person(&self) -> bool {
        matches!(self.auto_submitted, AutoSubmitted::No) && !self.is_list && !self.is_null_sender
    }
}

fn is_daemon(address: &str) -> bool {
    let address = address.trim_start_matches(['<', ' ']);
    let local = address.split_once('@').map_or(address, |(local, _)| local);
    local.eq_ignore_ascii_case("mailer-daemon")
}

fn auto_submitted(fields: &Fields) -> AutoSubmitted {
    // Of before RFC 3834: Courier, cPanel, vBulletin, vacation(1) and others.
    const OLDER: [&str; 4] = [
        "X-Autoreply",
        "X-Autorespond",
        "X-Auto-Reply",
        "X-Mail-Autoreply",
    ];
    let word = fields.get("Auto-Submitted").map(first_word);
    match word.as_deref() {
        Some("auto-generated") => AutoSubmitted::Generated,
        Some("auto-replied") => AutoSubmitted::Replied,
        Some("no") | None if is_old_reply(fields, &OLDER) => AutoSubmitted::Replied,
        Some("no") | None => AutoSubmitted::No,
        Some(_) => AutoSubmitted::Other,
    }
}

fn is_old_reply(fields: &Fields, names: &[&str]) -> bool {
    fields.has_any(names) || precedence(fields).as_deref() == Some("auto_reply")
}

/// RFC 2919, RFC 2369. List-Unsubscribe alone is none: services that send invitations have it too, as big receivers want it.
fn is_list(fields: &Fields) -> bool {
    const NAMES: [&str; 8] = [
        "List-Id",
        "List-Post",
        "List-Help",
        "List-Subscribe",
        "List-Owner",
        "List-Archive",
        "Mailing-List",
        "X-Mailing-List",
    ];
    fields.has_any(&NAMES)
        || matches!(
            precedence(fields).as_deref(),
            Some("list" | "bulk" | "junk")
        )
}

fn precedence(fields: &Fields) -> Option<String> {
    fields.get("Precedence").map(first_word)
}

fn first_word(value: &str) -> String {
    let word = value.trim_start().split([' ', '\t', ';', '(']).next();
    word.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_lists_are_told_from_people() {
        for (header, may_be_answered, is_person) in [
            ("From: bo@example.org", true, true),
            ("Auto-Submitted: no", true, true),
            ("Auto-Submitted: auto-generated", true, false),
            ("Auto-Submitted: Auto-Replied (holiday)", false, false),
            (
                "Auto-Submitted: auto-replied; owner-email=\"bo@example.org\"",
                false,
                false,
            ),
            ("Auto-Submitted: auto-notified", false, false),
            ("Precedence: bulk", false, false),
            ("Precedence: auto_reply", false, false),
            ("Precedence: first-class", true, true),
            ("X-Autoreply: yes", false, false),
            ("List-Id: <a.example.org>", false, false),
            ("List-Unsubscribe: <https://example.org>", true, true),
            ("Return-Path: <>", false, false),
            ("Return-Path: <bo@example.org>", true, true),
            ("Return-Path: <MAILER-DAEMON@example.org>", false, false),
        ] {
            let octets = format!("{header}\n\n");
            let fields = Fields::read(octets.as_bytes()).unwrap().0;
            let origin = Origin::of(&fields, &ReturnPath::Unknown, None);
            let found = (origin.may_be_answered(), origin.is_person());
            assert_eq!(found, (may_be_answered, is_person), "{header}");
        }
    }

    #[test]
    fn the_envelope_counts_before_the_header() {
        let fields = Fields::read(b"Return-Path: <>\n\n").unwrap().0;
        let path = ReturnPath::Address("bo@example.org".to_owned());
        assert!(Origin::of(&fields, &path, None).is_person());
        assert!(Origin::of(&Fields::default(), &ReturnPath::Null, None).is_null_sender);
        let daemon = "Mailer-Daemon@example.org".parse().unwrap();
        assert!(Origin::of(&Fields::default(), &path, Some(&daemon)).is_null_sender);
    }
}
