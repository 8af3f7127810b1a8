//! `tls.acme` of a `[[listener]]`: certificates that an authority issues over ACME (RFC 8555).

use super::{
    address::Address,
    error::{ConfigError, Locator},
};
use convoke_types::Domain;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};
use toml::Spanned;
use url::{Host, Url};

/// What authorities put into one certificate at most.
const MOST_NAMES: usize = 100;

/// The port at which authorities ask (RFC 8555 §8.3).
const HTTP: u16 = 80;

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    directory: Spanned<String>,
    contact: Spanned<String>,
    #[serde(default)]
    challenge: WrittenChallenge,
    names: Option<Spanned<Vec<Spanned<String>>>>,
    address: Option<Spanned<Address>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum WrittenChallenge {
    #[default]
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn,
    #[serde(rename = "http-01")]
    Http,
}

/// Where the certificate of a listener comes from, if it is no file of the administrator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The directory of the authority, an `https` URL.
    pub directory: Url,
    /// Whom the authority may turn to: a `mailto:` URI.
    pub contact: String,
    /// The names that the certificate is for; at least one, each once, sorted.
    pub names: Vec<Domain>,
    /// How the authority is shown that they are ours.
    pub challenge: Challenge,
}

/// How an authority validates a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By a handshake with the listener itself (RFC 8737); the authority connects to port 443.
    TlsAlpn,
    /// By a request over plain HTTP, which a listener at this address answers; the authority connects to port 80.
    Http(SocketAddr),
}

impl Challenge {
    /// As it stands in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TlsAlpn => "tls-alpn-01",
            Self::Http(_) => "http-01",
        }
    }
}

impl Acme {
    /// Where an authority's account and certificates are kept: a folder of its own in `server.state`.
    pub fn folder(&self, state: &Path) -> PathBuf {
        let host = self.directory.host_str().unwrap_or_default();
        let host = host.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let mark = mark(self.directory.as_str());
        state.join("acme").join(format!("{host}-{mark}"))
    }

    /// Where the certificate is kept, with its chain and its private key: the same file for all that want these names of this
    /// authority.
    pub fn file(&self, state: &Path) -> PathBuf {
        let names: Vec<_> = self.names.iter().map(Domain::as_str).collect();
        let first = names.first().copied().unwrap_or_default();
        let file = if names.len() == 1 {
            format!("{first}.pem")
        } else {
            format!("{first}-{}.pem", mark(&names.join(",")))
        };
        self.folder(state).join(file)
    }
}

/// Tells apart what would have the same name.
fn mark(text: &str) -> String {
    let digest = Sha256::digest(text);
    let first = [digest[0], digest[1], digest[2], digest[3]];
    format!("{:08x}", u32::from_be_bytes(first))
}

/// Reads it; `domains` are those whose calendar users are ours.
pub(super) fn resolve(
    written: Section,
    domains: &[Domain],
    at: &Locator,
) -> Result<Acme, ConfigError> {
    let challenge = match (written.challenge, written.address) {
        (WrittenChallenge::TlsAlpn, None) => Challenge::TlsAlpn,
        (WrittenChallenge::TlsAlpn, Some(address)) => {
            let text = "`address` goes with `challenge = \"http-01\"` only: with tls-alpn-01 this listener answers itself";
            return Err(at.wrong(address.span(), text));
        }
        (WrittenChallenge::Http, None) => {
            Challenge::Http(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), HTTP))
        }
        (WrittenChallenge::Http, Some(address)) => match address.get_ref() {
            Address::Tcp(tcp) => Challenge::Http(*tcp),
            Address::Unix(_) => {
                let text = "the authority comes over TCP; write an address with a port, such as \"[::]:80\"";
                return Err(at.wrong(address.span(), text));
            }
        },
    };
    Ok(Acme {
        directory: directory(&written.directory, at)?,
        contact: contact(&written.contact, at)?,
        names: names(written.names, domains, at)?,
        challenge,
    })
}

fn directory(written: &Spanned<String>, at: &Locator) -> Result<Url, ConfigError> {
    let text = written.get_ref();
    let wrong = |what: &str| {
        let text = format!(
            "`{text}` {what}; write the URL of an ACME directory, such as \"https://acme-v02.api.letsencrypt.org/directory\""
        );
        at.wrong(written.span(), &text)
    };
    let url = Url::parse(text).map_err(|_| wrong("is no URL"))?;
    if url.scheme() != "https" {
        return Err(wrong("is not https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has a log-in, and ACME knows none"));
    }
    Ok(url)
}

