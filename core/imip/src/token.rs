//! Plus-addresses: `calendar+TOKEN@example.org`, an unguessable address for each guest of each meeting.
//!
//! Whoever answers to it has got the mail that we sent to that guest. That proves more than a From line, and more than
//! DMARC: answers made by the buttons in somebody's mail program often fail the latter.

use crate::mailbox::{MAX_LOCAL_PART, is_dot_atom};
use convoke_types::CalendarAddress;
use std::fmt;

/// 128 random bits as letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(String);

/// A text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is {} to {} letters and digits", Token::LEAST, Token::MOST)]
pub struct InvalidToken;

impl Token {
    /// The fewest characters of one.
    pub const LEAST: usize = 20;
    /// The most characters of one.
    pub const MOST: usize = 40;
    /// How many characters those made here have: 36 to the power of 25 is more than 2 to the power of 128.
    const LENGTH: usize = 25;

    /// The token of 128 bits, which must come from a cryptographic random number generator.
    ///
    /// ```
    /// assert_eq!(convoke_imip::Token::of([255; 16]).as_str(), "f5lxx1zz5pnorynqglhzmsp33");
    /// ```
    pub fn of(random: [u8; 16]) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut rest = u128::from_be_bytes(random);
        let mut digits = [b'0'; Self::LENGTH];
        for digit in digits.iter_mut().rev() {
            let value = usize::try_from(rest % 36).expect("less than 36");
            *digit = DIGITS[value];
            rest /= 36;
        }
        Self(digits.iter().copied().map(char::from).collect())
    }

    /// Reads a token in any case: mail servers may change it on the way.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let fine = (Self::LEAST..=Self::MOST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fine.then(|| Self(text.to_ascii_lowercase()))
            .ok_or(InvalidToken)
    }

    /// The token in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of the gateway: what mail is sent from, and where answers come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway(CalendarAddress);

/// An address cannot be the gateway's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the address of the mail gateway: expected a mail address such as calendar@example.org, with at most \
    {most} letters and digits before the `@` and no `+`, which separates the token",
    most = Gateway::MOST
)]
pub struct InvalidGateway(String);

/// Whom an address of the gateway's means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressed {
    /// Not the gateway.
    Other,
    /// The gateway without a token: bounces and strays.
    Plain,
    /// One guest of one meeting, if there is such a token.
    Token(Token),
    /// The gateway with something behind the `+` that is no token.
    BadToken,
}

impl Gateway {
    /// The most characters before the `@`: a `+` and a token have to follow (RFC 5321 §4.5.3.1.1).
    pub const MOST: usize = MAX_LOCAL_PART - Token::MOST - 1;

    /// Takes a mail address that a token can be added to.
    pub fn new(address: CalendarAddress) -> Result<Self, InvalidGateway> {
        let local = address.mailbox_name().unwrap_or_default();
        let fine = local.is_ascii()
            && is_dot_atom(&local)
            && local.len() <= Self::MOST
            && !local.contains('+');
        if fine {
            Ok(Self(address))
        } else {
            Err(InvalidGateway(address.human().to_owned()))
        }
    }

    /// The address without a token.
    pub const fn address(&self) -> &CalendarAddress {
        &self.0
    }

    /// `calendar+TOKEN@example.org`.
    ///
    /// ```
    /// use convoke_imip::{Addressed, Gateway, Token};
    ///
    /// let gateway = Gateway::new("calendar@example.org".parse()?)?;
    /// let token = Token::of([7; 16]);
    /// let address = gateway.with(&token);
    /// assert_eq!(gateway.read(&address), Addressed::Token(token));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with(&self, token: &Token) -> CalendarAddress {
        let (local, domain) = self
            .0
            .human()
            .rsplit_once('@')
            .expect("a gateway has a mail address");
        let text = format!("mailto:{local}+{token}@{domain}");
        CalendarAddress::new(&text).expect("letters and digits fit into an address")
    }

    /// Reads the recipient of a mail. The case of the local part does not count.
    pub fn read(&self, recipient: &CalendarAddress) -> Addressed {
        let own = self.0.mailbox_name().unwrap_or_default();
        let same_domain = recipient.domain().ok() == self.0.domain().ok();
        let Some(local) = recipient.mailbox_name().filter(|_| same_domain) else {
            return Addressed::Other;
        };
        let Some(start) = local.get(..own.len()) else {
            return Addressed::Other;
        };
        if !start.eq_ignore_ascii_case(&own) {
            return Addressed::Other;
        }
        match local[own.len()..].strip_prefix('+') {
            Some(token) => Token::parse(token).map_or(Addressed::BadToken, Addressed::Token),
            None if local.len() == own.len() => Addressed::Plain,
            None => Addressed::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> Gateway {
        Gateway::new("calendar@example.org".parse().unwrap()).unwrap()
    }

    #[test]
    fn recipients_are_told_apart() {
        let token = "0123456789abcdefghij";
        for (recipient, expected) in [
            ("calendar@example.org", Addressed::Plain),
            ("CALENDAR@EXAMPLE.ORG", Addressed::Plain),
            (
                "calendar+0123456789abcdefghij@example.org",
                Addressed::Token(Token::parse(token).unwrap()),
            ),
            (
                "Calendar+0123456789ABCDEFGHIJ@Example.org",
                Addressed::Token(Token::parse(token).unwrap()),
            ),
            ("calendar+@example.org", Addressed::BadToken),
            ("calendar+0123456789@example.org", Addressed::BadToken),
            (
                "calendar+0123456789-abcdefghij@example.org",
                Addressed::BadToken,
            ),
            (
                "calendar+0123456789abcdefghij@example.com",
                Addressed::Other,
            ),
            (
                "calendars+0123456789abcdefghij@example.org",
                Addressed::Other,
            ),
            ("calendar-x@example.org", Addressed::Other),
            ("cal@example.org", Addressed::Other),
            ("anna@example.org", Addressed::Other),
        ] {
            let recipient = recipient.parse().unwrap();
            assert_eq!(gateway().read(&recipient), expected, "{recipient}");
        }
    }

    #[test]
    fn tokens_are_long_and_short_enough() {
        for (random, expected) in [
            ([0; 16], "0000000000000000000000000"),
            ([255; 16], "f5lxx1zz5pnorynqglhzmsp33"),
        ] {
            let token = Token::of(random);
            assert_eq!(token.as_str(), expected);
            assert_eq!(Token::parse(expected), Ok(token));
        }
        let longest = "x".repeat(Gateway::MOST);
        let gateway = Gateway::new(format!("{longest}@example.org").parse().unwrap()).unwrap();
        let address = gateway.with(&Token::parse(&"y".repeat(Token::MOST)).unwrap());
        assert_eq!(address.local_part().unwrap().len(), 64);
        for wrong in [
            "",
            "0123456789abcdefghi",
            "0123456789abcdefghi_",
            &"x".repeat(41),
        ] {
            assert_eq!(Token::parse(wrong), Err(InvalidToken), "{wrong}");
        }
    }

    #[test]
    fn a_gateway_is_a_plain_mail_address() {
        for wrong in [
            "urn:uuid:1",
            "mailto:a+b@example.org",
            "mailto:a;b@example.org",
            "mailto:kalènder@example.org",
            "mailto:an-address-that-leaves-no-room@example.org",
        ] {
            let error = Gateway::new(wrong.parse().unwrap())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("cannot be the address of the mail gateway"),
                "{error}"
            );
        }
    }
}
