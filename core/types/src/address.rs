//! Who: calendar user addresses, and the domains and receivers they lead to.

use crate::text::excerpt;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, str::FromStr};
use url::Url;

/// Letters of a wrong text that its error shows: enough to recognise it, without filling a log with it.
const MOST_SHOWN: usize = 120;

/// A DNS domain name: lower-case A-labels, without a trailing dot.
///
/// `EXAMPLE.org.` and `example.org` are the same value; `bücher.example` becomes `xn--bcher-kva.example`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// A text is not a domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a domain name such as `example.org`")]
pub struct InvalidDomain(String);

impl Domain {
    /// Reads a domain name, with or without a trailing dot, Unicode or A-labels.
    pub fn new(text: &str) -> Result<Self, InvalidDomain> {
        let invalid = || InvalidDomain(excerpt(text, MOST_SHOWN));
        let name = text.strip_suffix('.').unwrap_or(text);
        let ascii = idna::domain_to_ascii_strict(name).map_err(|_| invalid())?;
        let labels_fit = ascii
            .split('.')
            .all(|label| (1..=63).contains(&label.len()));
        if labels_fit && ascii.len() <= 253 {
            Ok(Self(ascii))
        } else {
            Err(invalid())
        }
    }

    /// Takes back what [`as_str`](Self::as_str) gave, without reading it again. Anything else breaks the promise of
    /// this type; for the plugin boundary, where both sides share it and a call may cost nanoseconds only.
    #[doc(hidden)]
    pub fn from_normalised(name: &str) -> Self {
        debug_assert_eq!(Self::new(name).as_ref().map(Self::as_str), Ok(name));
        Self(name.to_owned())
    }

