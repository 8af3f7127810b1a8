//! Our words in the form in which they cross the boundary, and back.
//!
//! Writing cannot fail. Reading does when the other side sent what our types refuse; whoever reads says whose fault
//! that is. Codes that are not known are read as `convoke_abi` says at each.

mod call;
mod discovery;
mod policy;
mod services;
mod state;
mod store;

#[cfg(any(test, feature = "host"))]
use convoke_abi::values::LentAttribute;
#[cfg(any(test, feature = "host"))]
pub(crate) use policy::Staged;

use crate::{CalendarAddress, Domain, Error, ErrorKind};
use convoke_abi::{
    ROption, RString, RVec,
    values::{
        Address, Attribute, Attributes as Sent, Failure, Instant, Length, LentAttributes, Range,
        failure,
    },
};
use convoke_types::{Attributes, TimeRange};
use jiff::Timestamp;
use std::{path::PathBuf, time::Duration};

/// A value that can be sent.
pub(crate) trait Write {
    /// What it becomes.
    type Sent;
    /// Makes it ready to cross.
    fn write(self) -> Self::Sent;
}

/// A value that can be received as `Sent`.
pub(crate) trait Read<Sent>: Sized {
    /// Takes it in.
    fn read(sent: Sent) -> Result<Self, Garbage>;
}

/// A value that can be received in the place, and the memory, of another one.
pub(crate) trait Reread<Sent>: Read<Sent> {
    /// Becomes what was sent; on an error, anything.
    fn reread(&mut self, sent: Sent) -> Result<(), Garbage>;
}

/// What the other side sent is not what it should be.
pub(crate) struct Garbage(String);

impl Garbage {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The error of a plugin that was called with it.
    pub(crate) fn blame_host(self) -> Error {
        Error::invalid(format!("the host's request cannot be read: {}", self.0))
    }

    /// The error of a plugin that answered with it.
    #[cfg(feature = "host")]
    pub(crate) fn blame_plugin(self) -> Error {
        Error::internal(format!("the plugin's answer cannot be read: {}", self.0))
    }
}

impl<E: std::error::Error> From<E> for Garbage {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Write for Error {
    type Sent = Failure;

