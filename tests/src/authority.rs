//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Issues certificates that only this test trusts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Certificate and private key, PEM.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The certificate.
    pub certificate: String,
    /// Its PKCS#8 key.
    pub key: String,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    ///
    /// If no keys can be made.
    #[allow(clippy::new_without_default, reason = "each call makes another one")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("the authority signs itself"))
    }

    /// The authority's own certificate, PEM.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for DNS names or IP addresses, for servers and clients alike.
    ///
    /// # Panics
    ///
    /// If a name cannot stand in a certificate.
    pub fn issue(&self, names: &[&str]) -> Credentials {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params =
            CertificateParams::new(names).expect("the names are DNS names or addresses");
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.0)
            .expect("the authority signs");
        Credentials {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Credentials {
    /// Writes `NAME.pem` and `NAME.key`.
    ///
    /// # Panics
    ///
    /// If the folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let files = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key")),
        );
        fs::write(&files.0, &self.certificate).expect("the folder can be written");
        fs::write(&files.1, &self.key).expect("the folder can be written");
        files
    }
}