fn contact(written: &Spanned<String>, at: &Locator) -> Result<String, ConfigError> {
    let text = written.get_ref();
    let address = text.strip_prefix("mailto:");
    // RFC 8555 §7.3: one address, without header fields.
    let is_address = |it: &str| {
        let parts = it.rsplit_once('@');
        parts.is_some_and(|(local, domain)| !local.is_empty() && Domain::new(domain).is_ok())
            && !it.contains([' ', ',', '?', '<', '>'])
    };
    if address.is_some_and(is_address) {
        return Ok(text.clone());
    }
    let instead = if is_address(text) {
        format!("mailto:{text}")
    } else {
        "mailto:hostmaster@example.org".to_owned()
    };
    let text =
        format!("`{text}` is no address that an authority could write to; write \"{instead}\"");
    Err(at.wrong(written.span(), &text))
}

fn names(
    written: Option<Spanned<Vec<Spanned<String>>>>,
    domains: &[Domain],
    at: &Locator,
) -> Result<Vec<Domain>, ConfigError> {
    let mut names = match written {
        None => domains.to_vec(),
        Some(written) => {
            let span = written.span();
            let written = written.into_inner();
            if written.is_empty() {
                let text = "`names` is empty; name what this listener is called in the DNS, such as [\"cal.example.org\"]";
                return Err(at.wrong(span, text));
            }
            let names = written.iter().map(|it| name(it, at));
            names.collect::<Result<_, _>>()?
        }
    };
    names.sort_unstable();
    names.dedup();
    if names.len() > MOST_NAMES {
        let text = format!(
            "{} names are too many for one certificate; write `names`, {MOST_NAMES} at most",
            names.len()
        );
        return Err(at.wrong(0..0, &text));
    }
    Ok(names)
}

/// A name that an authority can look up.
fn name(written: &Spanned<String>, at: &Locator) -> Result<Domain, ConfigError> {
    let text = written.get_ref();
    let wrong = |what: &str| {
        let text = format!("`{text}` {what}");
        at.wrong(written.span(), &text)
    };
    if text.contains('*') {
        return Err(wrong(
            "is a wildcard, which takes the challenge dns-01, which is not done; name each host",
        ));
    }
    if !matches!(Host::parse(text), Ok(Host::Domain(_))) {
        return Err(wrong(
            "is no name in the DNS; write what this listener is called there, such as \"cal.example.org\"",
        ));
    }
    let name = Domain::new(text).map_err(|error| at.wrong(written.span(), &error.to_string()))?;
    let is_local = name.as_str() == "localhost" || name.as_str().ends_with(".localhost");
    if is_local || name.parent().is_none() {
        return Err(wrong(
            "is no name by which others reach this listener, so that no authority validates it; write its full name in the DNS",
        ));
    }
    Ok(name)
}

#[cfg(all(test, feature = "acme"))]
mod tests {
    use super::{super::Config, *};

    /// A configuration with one listener whose `tls` is that.
    fn read(tls: &str) -> Result<Config, String> {
        let text = format!(
            "[server]\ndomains = [\"example.org\", \"a.example\"]\nstate = \"/state\"\n[[listener]]\nrole = \"receiver\"\n\
             address = \"[::]:8443\"\n{tls}\n"
        );
        Config::parse(&text, Path::new("/etc/convoke/convoke.toml")).map_err(|it| it.to_string())
    }

    const CA: &str =
        "directory = \"https://ca.example/dir\", contact = \"mailto:admin@example.org\"";

    #[test]
    fn a_certificate_by_acme_lies_in_the_state_whatever_else_is_written() {
        let config = read(&format!(
            "tls = {{ acme = {{ {CA} }}, client_ca = \"ca.pem\" }}"
        ));
        let listener = config.unwrap().listeners.remove(0);
        let (acme, tls) = (listener.acme.unwrap(), listener.tls.unwrap());
        assert_eq!(acme.challenge, Challenge::TlsAlpn);
        let names: Vec<_> = acme.names.iter().map(Domain::as_str).collect();
        assert_eq!(names, ["a.example", "example.org"], "those of [server]");
        assert_eq!(tls.certificate, tls.key, "one file, replaced in one step");
        assert_eq!(tls.certificate, acme.file(Path::new("/state")));
        assert!(tls.certificate.starts_with("/state/acme"));
        assert_eq!(tls.client_ca.len(), 1);
    }