    /// As [`from_normalised`](Self::from_normalised), in the memory of this one.
    #[doc(hidden)]
    #[inline]
    pub fn set_normalised(&mut self, name: &str) {
        debug_assert_eq!(Self::new(name).as_ref().map(Self::as_str), Ok(name));
        self.0.clear();
        self.0.push_str(name);
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or one of its sub-domains; whole labels count, so `evil-example.org` is not
    /// under `example.org`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .strip_suffix(&other.0)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The domain without its leftmost label; `None` for a single label.
    pub fn parent(&self) -> Option<Self> {
        self.0
            .split_once('.')
            .map(|(_, parent)| Self(parent.to_owned()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        Self::new(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = InvalidDomain;

    fn try_from(text: String) -> Result<Self, InvalidDomain> {
        Self::new(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

/// A calendar user address (RFC 5545 §3.3.3): a URI, nearly always `mailto:`.
///
/// Normalised on reading: the scheme, the domain and a `urn:uuid:` are lower-case, a `mailto:` query and percent-encoding are
/// undone, but for `%`, `?` and `#`, which mean something in a URI, and a bare `user@host` is read as `mailto:user@host` (Cyrus sends
/// those). The local part keeps its case. What was normalised is read again as the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CalendarAddress {
    uri: String,
    domain: Option<Domain>,
}

/// A text is not a calendar user address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a calendar user address such as `mailto:anna@example.org`: {reason}")]
pub struct InvalidAddress {
    text: String,
    reason: &'static str,
}

/// An address without a host, for which no receiver can be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no domain, so no server can be found for it")]
pub struct NoDomain(String);

/// The URI of somebody without a name.
const ANONYMOUS: &str = "urn:x-convoke:anonymous";

impl CalendarAddress {
    /// The longest address taken, in bytes.
    pub const MAX: usize = 1024;

    /// Reads an absolute URI or a bare `user@host`.
    pub fn new(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |reason| InvalidAddress {
            text: excerpt(text, MOST_SHOWN),
            reason,
        };
        let text = text.trim();
        if text.len() > Self::MAX {
            return Err(invalid("it is longer than 1024 bytes"));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(invalid("it holds a space or a control character"));
        }
        match split_scheme(text) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto") => {
                mailto(rest).map_err(invalid)
            }
            Some(_) => other_uri(text).map_err(invalid),
            None if text.contains('@') => mailto(text).map_err(invalid),
            None => Err(invalid("it has no scheme")),
        }
    }

    /// Reads an address of mail, `local-part@domain`, in which nothing is percent-encoded (RFC 5321 §4.1.2).
    pub fn of_mailbox(spec: &str) -> Result<Self, InvalidAddress> {
        Self::new(&format!("mailto:{}", encoded(spec)))
    }

    /// Takes back what [`as_str`](Self::as_str) and [`domain`](Self::domain) gave, without reading it again; as
    /// [`Domain::from_normalised`].
    #[doc(hidden)]
    pub fn from_normalised(uri: &str, domain: Option<Domain>) -> Self {
        Self {
            uri: uri.to_owned(),
            domain,
        }
    }

    /// As [`from_normalised`](Self::from_normalised), in the memory of this one.
    #[doc(hidden)]
    #[inline]
    pub fn set_normalised(&mut self, uri: &str, domain: Option<&str>) {
        self.uri.clear();
        self.uri.push_str(uri);
        match (&mut self.domain, domain) {
            (Some(before), Some(domain)) => before.set_normalised(domain),
            (_, domain) => self.domain = domain.map(Domain::from_normalised),
        }
    }

    /// Who does not say who they are, as policies see them: whoever reads a free-busy URL without logging in.
    pub fn anonymous() -> Self {
        Self {
            uri: ANONYMOUS.to_owned(),
            domain: None,
        }
    }

    /// Whether it stands for somebody who does not say who they are. Nobody proves to be it.
    pub fn is_anonymous(&self) -> bool {
        self.uri == ANONYMOUS
    }

    /// The normalised URI.
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// The domain whose server takes messages for this address.
    pub fn domain(&self) -> Result<&Domain, NoDomain> {
        self.domain
            .as_ref()
            .ok_or_else(|| NoDomain(self.uri.clone()))
    }

    /// As [`domain`](Self::domain), where nobody wants to know why there is none.
    #[doc(hidden)]
    pub const fn known_domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// The part of a `mailto:` address before the `@`, in the case it was written in, as the URI has it.
    pub fn local_part(&self) -> Option<&str> {
        let (local, _) = self.uri.strip_prefix("mailto:")?.rsplit_once('@')?;
        Some(local)
    }

    /// The [local part](Self::local_part) as mail has it, without percent-encoding.
    pub fn mailbox_name(&self) -> Option<Cow<'_, str>> {
        percent_decoded(self.local_part()?)
    }

    /// `user@host` for a `mailto:` address, else the whole URI: what people read.
    pub fn human(&self) -> &str {
        self.uri.strip_prefix("mailto:").unwrap_or(&self.uri)
    }

    /// Whether a text, as it stands in a calendar, is an address of the same calendar user.
    ///
    /// As [`same_user`](Self::same_user) of what [`new`](Self::new) reads, but most texts need not be read for it.
    ///
    /// ```
    /// let bo = convoke_types::CalendarAddress::new("mailto:bo@example.org")?;
    /// assert!(bo.is_written_as("MAILTO:Bo@Example.org") && bo.is_written_as("mailto:b%6f@example.org"));
    /// assert!(!bo.is_written_as("mailto:bob@example.org") && !bo.is_written_as("Bo"));
    /// # Ok::<(), convoke_types::InvalidAddress>(())
    /// ```
    pub fn is_written_as(&self, text: &str) -> bool {
        let text = text.trim();
        if is_plain(text) {
            return self.uri.eq_ignore_ascii_case(text);
        }
        Self::new(text).is_ok_and(|address| self.same_user(&address))
    }

    /// Whether both name the same calendar user as people see it: like `==`, but the case of a `mailto:` local
    /// part does not count.
    pub fn same_user(&self, other: &Self) -> bool {
        if self.local_part().is_some() {
            self.uri.eq_ignore_ascii_case(&other.uri)
        } else {
            self == other
        }
    }
}

/// Whether a text is a `mailto:` address that reading it would change in nothing but case, or refuse.
fn is_plain(text: &str) -> bool {
    let scheme = text.get(.."mailto:".len());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
        && !text.ends_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'?' | b'#'))
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.chars();
    // RFC 3986 §3.1
    let fine = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    fine.then_some((scheme, rest))
}

fn mailto(rest: &str) -> Result<CalendarAddress, &'static str> {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (local, domain) = rest.rsplit_once('@').ok_or("it has no `@`")?;
    let local = percent_decoded(local).ok_or("its percent-encoding is broken")?;
    if local.is_empty()
        || local.contains(|c: char| c.is_control() || c.is_whitespace() || ",<>".contains(c))
    {
        return Err("the part before `@` is not a mailbox name");
    }
    // RFC 6068 §2: a domain may be percent-encoded UTF-8, too.
    let domain = percent_decoded(domain).ok_or("its percent-encoding is broken")?;
    let domain = Domain::new(&domain).map_err(|_| "the part after `@` is not a domain name")?;
    Ok(CalendarAddress {
        uri: ["mailto:", &*encoded(&local), "@", domain.as_str()].concat(),
        domain: Some(domain),
    })
}

fn other_uri(text: &str) -> Result<CalendarAddress, &'static str> {
    if text.contains(',') {
        return Err("it holds a comma");
    }
    let url = Url::parse(text).map_err(|_| "it is not an absolute URI")?;
    let domain = url.host_str().and_then(|host| Domain::new(host).ok());
    let mut uri = String::from(url);
    // RFC 8141 §3.1, RFC 9562 §4: neither `URN:UUID:` nor the digits of a UUID have a case.
    if uri
        .get(..9)
        .is_some_and(|it| it.eq_ignore_ascii_case("urn:uuid:"))
    {
        uri.make_ascii_lowercase();
    }
    Ok(CalendarAddress { uri, domain })
}

