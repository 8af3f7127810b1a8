//! The `DKIM-Signature` field (RFC 6376 §3.5, as iSchedule narrows it).

use super::{
    REQUIRED,
    canon::Digest,
    is_forbidden,
    tags::{TagError, TagList},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use convoke_types::Domain;
use http::HeaderName;
use jiff::Timestamp;
use std::fmt;

/// How a request is signed. SHA-256 is the only hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5.
    RsaSha256,
    /// Ed25519 over the digest (RFC 8463).
    Ed25519Sha256,
}

impl Algorithm {
    /// The value of `a=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

/// Where the key of a signature may be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// A TXT record at `<selector>._domainkey.<domain>`.
    DnsTxt,
    /// `https://…/.well-known/domainkey/<domain>/<selector>`.
    HttpWellKnown,
    /// What the two administrators have handed each other.
    PrivateExchange,
}

impl Lookup {
    /// The word in `q=`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DnsTxt => "dns/txt",
            Self::HttpWellKnown => "http/well-known",
            Self::PrivateExchange => "private-exchange",
        }
    }

    /// Reads a word of `q=`; case does not count.
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::DnsTxt, Self::HttpWellKnown, Self::PrivateExchange]
            .into_iter()
            .find(|lookup| lookup.as_str().eq_ignore_ascii_case(text))
    }
}

/// A `DKIM-Signature` field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `a=`
    pub algorithm: Algorithm,
    /// `d=`: who signs.
    pub domain: Domain,
    /// `s=`: which of the domain's keys; letters, digits, `-`, `_` and `.` only.
    pub selector: String,
    /// `i=`: the domain of the identity, the signer's or one below it.
    pub identity: Domain,
    /// `h=`: the fields signed, in order, none twice.
    pub headers: Vec<HeaderName>,
    /// `bh=`: the digest of the body.
    pub body: Digest,
    /// `t=`
    pub signed_at: Option<Timestamp>,
    /// `x=`
    pub expires: Option<Timestamp>,
    /// `q=`: where to look for the key, in the sender's order; unknown methods are left out. Written only if there
    /// are any, and then a reader takes `dns/txt`.
    pub lookups: Vec<Lookup>,
    /// `b=`
    pub bytes: Vec<u8>,
}

/// A peer's `DKIM-Signature` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a tag list.
    #[error("DKIM-Signature is not a tag list: {0}")]
    Tags(#[from] TagError),
    /// A tag that must be there is not.
    #[error("DKIM-Signature has no `{0}=`")]
    Missing(&'static str),
    /// The value of a tag is not one.
    #[error("DKIM-Signature has a wrong `{tag}=`: {reason}")]
    Wrong {
        /// The tag.
        tag: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A field that must be signed is not.
    #[error("DKIM-Signature does not cover the field {0}")]
    NotCovered(HeaderName),
    /// A field that every hop may change is signed.
    #[error("DKIM-Signature covers the field {0}, which it must not")]
    Covered(HeaderName),
}

const CANONICALISATION: &str = "ischedule-relaxed/simple";

impl Signature {
    /// Reads the field's value, and refuses what iSchedule does not allow.
    pub fn read(text: &str) -> Result<Self, SignatureError> {
        let tags = TagList::read(text)?;
        let required = |tag| tags.squeezed(tag).ok_or(SignatureError::Missing(tag));
        if required("v")? != "1" {
            return Err(wrong("v", "it must be 1"));
        }
        if tags.get("l").is_some() {
            return Err(wrong("l", "a signature must cover the whole body"));
        }
        check_canonicalisation(tags.squeezed("c").as_deref())?;
        let domain = Domain::new(&required("d")?).map_err(|_| wrong("d", "no domain name"))?;
        let selector = required("s")?;
        if !is_selector(&selector) {
            return Err(wrong("s", "no selector"));
        }
        let signed_at = time(&tags, "t")?;
        let expires = time(&tags, "x")?;
        // RFC 6376 §3.5
        if expires.is_some_and(|x| signed_at.is_some_and(|t| x <= t)) {
            return Err(wrong("x", "it is not after t="));
        }
        let body = decode(&required("bh")?).and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            algorithm: algorithm(&required("a")?)?,
            identity: identity(tags.get("i"), &domain)?,
            domain,
            selector,
            headers: headers(&required("h")?)?,
            body: body.ok_or(wrong("bh", "no SHA-256 digest in base64"))?,
            signed_at,
            expires,
            lookups: lookups(&tags),
            bytes: decode(&required("b")?).ok_or(wrong("b", "no base64"))?,
        })
    }
}

