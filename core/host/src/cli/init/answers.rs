//! What is asked, or said by options.

use super::{Init, store::Store};
use crate::cli::output::Failure;
use convoke_types::Domain;
use std::{
    fmt::Display,
    fs,
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    str::FromStr,
};
use url::Url;

/// Everything that a configuration is made of.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) domain: Domain,
    pub(super) host: Domain,
    pub(super) port: u16,
    pub(super) who: Who,
    pub(super) store: Store,
    /// Login and password file for a CalDAV server.
    pub(super) login: (String, PathBuf),
    pub(super) certificate: Certificate,
    pub(super) state: PathBuf,
}

/// The directory of Let's Encrypt.
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The certificate that the host shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Certificate {
    /// One to try out with is to be made.
    New,
    /// The files of a chain and its key.
    Files(PathBuf, PathBuf),
    /// What an authority issues by itself: its directory.
    Acme(Url),
}

/// Who may ask when our people are free, and invite them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever is found in the DNS and signs; strangers' invitations wait in the inbox.
    Everybody,
    Nobody,
    /// People of these domains.
    Domains(Vec<Domain>),
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "everybody" => Ok(Self::Everybody),
            "nobody" => Ok(Self::Nobody),
            _ => {
                let domains = text.split(',').map(|it| it.trim().parse());
                let domains: Result<Vec<Domain>, _> = domains.collect();
                domains.map(Self::Domains).map_err(|error| {
                    format!(
                        "write everybody, nobody, or domains (example.com,example.net): {error}"
                    )
                })
            }
        }
    }
}

/// What the options say, and for the rest what is answered; with `--yes` what is usual.
pub(super) fn of(init: Init, file: &Path) -> Result<Answers, Failure> {
    let asked = Questions { yes: init.yes };
    let domain: Domain = match init.domain {
        Some(domain) => domain,
        None => asked.ask("Which domain are your people's addresses in", None)?,
    };
    let usual = format!("cal.{domain}");
    let host = match init.host {
        Some(host) => host,
        None => asked.ask("What is this machine called in the DNS", Some(&usual))?,
    };
    let question = "Who may ask when your people are free, and invite them (everybody who signs, nobody, or domains)";
    let who = match init.who {
        Some(who) => who,
        None => asked.ask(question, Some("everybody"))?,
    };
    let named = Named::from(file)?;
    let state = match init.state {
        Some(state) => named.place(state)?,
        None => usual_state(file),
    };
    let usual = format!("sqlite:{}", state.join("calendars.db").display());
    let question = "Where are calendars (sqlite:FILE, vdir:FOLDER, caldav:URL)";
    let store = match init.store {
        Some(store) => named.store(store)?,
        None => match asked.ask(question, Some(&usual))? {
            // It lies below the state, wherever that is.
            store if usual.parse().as_ref() == Ok(&store) => store,
            store => named.store(store)?,
        },
    };
    let password = init.caldav_password_file;
    let password = password.map(|it| named.file(it)).transpose()?;
    if store.is_caldav() && password.is_none() {
        return Err(Failure::usage(
            "a CalDAV server wants a login that may read and write everybody's calendars; name it with --caldav-user, and the file \
             that holds its password with --caldav-password-file",
        ));
    }
    let certificate = match (init.acme, init.certificate, init.key) {
        (Some(directory), ..) => Certificate::Acme(directory),
        (None, Some(certificate), Some(key)) => {
            Certificate::Files(named.file(certificate)?, named.file(key)?)
        }
        _ if who == Who::Nobody && store.is_caldav() => Certificate::New,
        _ => asked.certificate(&named)?,
    };
    if !cfg!(feature = "acme") && matches!(certificate, Certificate::Acme(_)) {
        return Err(Failure::usage(
            "this convoke was built without ACME (the cargo feature `acme`); name a certificate with --certificate and --key",
        ));
    }
    Ok(Answers {
        domain,
        host,
        port: init.port,
        who,
        store,
        login: (init.caldav_user, password.unwrap_or_default()),
        certificate,
        state,
    })
}