/// What would be another address, or none, where it is read again: a `%` begins an octet in a URI, `?` and `#` end the address.
fn encoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '?', '#']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('%', "%25");
    Cow::Owned(text.replace('?', "%3F").replace('#', "%23"))
}

/// `None` if a `%` begins no octet (RFC 3986 §2.1), or the octets are no UTF-8.
fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = text.find('%') else {
        return Some(Cow::Borrowed(text));
    };
    let is_octet = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text[first..].split('%').skip(1).all(is_octet) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

impl fmt::Display for CalendarAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

impl FromStr for CalendarAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        Self::new(text)
    }
}

impl TryFrom<String> for CalendarAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        Self::new(&text)
    }
}

impl From<CalendarAddress> for String {
    fn from(address: CalendarAddress) -> Self {
        address.uri
    }
}

/// The URL of an iSchedule Receiver: `https`, with a host, without user, password or fragment.
///
/// Plain HTTP is refused: the specification dropped it, and nothing proves who answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReceiverUrl {
    text: String,
    /// Where the host ends, which begins after [`SCHEME`].
    host_end: u32,
    port: u16,
    /// Where path and query begin.
    target_start: u32,
}

/// What a receiver's URL begins with.
const SCHEME: &str = "https://";

/// A text is not the URL of a receiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a receiver URL such as `https://cal.example.org/.well-known/ischedule`: {reason}"
)]
pub struct InvalidUrl {
    text: String,
    reason: &'static str,
}

impl ReceiverUrl {
    /// Reads an `https` URL.
    pub fn new(text: &str) -> Result<Self, InvalidUrl> {
        let invalid = |reason| InvalidUrl {
            text: excerpt(text, MOST_SHOWN),
            reason,
        };
        let url = Url::parse(text).map_err(|_| invalid("it is not an absolute URL"))?;
        if url.scheme() != "https" {
            return Err(invalid("iSchedule goes over https only"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(invalid("it may hold no user, password or fragment"));
        }
        let port = url.port_or_known_default().unwrap_or(443);
        let text = String::from(url);
        let target = text[SCHEME.len()..].find(['/', '?']);
        let target_start = target.map_or(text.len(), |at| SCHEME.len() + at);
        let authority = &text[..target_start];
        // What follows the last colon is a port, unless that colon is one of an IPv6 address.
        let host_end = match authority.rfind(':') {
            Some(colon) if colon > SCHEME.len() && !authority[colon..].contains(']') => colon,
            _ => authority.len(),
        };
        let place = |at: usize| u32::try_from(at).map_err(|_| invalid("it is too long"));
        Ok(Self {
            host_end: place(host_end)?,
            port,
            target_start: place(target_start)?,
            text,
        })
    }

    /// Takes the parts that [`parts`](Self::parts) gave, without parsing the URL again; `None` if they are not such. For
    /// the plugin boundary, where a call may cost nanoseconds only.
    #[doc(hidden)]
    pub fn from_parts(text: String, host_end: u32, port: u16, target_start: u32) -> Option<Self> {
        let (end, start) = (host_end as usize, target_start as usize);
        let host = text.strip_prefix(SCHEME).and(text.get(SCHEME.len()..end))?;
        let written = text.get(end..start)?;
        let target = text.get(start..)?;
        let is_host = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._[:]".contains(&byte)
        };
        let is_port = match written.strip_prefix(':') {
            Some(digits) => digits.parse() == Ok(port) && port != 443,
            None => written.is_empty() && port == 443,
        };
        let fits = !host.is_empty()
            && host.bytes().all(is_host)
            && is_port
            && target.starts_with('/')
            && target
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        fits.then_some(Self {
            text,
            host_end,
            port,
            target_start,
        })
    }

    /// Where the parts of the text lie: the end of the host, the port, and the beginning of path and query.
    #[doc(hidden)]
    pub const fn parts(&self) -> (u32, u16, u32) {
        (self.host_end, self.port, self.target_start)
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host: a domain name in lower case, or an IP address, in brackets if it is an IPv6 one.
    pub fn host(&self) -> &str {
        &self.text[SCHEME.len()..self.host_end as usize]
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.text[self.target_start as usize..]
    }

    /// The URL, parsed.
    pub fn url(&self) -> Url {
        Url::parse(&self.text).expect("it was made of one")
    }
}

impl fmt::Display for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ReceiverUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::new(text)
    }
}

