//! Which servers are believed, for connections by rustls.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`certificate`] | what a certificate says of itself |
//! | `verifier` | the ordinary rules over the system's trust anchors, and what was listed besides |
//! | `words` | why a handshake failed, or PEM cannot be read, in words |
//!
//! [`client_config`] is the way in, [`verifier()`] what it verifies by; [`Believed`] is one listed certificate. Nothing here is read but the system's trust
//! anchors, and those by [`system_anchors`] alone.
//!
//! Not done: a path length that a listed authority states for itself is not looked at, nor is revocation.

pub mod certificate;
mod verifier;
mod words;

pub use verifier::{
    Believed, Identity, TlsError, client_config, leads_to_an_anchor, system_anchors, verifier,
};
pub use words::{in_words, pem_in_words};

// What it takes and gives.
pub use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
