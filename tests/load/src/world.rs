//! A Convoke of our own: a folder with certificates, keys, a configuration and one user's calendar, and the program.

use crate::{Trouble, calendar};
use convoke_ischedule::dkim::{KeyKind, Lookup, PrivateKey, Signer};
use convoke_types::Domain;
use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
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
/// Of every key.
pub(crate) const SELECTOR: &str = "load";

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

    /// What it keeps calendars in, beside the configuration.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Sqlite => "calendars.db",
            Self::Vdir => "calendars",
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
    /// Where it tells its metrics, if it does.
    pub(crate) admin: Option<SocketAddr>,
    /// Where calendar programs go, if they do.
    pub(crate) caldav: Option<SocketAddr>,
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
        let world = Self::configured(folder, program, &config(store))?;
        let dkim = PrivateKey::generate(KeyKind::Ed25519)?;
        world.signs_with(&dkim)?;
        world.believes(&dkim, "example.com")?;
        world.command(&["user", "add", "bo@example.org"])?;
        world.fill(store, "bo@example.org", events)?;
        Ok(world)
    }

    /// A folder below another one, with a certificate for `localhost` and this configuration.
    pub(crate) fn configured(folder: &Path, program: &Path, config: &str) -> Result<Self, Trouble> {
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
        fs::write(world.path("convoke.toml"), config)?;
        Ok(world)
    }

    /// Its own key is this one.
    pub(crate) fn signs_with(&self, key: &PrivateKey) -> Result<(), Trouble> {
        Ok(write_private(&self.path("dkim.pem"), &key.to_pem()?)?)
    }

    /// A domain signs with this key.
    pub(crate) fn believes(&self, key: &PrivateKey, domain: &str) -> Result<(), Trouble> {
        let folder = self.path("keys").join(domain);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(SELECTOR), format!("{}\n", key.record()))?;
        Ok(())
    }

    /// Fills the calendar of a user with events that concern nobody else.
    pub(crate) fn fill(&self, store: Store, user: &str, events: u64) -> Result<(), Trouble> {
        match store {
            Store::Sqlite => {
                fs::write(self.path("seed.ics"), calendar::whole(events))?;
                let file = self.path("seed.ics").display().to_string();
                self.command(&["calendar", "import", "--user", user, &file])
            }
            // As another program would have left them there: each file synced would take hours.
            Store::Vdir => {
                let folder = self.path("calendars").join(user).join("calendar");
                fs::create_dir_all(&folder)?;
                for number in 0..events {
                    let (uid, text) = calendar::one(number);
                    fs::write(folder.join(format!("{uid}.ics")), text)?;
                }
                Ok(())
            }
        }
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
        self.serve_logging(drop)
    }

    /// The same, and hands over each line of its log from then on.
    pub(crate) fn serve_logging(
        &self,
        mut log_to: impl FnMut(String) + Send + 'static,
    ) -> Result<Running, Trouble> {
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
        thread::spawn(move || log.map_while(Result::ok).for_each(&mut log_to));
        let notes = fs::read(self.path("state/listeners.json"))?;
        let notes: Vec<Note> = serde_json::from_slice(&notes)?;
        let place = |tls| {
            let mut notes = notes.iter();
            notes
                .find(|it| it.role == "receiver" && it.tls == tls)
                .map(|it| it.address)
        };
        let mail = notes.iter().find(|it| it.role == "lmtp");
        let mut admin = notes.iter().filter(|it| it.role == "admin");
        Ok(Running {
            child,
            tls: place(true).ok_or("the host has no listener with TLS")?,
            plain: place(false),
            lmtp: mail.map(|it| it.address),
            admin: admin.next().map(|it| it.address),
            caldav: notes
                .iter()
                .find(|it| it.role == "caldav")
                .map(|it| it.address),
        })
    }

    /// Starts the floor with this world's certificate and answers of `size` bytes.
    pub(crate) fn floor(&self, size: usize) -> Result<Running, Trouble> {
        self.own(&["floor", "--size", &size.to_string()])
    }

    /// Starts the least proxy with this world's certificate.
    pub(crate) fn relay(&self, to: SocketAddr) -> Result<Running, Trouble> {
        self.own(&["relay", &to.to_string()])
    }

    /// Starts a server of this program.
    fn own(&self, arguments: &[&str]) -> Result<Running, Trouble> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .arg("--certificate")
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
            admin: None,
            caldav: None,
        })
    }

    /// Has a command done.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<(), Trouble> {
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

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(mut self) -> Result<(), Trouble> {
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// The sum of a metric over all its labels.
    pub(crate) fn metric(&self, name: &str) -> Result<u64, Trouble> {
        let address = self.admin.ok_or("the host has no admin listener")?;
        let mut stream = TcpStream::connect(address)?;
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let lines = answer.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let mut sum = 0;
        for line in lines {
            let (_, value) = line.rsplit_once(' ').unwrap_or_default();
            sum += value.parse::<u64>()?;
        }
        Ok(sum)
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
    format!(
        "[server]\ndomains = [\"example.org\"]\nstate = \"state\"\nadministrator = \"mailto:admin@example.org\"\n\
         [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"host.pem\", key = \"host.key\" }}\n\
         [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\n\
         [[listener]]\nrole = \"lmtp\"\naddress = \"127.0.0.1:0\"\n\
         [mail]\nsmtp = \"smtp://127.0.0.1:1\"\naddress = \"calendar@example.org\"\ntrusted = [\"mx.example.org\"]\n\
         [verification]\nrequired = false\nprivate_exchange = \"keys\"\n\
         [[policy]]\nplugin = \"policy-rules\"\nconfig.rules = [{{ allow = \"any\" }}]\n\
         [[store]]\nplugin = \"{}\"\nconfig.path = \"{}\"\n",
        store.name(),
        store.path()
    )
}