    fn write(self) -> Failure {
        let kind = match self.kind() {
            ErrorKind::Unavailable => failure::UNAVAILABLE,
            ErrorKind::Conflict => failure::CONFLICT,
            ErrorKind::Invalid => failure::INVALID,
            ErrorKind::NotFound => failure::NOT_FOUND,
            ErrorKind::Denied => failure::DENIED,
            ErrorKind::Unsupported => failure::UNSUPPORTED,
            // Internal, and what has no code yet.
            _ => failure::INTERNAL,
        };
        Failure {
            kind,
            message: self.message().into(),
            attributes: RVec::new(),
        }
    }
}

/// The error that crossed.
pub(crate) fn error_of(failure: Failure) -> Error {
    let kind = match failure.kind {
        failure::UNAVAILABLE => ErrorKind::Unavailable,
        failure::CONFLICT => ErrorKind::Conflict,
        failure::INVALID => ErrorKind::Invalid,
        failure::NOT_FOUND => ErrorKind::NotFound,
        failure::DENIED => ErrorKind::Denied,
        failure::UNSUPPORTED => ErrorKind::Unsupported,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, sentence(failure.message))
}

/// The longest text for the log that is taken, in bytes.
const MAX_SENTENCE: usize = 4096;

/// A text for the log, cut if it is longer than any sentence.
fn sentence(sent: RString) -> String {
    let mut text = sent.into_string();
    if text.len() > MAX_SENTENCE {
        let end = (0..=MAX_SENTENCE)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

impl Write for Timestamp {
    type Sent = Instant;

    fn write(self) -> Instant {
        Instant {
            seconds: self.as_second(),
            nanoseconds: self.subsec_nanosecond(),
        }
    }
}

impl Read<Instant> for Timestamp {
    fn read(sent: Instant) -> Result<Self, Garbage> {
        Ok(Self::new(sent.seconds, sent.nanoseconds)?)
    }
}

impl Write for TimeRange {
    type Sent = Range;

    fn write(self) -> Range {
        Range {
            start: self.start().write(),
            end: self.end().write(),
        }
    }
}

impl Read<Range> for TimeRange {
    fn read(sent: Range) -> Result<Self, Garbage> {
        Ok(Self::new(
            Timestamp::read(sent.start)?,
            Timestamp::read(sent.end)?,
        )?)
    }
}

impl Write for Duration {
    type Sent = Length;

    fn write(self) -> Length {
        Length {
            seconds: self.as_secs(),
            nanoseconds: self.subsec_nanos(),
        }
    }
}

impl Read<Length> for Duration {
    fn read(sent: Length) -> Result<Self, Garbage> {
        // Nanoseconds beyond a second would carry, and could overflow.
        Ok(Self::new(sent.seconds, sent.nanoseconds.min(999_999_999)))
    }
}

impl<'a> Write for &'a CalendarAddress {
    type Sent = Address<'a>;

    fn write(self) -> Address<'a> {
        Address {
            uri: self.as_str().into(),
            domain: self.known_domain().map_or("", Domain::as_str).into(),
        }
    }
}

impl Read<Address<'_>> for CalendarAddress {
    /// The host read and normalised it; doing so again would cost more than the whole call.
    fn read(sent: Address<'_>) -> Result<Self, Garbage> {
        let domain = some(sent.domain.as_str()).map(Domain::from_normalised);
        Ok(Self::from_normalised(sent.uri.as_str(), domain))
    }
}

impl Reread<Address<'_>> for CalendarAddress {
    fn reread(&mut self, sent: Address<'_>) -> Result<(), Garbage> {
        self.set_normalised(sent.uri.as_str(), some(sent.domain.as_str()));
        Ok(())
    }
}

/// A text that is empty where there is none.
fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A path whose bytes, as the system has them, crossed.
#[cfg(unix)]
pub(crate) fn read_path(bytes: &[u8]) -> PathBuf {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
pub(crate) fn read_path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Named facts, ready to cross.
pub(crate) fn attributes<'a>(facts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sent {
    facts
        .into_iter()
        .map(|(name, value)| Attribute {
            name: name.into(),
            value: value.into(),
        })
        .collect()
}

impl Write for &Attributes {
    type Sent = Sent;

    fn write(self) -> Sent {
        if self.is_empty() {
            return RVec::new();
        }
        attributes(self.iter())
    }
}

impl Read<Sent> for Attributes {
    fn read(sent: Sent) -> Result<Self, Garbage> {
        Ok(read_attributes(sent))
    }
}

/// What the other side says of itself.
pub(crate) fn read_attributes(sent: Sent) -> Attributes {
    if sent.is_empty() {
        return Attributes::new();
    }
    (sent.into_iter())
        .map(|fact| (fact.name.into_string(), fact.value.into_string()))
        .collect()
}

/// The same, of what is only lent.
#[inline]
fn copy_attributes(sent: LentAttributes<'_>) -> Attributes {
    if sent.is_empty() {
        return Attributes::new();
    }
    (sent.as_slice().iter())
        .map(|fact| (fact.name.as_str(), fact.value.as_str()))
        .collect()
}

/// Named facts, ready to be lent.
#[cfg(any(test, feature = "host"))]
fn lend_attributes(facts: &Attributes) -> Vec<LentAttribute<'_>> {
    let lent = facts.iter().map(|(name, value)| LentAttribute {
        name: name.into(),
        value: value.into(),
    });
    lent.collect()
}

fn write_text(text: Option<String>) -> ROption<RString> {
    text.map(RString::from).into()
}

fn read_text(text: ROption<RString>) -> Option<String> {
    text.map(RString::into_string).into()
}

