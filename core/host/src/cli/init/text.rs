//! The configuration, with comments.

use super::{
    answers::{Answers, Certificate, Who},
    store::Store,
};
use std::{fmt::Write as _, path::Path};

/// The selector of the key that is made.
pub(super) const SELECTOR: &str = "is1";
/// The files that are made beside the configuration.
pub(super) const SIGNING_KEY: &str = "dkim.pem";
pub(super) const CERTIFICATE: &str = "fullchain.pem";
pub(super) const KEY: &str = "key.pem";
pub(super) const USERS: &str = "users.htpasswd";

/// The text of the configuration.
pub(super) fn of(answers: &Answers) -> String {
    let parts = [
        server(answers),
        receiver(answers),
        submission(answers),
        calendars(answers),
        ADMIN.to_owned(),
        signing(answers),
        discovery(answers),
        policy(answers),
        store(answers),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|it| !it.is_empty()).collect();
    parts.join("\n")
}

const ADMIN: &str = "\
# /health and /metrics, for this machine alone.
[[listener]]
role = \"admin\"
address = \"127.0.0.1:9090\"
";

fn server(answers: &Answers) -> String {
    let Answers { domain, state, .. } = answers;
    format!(
        "# Convoke for {name}. Every key is explained in examples/convoke.toml; after a change:
#
#   convoke check && convoke reload

[server]
domains = [{domain}]                 # who has an address there has a calendar here
state = {state}                      # what the host must remember
administrator = {administrator}      # whom other administrators may turn to
",
        name = domain.as_str(),
        domain = quoted(domain.as_str()),
        state = path(state),
        administrator = quoted(&format!("mailto:postmaster@{domain}")),
    )
}

/// Whether others reach us at all.
fn is_open(answers: &Answers) -> bool {
    answers.who != Who::Nobody
}

fn tls(answers: &Answers) -> String {
    let (certificate, key) = match &answers.certificate {
        Certificate::New => (Path::new(CERTIFICATE), Path::new(KEY)),
        Certificate::Files(certificate, key) => (&**certificate, &**key),
        Certificate::Acme(directory) => {
            // One line, as it may stand in a comment.
            return format!(
                "tls.acme = {{ directory = {}, contact = {}, names = [{}] }} # port 443 of {} must lead here\n",
                quoted(directory.as_str()),
                quoted(&format!("mailto:postmaster@{}", answers.domain)),
                quoted(answers.host.as_str()),
                answers.host
            );
        }
    };
    format!(
        "tls = {{ certificate = {}, key = {} }}\n",
        path(certificate),
        path(key)
    )
}

fn receiver(answers: &Answers) -> String {
    if !is_open(answers) {
        return String::new();
    }
    format!(
        "# To the world: iSchedule.
[[listener]]
role = \"receiver\"
address = \"[::]:{}\"
{}",
        answers.port,
        tls(answers)
    )
}

fn submission(answers: &Answers) -> String {
    let mut text = "\
# Programs of this machine hand in messages here, and with a password people.
[[listener]]
role = \"submission\"
address = \"127.0.0.1:8008\"
"
    .to_owned();
    if !answers.store.is_caldav() {
        let _ = writeln!(text, "users = {}", quoted(USERS));
    }
    text
}

fn calendars(answers: &Answers) -> String {
    let begin = "[[listener]]\nrole = \"caldav\"\naddress = \"[::]:8444\"\n";
    match answers.store.server() {
        // Nobody can be known to want this port, or to have a certificate for it.
        Some(server) => format!(
            "# In front of the CalDAV server, so that what people change there is told at once:
#
# [[listener]]
# role = \"caldav\"
# address = \"[::]:8444\"
# {}# upstream = {}
",
            tls(answers),
            quoted(&server)
        ),
        None => format!(
            "# Calendar programs (Thunderbird, DAVx5…): https://{}:8444/. A line a person: htpasswd -B -C 10 {USERS} ADDRESS
{begin}{}users = {}
",
            answers.host,
            tls(answers),
            quoted(USERS)
        ),
    }
}

fn signing(answers: &Answers) -> String {
    if !is_open(answers) {
        return String::new();
    }
    format!(
        "# Our messages are signed, by which others know us. `convoke keys show-dns` says what to publish.
[signing]
domain = {}
selector = {}
key = {}
lookup = [\"dns/txt\"]
",
        quoted(answers.domain.as_str()),
        quoted(SELECTOR),
        quoted(SIGNING_KEY)
    )
}

fn discovery(answers: &Answers) -> String {
    if !is_open(answers) {
        return "\
# Nobody elsewhere is asked or invited: [[discovery]] and [mail] are left out.
"
        .to_owned();
    }
    "\
# Where the receivers of others are: in the DNS.
[[discovery]]
plugin = \"discovery-dns\"
"
    .to_owned()
}

fn policy(answers: &Answers) -> String {
    let mut rules =
        "  { allow = \"any\", via = \"submission\" },          # our own people, to anybody\n"
            .to_owned();
    match &answers.who {
        Who::Nobody => {}
        Who::Everybody => rules.push_str(
            "  # Who signs: sees when people are busy, not what with; a stranger's invitation waits in the inbox (`convoke inbox`).
  { allow = \"freebusy\", from = \"*\", via = \"dkim\", detail = \"busy\", rate = \"60/min\" },
  { allow = \"schedule\", from = \"*\", via = \"dkim\", known = true, rate = \"600/h\", quota = \"50/day\" },
  { hold = \"schedule\", from = \"*\", via = \"dkim\" },
",
        ),
        Who::Domains(domains) => {
            let from: Vec<_> = domains.iter().map(|it| quoted(&format!("*@{it}"))).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(
                rules,
                "  {{ allow = \"freebusy\", from = [{from}], detail = \"busy\" }},\n  {{ allow = \"schedule\", from = [{from}] }},",
                from = from.join(", ")
            );
        }
    }
    format!(
        "# Who may do what: the first rule that matches decides, and what none allows is denied.
[[policy]]
plugin = \"policy-rules\"
config.rules = [
{rules}]
"
    )
}

fn store(answers: &Answers) -> String {
    let body = match &answers.store {
        Store::Sqlite(file) => format!("plugin = \"store-sqlite\"\nconfig.path = {}\n", path(file)),
        Store::Vdir(folder) => format!("plugin = \"store-vdir\"\nconfig.path = {}\n", path(folder)),
        Store::Caldav(home) => {
            let (login, password) = &answers.login;
            format!(
                "plugin = \"store-caldav\"\nconfig.home = {}\nconfig.login = {{ username = {}, password_file = {} }}\n",
                quoted(home),
                quoted(login),
                path(password)
            )
        }
    };
    format!("# Where calendars are.\n[[store]]\n{body}")
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// As a value of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
