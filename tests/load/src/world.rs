//! A Convoke of our own: a folder with certificates, keys, a configuration and one user's calendar, and the program.

use crate::{Trouble, calendar};
use convoke_ischedule::dkim::{KeyKind, Lookup, PrivateKey, Signer};
use convoke_types::Domain;
use rcgen::{CertificateParams, KeyPair};
use serde::Deserialize;
use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};
use tempfile::TempDir;

/// Who asks, and whose calendar it is.
pub(crate) const ANNA: &str = "mailto:anna@example.com";
/// See [`ANNA`].
pub(crate) const BO: &str = "mailto:bo@example.org";
const SELECTOR: &str = "load";

/// Which plugin keeps the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// store-sqlite
    Sqlite,
    /// store-vdir
    Vdir,
}

impl Store {
    /// The plugin's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "store-sqlite",
            Self::Vdir => "store-vdir",
        }
    }
}

/// A folder with everything that a host needs.
pub(crate) struct World {
    folder: TempDir,
    program: PathBuf,
}

/// A program that is stopped when this goes.
pub(crate) struct Running {
    child: Child,
    /// Where it listens with TLS.
    pub(crate) tls: SocketAddr,
    /// Where it listens without, if it does.
    pub(crate) plain: Option<SocketAddr>,
    /// Where it takes mail, if it does.
    pub(crate) lmtp: Option<SocketAddr>,
}

#[derive(Deserialize)]
struct Note {
    role: String,
    address: SocketAddr,
    tls: bool,
}

impl World {
    /// A host of `program` whose only user has so many events.
    pub(crate) fn new(program: &Path, store: Store, events: u64) -> Result<Self, Trouble> {
        Self::in_folder(&std::env::temp_dir(), program, store, events)
    }

    /// The same, below a folder.
    pub(crate) fn in_folder(
        folder: &Path,
        program: &Path,
        store: Store,
        events: u64,
    ) -> Result<Self, Trouble> {
        let world = Self {
            folder: tempfile::Builder::new()
                .prefix("convoke-load-")
                .tempdir_in(folder)?,
            program: program.to_owned(),
        };
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
        fs::write(world.path("host.pem"), certificate.pem())?;
        write_private(&world.path("host.key"), &key.serialize_pem())?;
        let dkim = PrivateKey::generate(KeyKind::Ed25519)?;
        write_private(&world.path("dkim.pem"), &dkim.to_pem()?)?;
        fs::create_dir_all(world.path("keys/example.com"))?;
        let record = format!("{}\n", dkim.record());
        fs::write(world.path("keys/example.com").join(SELECTOR), record)?;
        fs::write(world.path("convoke.toml"), config(store))?;
        world.command(&["user", "add", "bo@example.org"])?;
        match store {
            Store::Sqlite => {
                fs::write(world.path("seed.ics"), calendar::whole(events))?;
                let file = world.path("seed.ics").display().to_string();
                world.command(&["calendar", "import", "--user", "bo@example.org", &file])?;
            }
            // As another program would have left them there: each file synced would take hours.
            Store::Vdir => {
                let folder = world.path("calendars/bo@example.org/calendar");
                fs::create_dir_all(&folder)?;
                for number in 0..events {
                    let (uid, text) = calendar::one(number);
                    fs::write(folder.join(format!("{uid}.ics")), text)?;
                }
            }
        }
        Ok(world)
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs as the domain of [`ANNA`].
    pub(crate) fn signer(&self) -> Result<Signer, Trouble> {
        let key = PrivateKey::from_pem(&fs::read_to_string(self.path("dkim.pem"))?)?;
        let domain = Domain::new("example.com")?;
        Ok(Signer::new(
            domain,
            SELECTOR,
            key,
            vec![Lookup::PrivateExchange],
        )?)
    }

    /// Starts the host and waits until it listens.
    pub(crate) fn serve(&self) -> Result<Running, Trouble> {
        let mut child = Command::new(&self.program)
            .args(["serve", "--config"])
            .arg(self.path("convoke.toml"))
            .env("RUST_LOG", "warn,convoke=info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or("the log is piped")?).lines();
        let mut seen = String::new();
        loop {
            match log.next() {
                Some(Ok(line)) if line.contains("\"ready\"") => break,
                Some(Ok(line)) => seen.extend([&line, "\n"]),
                Some(Err(_)) | None => {
                    return Err(format!("the host does not start:\n{seen}").into());
                }
            }
        }
        thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        let notes = fs::read(self.path("state/listeners.json"))?;
        let notes: Vec<Note> = serde_json::from_slice(&notes)?;
        let place = |tls| {
            let mut notes = notes.iter();
            notes
                .find(|it| it.role == "receiver" && it.tls == tls)
                .map(|it| it.address)
        };
        let mail = notes.iter().find(|it| it.role == "lmtp");
        Ok(Running {
            child,
            tls: place(true).ok_or("the host has no listener with TLS")?,
            plain: place(false),
            lmtp: mail.map(|it| it.address),
        })
    }

    /// Starts the floor with this world's certificate and answers of `size` bytes.
    pub(crate) fn floor(&self, size: usize) -> Result<Running, Trouble> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["floor", "--size", &size.to_string(), "--certificate"])
            .arg(self.path("host.pem"))
            .arg("--key")
            .arg(self.path("host.key"))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("the output is piped")?;
        BufReader::new(out).read_line(&mut line)?;
        Ok(Running {
            child,
            tls: line.trim().parse()?,
            plain: None,
            lmtp: None,
        })
    }

    fn command(&self, arguments: &[&str]) -> Result<(), Trouble> {
        let done = Command::new(&self.program)
            .args(arguments)
            .arg("--config")
            .arg(self.path("convoke.toml"))
            .output()?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(format!("convoke {}: {said}", arguments.join(" ")).into())
    }
}

impl Running {
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The host takes a private key only if it is private.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

fn config(store: Store) -> String {
    let path = match store {
        Store::Sqlite => "calendars.db",
        Store::Vdir => "calendars",
    };
    format!(
        "[server]\ndomains = [\"example.org\"]\nstate = \"state\"\nadministrator = \"mailto:admin@example.org\"\n\
         [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"host.pem\", key = \"host.key\" }}\n\
         [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\n\
         [[listener]]\nrole = \"lmtp\"\naddress = \"127.0.0.1:0\"\n\
         [mail]\nsmtp = \"smtp://127.0.0.1:1\"\naddress = \"calendar@example.org\"\ntrusted = [\"mx.example.org\"]\n\
         [verification]\nrequired = false\nprivate_exchange = \"keys\"\n\
         [[policy]]\nplugin = \"policy-rules\"\nconfig.rules = [{{ allow = \"any\" }}]\n\
         [[store]]\nplugin = \"{}\"\nconfig.path = \"{path}\"\n",
        store.name()
    )
}
