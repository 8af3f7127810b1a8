//! Two domains that share nothing but what administrators exchange: a folder each, with keys and a configuration.

use convoke_ischedule::dkim::{KeyKind, PrivateKey};
use convoke_types::Domain;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The `s=` of the demo's signatures.
const SELECTOR: &str = "demo";

/// The demo's world could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorldError {
    /// Files.
    #[error(
        "the demo's files cannot be written: {0}; see that the temporary folder (TMPDIR) has room"
    )]
    Files(#[from] io::Error),
    /// Certificates.
    #[error("the demo's certificates cannot be made: {0}")]
    Certificates(#[from] rcgen::Error),
    /// Signatures.
    #[error("the demo's signing keys cannot be made: {0}")]
    Keys(#[from] convoke_ischedule::dkim::PrivateKeyError),
}

/// Everything that the demo makes, in a folder that goes when this goes.
pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) harbour: House,
    pub(crate) meadow: House,
}

/// One domain.
pub(crate) struct House {
    pub(crate) domain: Domain,
    pub(crate) folder: PathBuf,
    /// Where its receiver listens.
    pub(crate) port: u16,
    store: Store,
}

#[derive(Clone, Copy)]
enum Store {
    Sqlite,
    Vdir,
}

impl House {
    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.join("convoke.toml")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder.join("host.log")
    }

    /// The configuration of its host.
    fn config(&self, other: &Self) -> String {
        let (domain, port) = (&self.domain, self.port);
        let (peer, peer_port) = (&other.domain, other.port);
        let store = match self.store {
            Store::Sqlite => "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
            Store::Vdir => "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
        };
        format!(
            r#"# {domain}, as `convoke demo` made it.

[server]
domains = ["{domain}"]
state = "state"
administrator = "mailto:admin@{domain}"

[[listener]]
role = "receiver"                      # for the world: here, for the host of {peer}
address = "127.0.0.1:{port}"
tls = {{ certificate = "host.pem", key = "host.key" }}

[[listener]]
role = "submission"                    # for our own users and services; the system chooses the port
address = "127.0.0.1:0"

[signing]
domain = "{domain}"
selector = "{SELECTOR}"
key = "dkim.pem"
lookup = ["private-exchange"]

[verification]
required = true
private_exchange = "keys"              # keys/<domain>/<selector>: what the other administrator handed over

[client]
ca = "ca.pem"                          # the demo's own certificate authority

[[discovery]]
plugin = "discovery-static"
config.domains."{peer}" = "https://localhost:{peer_port}/.well-known/ischedule"

[[policy]]
plugin = "policy-rules"
config.rules = [
  {{ allow = "any", via = "submission" }},                       # our own users, to anybody
  {{ allow = "any", from = "*@{peer}", via = "dkim" }},   # theirs, when their host has signed
]

[scheduling]
settle = "1s"                          # a calendar must be quiet for so long until its changes are told

[[store]]
{store}
"#
        )
    }
}

impl World {
    /// Makes everything but calendars.
    pub(crate) fn make() -> Result<Self, WorldError> {
        let folder = tempfile::Builder::new().prefix("convoke-demo-").tempdir()?;
        let house = |name: &str, store| -> io::Result<House> {
            let domain = Domain::new(&format!("{name}.example")).map_err(io::Error::other)?;
            let folder = folder.path().join(name);
            fs::create_dir(&folder)?;
            Ok(House {
                domain,
                folder,
                port: 0,
                store,
            })
        };
        let harbour = house("harbour", Store::Sqlite)?;
        let meadow = house("meadow", Store::Vdir)?;
        let mut world = Self {
            folder,
            harbour,
            meadow,
        };
        world.certify()?;
        world.exchange_keys()?;
        world.choose_ports()?;
        Ok(world)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Removes everything, and says so if that fails.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.folder.close()
    }

    /// Ports that are free now, written into both configurations.
    pub(crate) fn choose_ports(&mut self) -> io::Result<()> {
        let reserve = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let sockets = [reserve()?, reserve()?]; // both held at once, so that they differ
        self.harbour.port = sockets[0].local_addr()?.port();
        self.meadow.port = sockets[1].local_addr()?.port();
        let (harbour, meadow) = (&self.harbour, &self.meadow);
        fs::write(harbour.config_file(), harbour.config(meadow))?;
        fs::write(meadow.config_file(), meadow.config(harbour))
    }

    /// A certificate authority, which exists only while this runs, and a certificate for each host.
    fn certify(&self) -> Result<(), WorldError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let name = "Convoke demo authority";
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        for house in [&self.harbour, &self.meadow] {
            let names = ["localhost".to_owned(), format!("cal.{}", house.domain)];
            let mut params = CertificateParams::new(names)?;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params
                .distinguished_name
                .push(DnType::CommonName, format!("cal.{}", house.domain));
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &issuer)?;
            fs::write(house.folder.join("ca.pem"), &authority)?;
            fs::write(house.folder.join("host.pem"), certificate.pem())?;
            write_secret(&house.folder.join("host.key"), &key.serialize_pem())?;
        }
        Ok(())
    }

    /// Each administrator makes a signing key and hands the public half to the other.
    fn exchange_keys(&self) -> Result<(), WorldError> {
        for (house, other) in [(&self.harbour, &self.meadow), (&self.meadow, &self.harbour)] {
            let key = PrivateKey::generate(KeyKind::Ed25519)?;
            write_secret(&house.folder.join("dkim.pem"), &key.to_pem()?)?;
            let known = other.folder.join("keys").join(house.domain.as_str());
            fs::create_dir_all(&known)?;
            fs::write(known.join(SELECTOR), format!("{}\n", key.record()))?;
        }
        Ok(())
    }
}

fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn both_configurations_are_right() {
        let world = World::make().unwrap();
        for house in [&world.harbour, &world.meadow] {
            let config = Config::read(&house.config_file()).unwrap();
            assert_eq!(config.server.domains, std::slice::from_ref(&house.domain));
            assert!(config.verification.required);
        }
        assert_ne!(world.harbour.port, world.meadow.port);
        let folder = world.folder().to_owned();
        world.remove().unwrap();
        assert!(!folder.exists());
    }
}