    #[test]
    fn one_file_is_for_these_names_of_this_authority() {
        let file = |more: &str, ca: &str| {
            let config = read(&format!("tls.acme = {{ {ca}{more} }}")).unwrap();
            config.listeners[0].tls.clone().unwrap().certificate
        };
        let other_ca = CA.replace("ca.example", "other.example");
        let one = file(", names = [\"cal.example.org\", \"www.example.org\"]", CA);
        let same = file(
            ", names = [\"WWW.example.org\", \"cal.example.org.\", \"cal.example.org\"]",
            CA,
        );
        assert_eq!(one, same);
        assert_ne!(one, file(", names = [\"cal.example.org\"]", CA));
        assert_ne!(
            one,
            file(
                ", names = [\"cal.example.org\", \"www.example.org\"]",
                &other_ca
            )
        );
    }

    #[test]
    fn http_01_has_a_listener_of_its_own() {
        let config = read(&format!(
            "tls.acme = {{ {CA}, challenge = \"http-01\" }}\n[[listener]]\nrole = \"submission\"\naddress = \"127.0.0.1:8008\"\n\
             tls.acme = {{ {CA}, challenge = \"http-01\" }}"
        ));
        let listeners = config.unwrap().listeners;
        let shown: Vec<_> = listeners
            .iter()
            .map(|it| format!("{} {}", it.role.as_str(), it.address))
            .collect();
        let expected = [
            "receiver [::]:8443",
            "submission 127.0.0.1:8008",
            "acme [::]:80",
        ];
        assert_eq!(shown, expected, "once for both");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        for (tls, said) in [
            (
                format!("tls = {{ acme = {{ {CA} }}, certificate = \"a.pem\", key = \"k.pem\" }}"),
                "7:7: `acme` gets a certificate by itself",
            ),
            (
                "tls = { key = \"k.pem\" }".to_owned(),
                "7:7: `certificate` is missing; write its file",
            ),
            (
                "tls = { certificate = \"k.pem\" }".to_owned(),
                "7:7: `key` is missing; write its file",
            ),
            (
                "tls.acme = { contact = \"mailto:a@example.org\" }".to_owned(),
                "7:12: `directory` is missing; write `directory = \"https://",
            ),
            (
                "tls.acme = { directory = \"https://ca.example/\" }".to_owned(),
                "7:12: `contact` is missing; write `contact = \"mailto:",
            ),
            (
                format!("tls.acme = {{ {CA}, challenge = \"dns-01\" }}"),
                "`dns-01` is not known here, expected one of `tls-alpn-01`",
            ),
            (
                format!("tls.acme = {{ {CA}, address = \"[::]:80\" }}"),
                "`address` goes with `challenge = \"http-01\"` only",
            ),
            (
                format!("tls.acme = {{ {CA}, challenge = \"http-01\", address = \"unix:/a\" }}"),
                "the authority comes over TCP",
            ),
            (
                format!("tls.acme = {{ {CA}, challenge = \"http-01\", address = \"[::]:8443\" }}"),
                "takes [::]:8443",
            ),
            (
                CA.replace("https:", "http:"),
                "`http://ca.example/dir` is not https",
            ),
            (
                CA.replace("https://ca", "letsencrypt"),
                "`letsencrypt.example/dir` is no URL",
            ),
            (CA.replace("https://", "https://me@"), "has a log-in"),
            (
                CA.replace("mailto:", ""),
                "write \"mailto:admin@example.org\"",
            ),
            (
                CA.replace("mailto:", "https:"),
                "no address that an authority could write to",
            ),
            (format!("{CA}, names = []"), "`names` is empty"),
            (
                format!("{CA}, names = [\"*.example.org\"]"),
                "is a wildcard",
            ),
            (
                format!("{CA}, names = [\"192.0.2.1\"]"),
                "is no name in the DNS",
            ),
            (
                format!("{CA}, names = [\"cal\"]"),
                "write its full name in the DNS",
            ),
            (
                format!("{CA}, names = [\"cal.localhost\"]"),
                "so that no authority validates it",
            ),
        ] {
            let tls = if tls.starts_with("tls") {
                tls
            } else {
                format!("tls.acme = {{ {tls} }}")
            };
            let error = read(&tls).unwrap_err();
            assert!(error.contains(said), "{tls}\n{error}");
        }
    }

    #[test]
    fn two_listeners_do_not_contradict_each_other_about_one_certificate() {
        let two = |other: &str| {
            read(&format!(
                "tls.acme = {{ {CA} }}\n[[listener]]\nrole = \"submission\"\naddress = \"127.0.0.1:8008\"\ntls.acme = {{ {other} }}"
            ))
        };
        assert!(two(CA).is_ok());
        let error = two(&CA.replace("admin@", "other@")).unwrap_err();
        assert!(
            error.contains("has another `contact` or `challenge`"),
            "{error}"
        );
    }
}