fn usual_state(file: &Path) -> PathBuf {
    let is_installed = file.starts_with("/etc");
    PathBuf::from(if is_installed {
        "/var/lib/convoke"
    } else {
        "state"
    })
}

/// What is named here, where the command runs, in a configuration that may lie elsewhere: it reads paths from its own folder.
struct Named {
    is_beside: bool,
}

impl Named {
    fn from(file: &Path) -> Result<Self, Failure> {
        let here = absolute(Path::new("."))?;
        let folder = absolute(file)?.parent().map(Path::to_owned);
        let is_beside = folder.is_some_and(|folder| folder == here);
        Ok(Self { is_beside })
    }

    /// Something that is there, or will be made.
    fn place(&self, path: PathBuf) -> Result<PathBuf, Failure> {
        if self.is_beside {
            return Ok(path);
        }
        absolute(&path)
    }

    /// A file that has to be there.
    fn file(&self, path: PathBuf) -> Result<PathBuf, Failure> {
        if let Err(error) = fs::metadata(&path) {
            let text = format!("{} cannot be read: {error}", path.display());
            return Err(Failure::usage(text));
        }
        self.place(path)
    }

    fn store(&self, store: Store) -> Result<Store, Failure> {
        Ok(match store {
            Store::Sqlite(file) => Store::Sqlite(self.place(file)?),
            Store::Vdir(folder) => Store::Vdir(self.place(folder)?),
            Store::Caldav(home) => Store::Caldav(home),
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(format!("{} leads nowhere: {error}", path.display())))
}

struct Questions {
    yes: bool,
}

impl Questions {
    /// Asks until the answer can be read. What is `usual` is the answer of who says nothing.
    fn ask<T: FromStr<Err: Display>>(
        &self,
        question: &str,
        usual: Option<&str>,
    ) -> Result<T, Failure> {
        loop {
            let answer = match usual {
                Some(usual) if self.yes => usual.to_owned(),
                _ => self.answer(question, usual)?,
            };
            match answer.parse() {
                Ok(answer) => return Ok(answer),
                Err(error) if self.yes => return Err(Failure::usage(error.to_string())),
                Err(error) => say(&format!("{error}\n")),
            }
        }
    }

    /// A file of a certificate, and then that of its key.
    fn certificate(&self, named: &Named) -> Result<Certificate, Failure> {
        let question = "Certificate chain of this machine (a file, acme to have Let's Encrypt issue it, or new for one to try out with)";
        let file: String = self.ask(question, Some("new"))?;
        match &*file {
            "new" => return Ok(Certificate::New),
            "acme" => {
                let directory = LETS_ENCRYPT.parse().expect("a literal URL");
                return Ok(Certificate::Acme(directory));
            }
            _ => {}
        }
        let key: String = self.ask("Its private key (a file)", None)?;
        Ok(Certificate::Files(
            named.file(file.into())?,
            named.file(key.into())?,
        ))
    }

    fn answer(&self, question: &str, usual: Option<&str>) -> Result<String, Failure> {
        let unanswered = || {
            Failure::usage(format!(
                "`{question}?` has no answer; say it by an option, see `convoke init --help`"
            ))
        };
        if self.yes {
            return Err(unanswered());
        }
        let usual_shown = usual.map_or_else(String::new, |it| format!(" [{it}]"));
        say(&format!("{question}?{usual_shown} "));
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => Err(unanswered()),
            Ok(_) => Ok(match (line.trim(), usual) {
                ("", Some(usual)) => usual.to_owned(),
                (answer, _) => answer.to_owned(),
            }),
        }
    }
}

/// Questions go to stderr: stdout is for what was asked for.
fn say(text: &str) {
    let mut err = io::stderr().lock();
    // Nothing is left to do if stderr is closed.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