impl TryFrom<String> for ReceiverUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        Self::new(&text)
    }
}

impl From<ReceiverUrl> for String {
    fn from(url: ReceiverUrl) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_normalised() {
        for (text, uri) in [
            ("mailto:Anna@Example.ORG", "mailto:Anna@example.org"),
            ("MAILTO:anna@example.org.", "mailto:anna@example.org"),
            ("anna@example.org", "mailto:anna@example.org"),
            (
                " mailto:anna@bücher.example ",
                "mailto:anna@xn--bcher-kva.example",
            ),
            (
                "mailto:anna@b%C3%BCcher.example",
                "mailto:anna@xn--bcher-kva.example",
            ),
            (
                "anna@B%c3%9cCHER.example",
                "mailto:anna@xn--bcher-kva.example",
            ),
            (
                "mailto:o%27brien@example.org?subject=hi",
                "mailto:o'brien@example.org",
            ),
            ("mailto:50%25off@example.org", "mailto:50%25off@example.org"),
            ("mailto:a%252Bb@example.org", "mailto:a%252Bb@example.org"),
            ("mailto:a%3fb%23@example.org", "mailto:a%3Fb%23@example.org"),
            (
                "https://Cal.Example.org/principals/anna",
                "https://cal.example.org/principals/anna",
            ),
            ("urn:uuid:1f0c", "urn:uuid:1f0c"),
            ("URN:UUID:1F0C", "urn:uuid:1f0c"),
        ] {
            let address = CalendarAddress::new(text).unwrap();
            assert_eq!(address.as_str(), uri);
            assert_eq!(CalendarAddress::new(uri), Ok(address));
        }
    }

    #[test]
    fn nothing_is_percent_encoded_in_mail() {
        for (spec, uri, local) in [
            ("bo@Example.com", "mailto:bo@example.com", "bo"),
            ("a#b?c@example.com", "mailto:a%23b%3Fc@example.com", "a#b?c"),
            (
                "50%off@example.com",
                "mailto:50%25off@example.com",
                "50%off",
            ),
            (
                "bo%2Bx@example.com",
                "mailto:bo%252Bx@example.com",
                "bo%2Bx",
            ),
        ] {
            let address = CalendarAddress::of_mailbox(spec).unwrap();
            assert_eq!(address.as_str(), uri);
            assert_eq!(address.mailbox_name().as_deref(), Some(local));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "anna",
            "mailto:",
            "mailto:anna",
            "mailto:@example.org",
            "mailto:a b@example.org",
            "mailto:a%2@b.c",
            "mailto:a@b%2.example",
            "mailto:a@b%FC.example",
            "mailto:a@b%40c.example",
            "mailto:a@b.example%0d%0aX",
            "mailto:a@b%2Fc.example",
            "a,b@c.d",
            "x:",
        ] {
            let read = CalendarAddress::new(text);
            assert!(read.is_err() || text == "x:", "{text:?} became {read:?}");
        }
    }