fn read_all<Sent, T: Read<Sent>>(sent: RVec<Sent>) -> Result<Vec<T>, Garbage> {
    sent.into_iter().map(T::read).collect()
}

fn write_all<T: Write>(items: Vec<T>) -> RVec<T::Sent> {
    items.into_iter().map(T::write).collect()
}

impl Write for () {
    type Sent = ();

    fn write(self) {}
}

impl Read<()> for () {
    fn read((): ()) -> Result<Self, Garbage> {
        Ok(())
    }
}

impl<T: Write> Write for Option<T> {
    type Sent = ROption<T::Sent>;

    fn write(self) -> ROption<T::Sent> {
        self.map(T::write).into()
    }
}

impl<Sent, T: Read<Sent>> Read<ROption<Sent>> for Option<T> {
    fn read(sent: ROption<Sent>) -> Result<Self, Garbage> {
        sent.into_option().map(T::read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, Discovered, Etag, Uid, UserId};
    use convoke_abi::{discovery, policy};

    fn receiver(url: &str) -> discovery::Receiver {
        discovery::Receiver {
            url: url.into(),
            host_end: u32::try_from(url.len().saturating_sub(1)).unwrap(),
            port: 443,
            target_start: u32::try_from(url.len().saturating_sub(1)).unwrap(),
            tls_name: ROption::RNone,
            valid_for: ROption::RNone,
            source: 0,
            attributes: RVec::new(),
        }
    }

    #[test]
    fn answers_that_make_no_sense_are_told_and_not_taken() {
        let good = "https://cal.example.com/";
        for (outcome, receivers, says) in [
            (99, vec![], "outcome 99 is not known"),
            (0, vec![receiver(good)], "outcome 0 is not known"),
            (discovery::outcome::RECEIVERS, vec![], "none of them"),
            (
                discovery::outcome::RECEIVERS,
                vec![receiver(good), receiver("http://cal.example.com/")],
                "`http://cal.example.com/` is no URL",
            ),
            (
                discovery::outcome::RECEIVERS,
                vec![receiver("")],
                "`` is no URL",
            ),
        ] {
            let sent = discovery::Discovered {
                outcome,
                receivers: receivers.into(),
                attributes: RVec::new(),
            };
            let Err(Garbage(text)) = Discovered::read(sent) else {
                panic!("{outcome} is taken");
            };
            assert!(text.contains(says), "{text}");
        }
        for wrong in [String::new(), "x".repeat(10_000_000), "a\nb".to_owned()] {
            assert!(Uid::read(RString::from(wrong.as_str())).is_err());
            assert!(Etag::read(RString::from(wrong.as_str())).is_err());
            assert!(UserId::read(RString::from(wrong.as_str())).is_err());
        }
        let beyond = Instant {
            seconds: i64::MAX,
            nanoseconds: i32::MIN,
        };
        assert!(Timestamp::read(beyond).is_err());
    }

    #[test]
    fn what_a_policy_says_in_no_known_way_denies() {
        let said = |verdict, detail, reason: &str| {
            let decision = policy::Decision {
                verdict,
                detail,
                reason: reason.into(),
                attributes: RVec::new(),
            };
            match Decision::read(decision) {
                Ok(decision) => decision,
                Err(Garbage(text)) => Decision::deny(text),
            }
        };
        assert_eq!(
            said(99, 0, ""),
            Decision::deny("its verdict 99 is not known")
        );
        let long = said(policy::verdict::DENY, 0, &"ü".repeat(5_000_000));
        let Decision::Deny(reason) = long else {
            panic!("it is allowed");
        };
        assert!(reason.len() <= MAX_SENTENCE + 3);
    }

    #[test]
    fn failures_of_no_known_kind_are_the_plugins_fault_and_their_texts_are_cut() {
        let failure = Failure {
            kind: 4711,
            message: "x".repeat(10_000_000).into(),
            attributes: RVec::new(),
        };
        let error = error_of(failure);
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().len() <= MAX_SENTENCE + 3);
    }
}