impl fmt::Display for Signature {
    /// The value of the field; with [`Self::bytes`] empty it is what the signature is made over.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain, selector, ..
        } = self;
        let algorithm = self.algorithm.as_str();
        write!(
            f,
            "v=1; a={algorithm}; c={CANONICALISATION}; d={domain}; s={selector}; "
        )?;
        if self.identity != self.domain {
            write!(f, "i=@{}; ", self.identity)?;
        }
        if let Some(time) = self.signed_at {
            write!(f, "t={}; ", time.as_second())?;
        }
        if let Some(time) = self.expires {
            write!(f, "x={}; ", time.as_second())?;
        }
        if !self.lookups.is_empty() {
            let lookups: Vec<_> = self.lookups.iter().map(|l| l.as_str()).collect();
            write!(f, "q={}; ", lookups.join(":"))?;
        }
        let headers: Vec<_> = self.headers.iter().map(HeaderName::as_str).collect();
        write!(
            f,
            "h={}; bh={}; b={}",
            headers.join(":"),
            STANDARD.encode(self.body),
            STANDARD.encode(&self.bytes)
        )
    }
}

const fn wrong(tag: &'static str, reason: &'static str) -> SignatureError {
    SignatureError::Wrong { tag, reason }
}

fn check_canonicalisation(value: Option<&str>) -> Result<(), SignatureError> {
    // RFC 6376 §3.5: a body canonicalisation left out is *simple*.
    let fine = value.is_some_and(|c| {
        c.eq_ignore_ascii_case(CANONICALISATION) || c.eq_ignore_ascii_case("ischedule-relaxed")
    });
    let must = "iSchedule requests are signed with ischedule-relaxed/simple";
    if fine { Ok(()) } else { Err(wrong("c", must)) }
}

fn algorithm(value: &str) -> Result<Algorithm, SignatureError> {
    let known = [Algorithm::RsaSha256, Algorithm::Ed25519Sha256];
    // RFC 8301 §3.1: rsa-sha1 must not be taken.
    known
        .into_iter()
        .find(|a| a.as_str().eq_ignore_ascii_case(value))
        .ok_or(wrong("a", "rsa-sha256 and ed25519-sha256 are taken"))
}

fn identity(value: Option<&str>, signer: &Domain) -> Result<Domain, SignatureError> {
    let Some(value) = value else {
        return Ok(signer.clone());
    };
    let domain = value
        .rsplit_once('@')
        .and_then(|(_, domain)| Domain::new(domain).ok())
        .ok_or(wrong("i", "no `@` with a domain name"))?;
    if domain.is_within(signer) {
        Ok(domain)
    } else {
        Err(wrong("i", "its domain is not within d="))
    }
}

fn headers(value: &str) -> Result<Vec<HeaderName>, SignatureError> {
    let mut headers: Vec<HeaderName> = Vec::new();
    for name in value.split(':') {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("h", "no list of field names"))?;
        if is_forbidden(&name) {
            return Err(SignatureError::Covered(name));
        }
        // Spec §7: fields of one name are joined, so each name stands once.
        if headers.contains(&name) {
            return Err(wrong("h", "a field name stands twice"));
        }
        if headers.len() == MAX_HEADERS {
            return Err(wrong("h", "more than 100 field names"));
        }
        headers.push(name);
    }
    match REQUIRED.into_iter().find(|name| !headers.contains(name)) {
        Some(missing) => Err(SignatureError::NotCovered(missing)),
        None => Ok(headers),
    }
}

const MAX_HEADERS: usize = 100;

fn lookups(tags: &TagList) -> Vec<Lookup> {
    // RFC 6376 §3.5: dns/txt if it does not say; methods that are not known are skipped.
    let Some(names) = tags.list("q") else {
        return vec![Lookup::DnsTxt];
    };
    let mut lookups = Vec::new();
    for lookup in names.iter().filter_map(|name| Lookup::from_name(name)) {
        if !lookups.contains(&lookup) {
            lookups.push(lookup);
        }
    }
    lookups
}

fn time(tags: &TagList, tag: &'static str) -> Result<Option<Timestamp>, SignatureError> {
    let Some(text) = tags.get(tag) else {
        return Ok(None);
    };
    // RFC 6376 §3.5: up to twelve digits, which reach beyond the year 9999.
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits);
    let seconds = seconds.ok_or(wrong(tag, "no number of seconds"))?;
    Ok(Some(
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX),
    ))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

/// RFC 6376 §3.1, without what would need care in a DNS name, a path or a file name.
pub(super) fn is_selector(text: &str) -> bool {
    text.len() <= 200
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

#[cfg(test)]
mod tests;