    #[test]
    fn people_do_not_see_the_case_of_a_local_part() {
        let [upper, lower, other] = ["Anna@example.org", "anna@example.org", "bo@example.org"]
            .map(|a| CalendarAddress::new(a).unwrap());
        assert_ne!(upper, lower);
        assert!(upper.same_user(&lower));
        assert!(!upper.same_user(&other));
    }

    #[test]
    fn an_address_without_a_host_has_no_domain() {
        assert!(
            CalendarAddress::new("urn:uuid:1f0c")
                .unwrap()
                .domain()
                .is_err()
        );
        assert_eq!(
            CalendarAddress::new("a@b.example")
                .unwrap()
                .domain()
                .unwrap()
                .as_str(),
            "b.example"
        );
    }

    #[test]
    fn a_sub_domain_is_counted_in_whole_labels() {
        let domain = |text| Domain::new(text).unwrap();
        let example = domain("example.org");
        for within in [
            "example.org",
            "EXAMPLE.ORG",
            "cal.example.org",
            "a.b.example.org.",
            "exAmple.org.",
        ] {
            assert!(domain(within).is_within(&example), "{within}");
        }
        for outside in [
            "evil-example.org",
            "example.org.evil.net",
            "org",
            "ample.org",
        ] {
            assert!(!domain(outside).is_within(&example), "{outside}");
        }
    }

    #[test]
    fn domains_that_dns_cannot_hold_are_refused() {
        let long = format!("{}.example", "x".repeat(64));
        for wrong in [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a/b",
            &long,
            &"ab.".repeat(90),
        ] {
            assert!(Domain::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn receivers_are_reached_over_https_only() {
        assert!(ReceiverUrl::new("https://cal.example.org:8443/ischedule").is_ok());
        for wrong in [
            "http://cal.example.org/",
            "cal.example.org",
            "https://u:p@cal.example.org/",
            "https://",
        ] {
            assert!(ReceiverUrl::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_parts_of_a_url_are_where_they_are_said_to_be() {
        for (text, host, port, target) in [
            ("https://Cal.example.org", "cal.example.org", 443, "/"),
            (
                "https://cal.example.org:443/a?b",
                "cal.example.org",
                443,
                "/a?b",
            ),
            (
                "https://cal.example.org:8443?b",
                "cal.example.org",
                8443,
                "/?b",
            ),
            ("https://[2001:DB8::1]/x", "[2001:db8::1]", 443, "/x"),
            ("https://[::1]:8443/", "[::1]", 8443, "/"),
            ("https://192.0.2.1/a%20b", "192.0.2.1", 443, "/a%20b"),
            (
                "https://b\u{fc}cher.example/\u{fc}",
                "xn--bcher-kva.example",
                443,
                "/%C3%BC",
            ),
        ] {
            let url = ReceiverUrl::new(text).unwrap();
            assert_eq!((url.host(), url.port(), url.target()), (host, port, target));
            let (host_end, port, target_start) = url.parts();
            let again = ReceiverUrl::from_parts(url.text.clone(), host_end, port, target_start);
            assert_eq!(again.as_ref(), Some(&url));
            assert_eq!(url.url().as_str(), url.as_str());
        }
        for (text, host_end, port, target_start) in [
            ("http://cal.example.org/", 22, 443, 22),
            ("https://cal.example.org/", 23, 444, 23),
            ("https://cal.example.org:8443/", 23, 443, 28),
            ("https://cal.example.org/#x", 23, 443, 23),
            ("https://cal.example.org/ x", 23, 443, 23),
            ("https://u@cal.example.org/", 25, 443, 25),
            ("https://cal.example.org", 23, 443, 23),
            ("https://cal.example.org/", 23, 443, 99),
            ("https://cal.example.org/", 4, 443, 23),
            ("https:///", 8, 443, 8),
            ("", 0, 443, 0),
        ] {
            let read = ReceiverUrl::from_parts(text.to_owned(), host_end, port, target_start);
            assert_eq!(read, None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_ends_and_is_stable(text in "\\PC{0,60}") {
            if let Ok(address) = CalendarAddress::new(&text) {
                prop_assert_eq!(CalendarAddress::new(address.as_str()).unwrap(), address);
            }
        }
    }
}
