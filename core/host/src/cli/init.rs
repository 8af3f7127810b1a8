//! `convoke init`: a configuration for a domain, its keys, and the DNS records that go with it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `answers` | what is asked, or said by options |
//! | `store` | where calendars are to be |
//! | `text` | the configuration, with comments |
//! | `files` | what is written, and what is left alone |
//!
//! Always true: nothing is written before everything is known and the configuration can be read; what is there is written over
//! only with `--force`, and then kept beside it; keys never are, but for that of a certificate for another host, which is kept
//! beside it, too.

mod answers;
mod files;
mod store;
mod text;

use super::{
    Global,
    keys::{DnsRecords, Place, dns_records},
    output::{self, Failure},
};
use crate::config::Config;
use answers::{Answers, Who};
use clap::Args;
use convoke_ischedule::dkim::PrivateKey;
use convoke_types::Domain;
use files::{Made, Written};
use nix::unistd::Uid;
use serde::Serialize;
use std::path::{Path, PathBuf};
use store::Store;
use url::Url;

const EXAMPLES: &str = "\
Examples:
  convoke init
  convoke init --domain example.org --who everybody --certificate fullchain.pem --key privkey.pem
  convoke init --domain example.org --who example.com,example.net --store vdir:/srv/calendars --yes
  convoke init --domain example.org --store 'caldav:http://127.0.0.1:5232/{user}/' --caldav-password-file dav.password
  convoke init --domain example.org --acme --who everybody
  convoke init --domain example.org --yes --print

What no option says is asked, on stdin; with --yes, what stands in brackets is taken. `convoke check` then says what is still \
missing: the DNS records, which are printed, above all. What is written by root belongs to the owner of `server.state` where it \
must be private.";

/// Ask a few questions, and write a configuration with its keys
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Init {
    /// The domain of your people's addresses
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<Domain>,
    /// What this machine is called in the DNS [default: cal.DOMAIN]
    #[arg(long, value_name = "NAME")]
    host: Option<Domain>,
    /// The port of the receiver
    #[arg(long, default_value = "8443")]
    port: u16,
    /// Who may ask when your people are free and invite them: `everybody` who signs, `nobody`, or domains
    #[arg(long, value_name = "WHO")]
    who: Option<Who>,
    /// Where calendars are: `sqlite:FILE`, `vdir:FOLDER`, or `caldav:URL` with {user} in it
    #[arg(long, value_name = "STORE")]
    store: Option<Store>,
    /// Who may read and write everybody's calendars on the CalDAV server
    #[arg(long, value_name = "LOGIN", default_value = "convoke")]
    caldav_user: String,
    /// The file that holds the password
    #[arg(long, value_name = "FILE")]
    caldav_password_file: Option<PathBuf>,
    /// The certificate chain for the host; without one, a certificate to try out with is made
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Have certificates issued and renewed over ACME, by the authority with this directory [default: that of Let's Encrypt]
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        default_missing_value = answers::LETS_ENCRYPT,
        conflicts_with = "certificate"
    )]
    acme: Option<Url>,
    /// What the host must remember is kept here [default: /var/lib/convoke for a configuration below /etc, else `state` beside it]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Ask nothing
    #[arg(long, short = 'y')]
    yes: bool,
    /// Print the configuration, and write nothing
    #[arg(long)]
    print: bool,
    /// Write over a configuration that is there, which is kept with `.old` behind its name
    #[arg(long)]
    force: bool,
}

/// Where a package has put a configuration.
const INSTALLED: &str = "/etc/convoke";

/// `init --json`.
#[derive(Serialize)]
struct Shown<'a> {
    config: &'a Path,
    /// Everything that was written.
    files: &'a [Written],
    /// What was left as it was, and does not fit.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    remarks: &'a [String],
    /// What is to be published, if messages are signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<DnsRecords>,
}

impl Init {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let file = global.config.clone().unwrap_or_else(usual);
        if !self.print && !self.force && file.exists() {
            return Err(Failure::new(format!(
                "{} is there already; name another with --config, or let it be written over with --force",
                file.display()
            )));
        }
        let (print, force) = (self.print, self.force);
        let answers = answers::of(self, &file)?;
        let text = text::of(&answers);
        // What was answered may not go together.
        Config::parse(&text, &file)?;
        if print {
            return output::print_text(&text);
        }
        let made = files::write(&file, &text, &answers, force)?;
        tell(global, &file, &answers, &made)
    }
}

/// `/etc/convoke/convoke.toml` for root, where a package has made that folder; else in this folder.
fn usual() -> PathBuf {
    let installed = Path::new(INSTALLED);
    let folder = if Uid::effective().is_root() && installed.is_dir() {
        installed
    } else {
        Path::new("")
    };
    folder.join("convoke.toml")
}

fn tell(global: &Global, file: &Path, answers: &Answers, made: &Made) -> Result<(), Failure> {
    let records = made.key.as_ref().map(|key| records(key, answers));
    if global.json {
        return output::print_json(&Shown {
            config: file,
            files: &made.files,
            remarks: &made.remarks,
            dns: records,
        });
    }
    let mut text = String::new();
    for written in &made.files {
        text.extend([
            &*written.file.display().to_string(),
            "  ",
            written.what,
            "\n",
        ]);
    }
    for remark in &made.remarks {
        text.extend(["\n", &**remark, "\n"]);
    }
    if let Some(records) = records {
        text.push_str("\nTo be published in the DNS:\n\n");
        text.push_str(&records.zone());
    }
    text.extend(["\n", &next(file, answers)]);
    output::print_text(&text)
}

fn records(key: &PrivateKey, answers: &Answers) -> DnsRecords {
    let place = Place {
        host: answers.host.clone(),
        port: answers.port,
    };
    dns_records(key, &answers.domain, text::SELECTOR, &place)
}

/// What is to be done now.
fn next(file: &Path, answers: &Answers) -> String {
    let config = file.display();
    let domain = &answers.domain;
    let mut lines = vec![
        "What comes next:".to_owned(),
        format!("  convoke check --config {config}"),
    ];
    if !answers.store.is_caldav() {
        lines.push(format!(
            "  convoke user add somebody@{domain} --config {config}"
        ));
        let users = file.with_file_name(text::USERS);
        lines.push(format!(
            "  htpasswd -B -C 10 {} somebody@{domain}",
            users.display()
        ));
    }
    lines.push(if file.starts_with(INSTALLED) {
        "  systemctl enable --now convoke\n".to_owned()
    } else {
        format!("  convoke serve --config {config}\n")
    });
    lines.join("\n")
}
