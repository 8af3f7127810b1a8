//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, date_time_ymd,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
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
        issue(&leaf(names), &self.0)
    }

    /// The same for servers alone, as public authorities do it.
    ///
    /// # Panics
    ///
    /// If a name cannot stand in a certificate.
    pub fn issue_for_servers(&self, names: &[&str]) -> Credentials {
        let mut params = leaf(names);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        issue(&params, &self.0)
    }

    /// The same, but it ended long ago.
    ///
    /// # Panics
    ///
    /// If a name cannot stand in a certificate.
    pub fn issue_expired(&self, names: &[&str]) -> Credentials {
        let mut params = leaf(names);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        issue(&params, &self.0)
    }
}

fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("the names are DNS names or addresses");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}

fn issue(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Credentials {
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = params.signed_by(&key, issuer).expect("the issuer signs");
    Credentials {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

impl Credentials {
    /// A certificate for these names that signs itself; an authority, as `openssl req -x509` makes it, or none.
    ///
    /// # Panics
    ///
    /// If a name cannot stand in a certificate.
    pub fn self_signed(names: &[&str], authority: bool) -> Self {
        let mut params = leaf(names);
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.self_signed(&key).expect("the key signs");
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// An authority that ended long ago.
    ///
    /// # Panics
    ///
    /// If no keys can be made.
    pub fn expired_authority() -> Self {
        let mut params = leaf(&["example.com"]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.self_signed(&key).expect("the key signs");
        Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A certificate that the owner of these credentials makes for others, whether they are an authority or not. Its
    /// chain holds theirs.
    ///
    /// # Panics
    ///
    /// If a name cannot stand in a certificate.
    #[must_use]
    pub fn forge(&self, names: &[&str]) -> Self {
        let key = KeyPair::from_pem(&self.key).expect("the key is PEM");
        let forged = issue(&leaf(names), &Issuer::new(leaf(&[]), key));
        Self {
            certificate: forged.certificate + &self.certificate,
            key: forged.key,
        }
    }

    /// Writes `NAME.pem` and `NAME.key`, the key for its owner only.
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
        write_private(&files.1, &self.key);
        files
    }
}

/// Writes a file that only its owner may read.
///
/// # Panics
///
/// If it cannot be written.
pub fn write_private(file: &Path, text: &str) {
    fs::write(file, text).expect("the folder can be written");
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(file, mode).expect("the file is ours");
}
