//! Replies: a code, an enhanced status code and words.

use std::fmt;

/// The longest text of a reply, in octets: with codes and line end it stays below the 512 of RFC 5321 §4.5.3.1.5.
const LONGEST: usize = 400;

/// A reply of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: &'static str,
    text: String,
}

impl Reply {
    /// `code` has three digits, `status` is as in RFC 3463 (`5.1.1`); what of `text` is not printable ASCII, or too long, is
    /// left out.
    pub fn new(code: u16, status: &'static str, text: impl AsRef<str>) -> Self {
        let text = text.as_ref().chars();
        let printable = text.filter(|it| matches!(it, ' '..='~'));
        Self {
            code,
            status,
            text: printable.take(LONGEST).collect(),
        }
    }

    /// The recipient is one of ours.
    pub fn recipient_ok() -> Self {
        Self::new(250, "2.1.5", "ok")
    }

    /// The message is taken for this recipient.
    pub fn taken() -> Self {
        Self::new(250, "2.0.0", "taken")
    }

    /// The code.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    pub const fn status(&self) -> &'static str {
        self.status
    }

    /// The words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a yes.
    pub const fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// Whether the same may be tried again later.
    pub const fn is_transient(&self) -> bool {
        matches!(self.code, 400..500)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, status, text } = self;
        if status.is_empty() {
            write!(f, "{code} {text}")
        } else {
            write!(f, "{code} {status} {text}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_a_second_line() {
        let reply = Reply::new(550, "5.1.1", "no\r\n250 2.0.0 such üser");
        assert_eq!(reply.to_string(), "550 5.1.1 no250 2.0.0 such ser");
        let long = Reply::new(250, "2.0.0", "x".repeat(1000));
        assert!(long.to_string().len() < 510);
    }
}
