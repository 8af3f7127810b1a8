//! DKIM for HTTP (spec §7; RFC 6376, 8301, 8463): a domain vouches for a request.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`tags`] | [`TagList`]: `name=value; …`, of signatures and key records alike |
//! | [`canon`] | what is signed: header fields *ischedule-relaxed*, the body *simple* |
//! | [`signature`] | [`Signature`]: the `DKIM-Signature` field; [`Lookup`]: where its key may be found |
//! | [`key`] | [`KeyRecord`]: what a domain publishes |
//! | [`verify`] | [`Unverified`] → [`Pending`] → [`Verified`], or a [`Failure`] |
//! | [`sign`] | [`Signer`] |
//! | [`private`] | [`PrivateKey`]: read, generated, written; the records to publish for it |
//!
//! Only a verification makes a [`Verified`]: what needs a proven domain asks for one and cannot be called
//! without. The look-up of keys is the caller's, between the two steps:
//!
//! ```
//! # use convoke_ischedule::dkim::{Failure, KeyRecord, Unverified, Verified};
//! # fn find(_: &convoke_ischedule::dkim::Pending) -> Vec<KeyRecord> { Vec::new() }
//! fn who(headers: &http::HeaderMap, body: &[u8], now: jiff::Timestamp) -> Result<Verified, Failure> {
//!     let pending = Unverified { headers, body }.read(now)?;
//!     let keys = find(&pending); // by pending.domain(), pending.selector(), pending.lookups()
//!     pending.verify(&keys)
//! }
//! ```
//!
//! Not done: `z=` is ignored, `l=` refused, and RFC 6541 third-party authorisation is not looked for.

pub mod canon;
pub mod key;
pub mod private;
pub mod sign;
pub mod signature;
pub mod tags;
pub mod verify;

pub use key::{KeyError, KeyRecord, PublicKey};
pub use private::{KeyKind, PrivateKey, PrivateKeyError, txt_strings, zone_text};
pub use sign::{SignError, Signer};
pub use signature::{Algorithm, Lookup, Signature, SignatureError};
pub use tags::{TagError, TagList};
pub use verify::{Failure, Lifetime, Pending, Timestamped, Unverified, Verified};

use http::{HeaderName, header};

/// The header field that holds the signature.
pub const DKIM_SIGNATURE: HeaderName = HeaderName::from_static("dkim-signature");

/// The fields that every signature must cover.
pub const REQUIRED: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    crate::headers::ISCHEDULE_VERSION,
    crate::headers::ORIGINATOR,
    crate::headers::RECIPIENT,
];

/// The fields that a signature covers if they are there.
pub const IF_PRESENT: [HeaderName; 3] = [
    crate::headers::ISCHEDULE_MESSAGE_ID,
    header::USER_AGENT,
    header::AUTHORIZATION,
];

/// Whether a signature must not cover the field, because every hop may change it.
pub fn is_forbidden(name: &HeaderName) -> bool {
    const FORBIDDEN: [HeaderName; 10] = [
        header::CACHE_CONTROL,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::VIA,
        DKIM_SIGNATURE,
    ];
    FORBIDDEN.contains(name) || name == "keep-alive" || name.as_str().starts_with("proxy-")
}
