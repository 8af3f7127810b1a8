//! `check` of `[mail]`: the mail server, the way back, and what others make of our From.

use super::{Findings, Verdict};
use crate::{
    config::{Config, LmtpServer, Mail, MailFrom},
    incoming_mail,
    instance::{self, ServeError},
    mail::{MailServer, NotTaken},
};
use convoke_dns::Resolver;
use convoke_imip::{Token, addr_spec};
use convoke_net::registrable::registrable;
use convoke_types::{CalendarAddress, Domain};

/// Looks at `[mail]`, if there is one.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let Some(mail) = &config.mail else {
        return;
    };
    let (dns, client) = match instance::outside(config) {
        Ok(outside) => outside,
        Err(error) => return findings.add(Verdict::Fail, "mail", error.to_string()),
    };
    match MailServer::new(mail, client, config.client.request_timeout) {
        Ok(server) => addresses(&server, mail, findings).await,
        Err(error) => {
            let file = mail.login.as_ref().map(|it| it.password_file.clone());
            let file = file.unwrap_or_default();
            let error = ServeError::MailPassword { file, error };
            findings.add(Verdict::Fail, "mail: password_file", error.to_string());
        }
    }
    gateway(config, mail, findings);
    if let Some(server) = &mail.pass_on {
        mailbox(server, findings).await;
    }
    if config.mail_listeners.is_empty() {
        let text = "no listener with role = \"lmtp\": answers come back only if the mail server pipes them into \
                    `convoke mail receive`";
        findings.add(Verdict::Warn, "mail: answers", text);
    }
    for domain in senders(config, mail) {
        policy_of(&dns, mail, domain, findings).await;
    }
}

/// Whether what is said of mail that comes in can be meant.
fn gateway(config: &Config, mail: &Mail, findings: &mut Findings) {
    if let Ok(domain) = mail.gateway.address().domain()
        && !config.is_ours(domain)
    {
        let text = format!(
            "{domain} is none of `[server] domains`: answers come back only if its mail server hands over to this host what comes \
             to that address"
        );
        findings.add(Verdict::Warn, "mail: domain", text);
    }
    if mail.trusted.is_empty() && !config.mail_listeners.is_empty() {
        let text = "nobody's Authentication-Results count, so that only answers to our own mails are proved, and an invitation by \
                    mail changes nothing; name your mail server: `trusted = [\"mx.example.org\"]`";
        findings.add(Verdict::Warn, "mail: trusted", text);
    }
}

/// Whether the mailbox behind us speaks LMTP.
async fn mailbox(server: &LmtpServer, findings: &mut Findings) {
    let what = "mail: pass_on";
    match incoming_mail::greeting(server).await {
        Ok(greeting) => findings.add(Verdict::Ok, what, format!("{server}: {greeting}")),
        Err(error) => {
            let text = format!("{server} takes no mail, which waits in the mail server: {error}");
            findings.add(Verdict::Fail, what, text);
        }
    }
}

/// Whether the mail server takes mail for the gateway, without a token and with one.
async fn addresses(server: &MailServer, mail: &Mail, findings: &mut Findings) {
    let gateway = mail.gateway.address();
    let tokened = mail.gateway.with(&Token::of([0; 16]));
    for (what, address) in [
        ("mail: address", gateway),
        ("mail: address with +", &tokened),
    ] {
        if !look_at_address(server, gateway, address, what, findings).await {
            // The server would only say the same again.
            return;
        }
    }
}

/// Whether the server speaks with us.
async fn look_at_address(
    server: &MailServer,
    gateway: &CalendarAddress,
    address: &CalendarAddress,
    what: &str,
    findings: &mut Findings,
) -> bool {
    let (Ok(from), Ok(to)) = (addr_spec(gateway), addr_spec(address)) else {
        let text = format!("{} is no mail address", address.human());
        findings.add(Verdict::Fail, what, text);
        return false;
    };
    let name = server.server();
    let (verdict, detail) = match server.verify(&from, &to).await {
        Ok(reply) => (Verdict::Ok, format!("{name} takes mail for {to}: {reply}")),
        Err(
            NotTaken::Unavailable(reason) | NotTaken::InDoubt(reason) | NotTaken::Silent(reason),
        ) => {
            let text = format!("nothing can be mailed: {reason}");
            findings.add(Verdict::Fail, "mail: smtp", text);
            return false;
        }
        Err(NotTaken::Later(reply)) => (
            Verdict::Warn,
            format!("{name} does not take mail for {to} now: {reply}"),
        ),
        Err(NotTaken::Refused(reply)) => {
            let text = format!(
                "{name} takes no mail for {to}, so that answers are lost: {reply}; have it hand that address over, with what is \
                 behind a `+` (Postfix: recipient_delimiter = +); see examples/mail.toml"
            );
            (Verdict::Fail, text)
        }
    };
    findings.add(verdict, what, detail);
    true
}

/// The domains that stand in From.
fn senders<'a>(config: &'a Config, mail: &'a Mail) -> Vec<&'a Domain> {
    match mail.from {
        MailFrom::Person => config.server.domains.iter().collect(),
        MailFrom::Gateway => mail.gateway.address().domain().into_iter().collect(),
    }
}

/// Whether receivers such as Gmail would take mail with this domain in From.
async fn policy_of(dns: &Resolver, mail: &Mail, domain: &Domain, findings: &mut Findings) {
    let Ok(envelope) = mail.gateway.address().domain() else {
        return;
    };
    // RFC 7208 §2.4: SPF is about MAIL FROM, which is the gateway's.
    let what = format!("mail: spf of {envelope}");
    match records(dns, envelope.as_str(), "v=spf1").await {
        Err(error) => findings.add(Verdict::Warn, &what, error),
        Ok(found) => {
            let (verdict, detail) = spf(&found);
            findings.add(verdict, &what, detail);
        }
    }
    let what = format!("mail: dmarc of {domain}");
    match published(dns, domain).await {
        Err(error) => findings.add(Verdict::Warn, &what, error),
        Ok((found, whose)) => {
            let (verdict, detail) = dmarc(&found, whose, domain, envelope);
            findings.add(verdict, &what, detail);
        }
    }
}

/// Whose DMARC record it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// That of the domain in From.
    Own,
    /// That of the organization, of which the domain in From is a part.
    Organization,
}

/// The DMARC records that count for a domain: without one of its own, that of the organization (RFC 7489 §6.6.3).
async fn published(dns: &Resolver, domain: &Domain) -> Result<(Vec<String>, Whose), String> {
    let own = records(dns, &format!("_dmarc.{domain}"), "v=DMARC1").await?;
    if !own.is_empty() {
        return Ok((own, Whose::Own));
    }
    let shared = format!("_dmarc.{}", registrable(domain));
    let shared = records(dns, &shared, "v=DMARC1").await?;
    Ok((shared, Whose::Organization))
}

async fn records(dns: &Resolver, name: &str, version: &str) -> Result<Vec<String>, String> {
    let found = dns.texts(name).await.map_err(|error| error.to_string())?;
    let texts = found.records.iter().map(convoke_dns::Text::joined);
    Ok(texts.filter(|text| has_version(text, version)).collect())
}

/// Whether a record begins with its version, and nothing longer.
fn has_version(text: &str, version: &str) -> bool {
    let rest = text
        .get(..version.len())
        .filter(|start| start.eq_ignore_ascii_case(version))
        .and_then(|_| text.get(version.len()..));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ';']))
}

fn spf(found: &[String]) -> (Verdict, String) {
    match found {
        [] => {
            let text = "no SPF record: many refuse what comes from there; publish one that names your mail server";
            (Verdict::Warn, text.to_owned())
        }
        [record] => {
            let text = format!("{record}; the mail server must be among those");
            (Verdict::Ok, text)
        }
        _ => {
            let text =
                "more than one SPF record, which counts as an error (RFC 7208 §4.5); keep one";
            (Verdict::Warn, text.to_owned())
        }
    }
}

fn dmarc(found: &[String], whose: Whose, domain: &Domain, envelope: &Domain) -> (Verdict, String) {
    let Some(record) = found.first() else {
        let text = "no DMARC record: Gmail and others ask for one of who sends much; publish at least `v=DMARC1; p=none`";
        return (Verdict::Warn, text.to_owned());
    };
    let tag = |wanted: &str| {
        let mut tags = record.split(';').filter_map(|tag| tag.split_once('='));
        let found = tags.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    // RFC 7489 §6.3: `sp` is about parts of an organization that have no record of their own.
    let of_parts =
        tag("sp").filter(|_| whose == Whose::Organization && registrable(domain) != *domain);
    let policy = of_parts.or_else(|| tag("p")).unwrap_or_default();
    // RFC 7489 §3.1.2: strictly, the domain of MAIL FROM has to be that of From.
    let is_strict = tag("aspf").is_some_and(|it| it.eq_ignore_ascii_case("s"));
    let is_aligned =
        envelope == domain || (!is_strict && registrable(envelope) == registrable(domain));
    if is_aligned || policy.eq_ignore_ascii_case("none") {
        return (Verdict::Ok, record.clone());
    }
    let text = format!(
        "{record}: mail comes from {envelope}, which that does not cover; have the mail server sign with DKIM for this domain, or \
         write `from = \"gateway\"`"
    );
    (Verdict::Warn, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_others_make_of_our_mail() {
        for (record, version, is) in [
            ("v=spf1 mx -all", "v=spf1", true),
            ("V=SPF1", "v=spf1", true),
            ("v=spf10 mx", "v=spf1", false),
            ("google-site-verification=x", "v=spf1", false),
            ("v=DMARC1; p=reject", "v=DMARC1", true),
        ] {
            assert_eq!(has_version(record, version), is, "{record}");
        }
        let (own, shared) = (Whose::Own, Whose::Organization);
        for (record, whose, domain, envelope, verdict) in [
            ("p=reject", own, "example.org", "example.org", Verdict::Ok),
            (
                "p=reject",
                own,
                "example.org",
                "mail.example.org",
                Verdict::Ok,
            ),
            (
                "p=reject; aspf=s",
                own,
                "example.org",
                "mail.example.org",
                Verdict::Warn,
            ),
            (
                "p=reject; aspf=s",
                own,
                "example.org",
                "example.org",
                Verdict::Ok,
            ),
            (
                " P = reject",
                own,
                "example.net",
                "example.org",
                Verdict::Warn,
            ),
            (
                "p=none;rua=mailto:a@b",
                own,
                "example.net",
                "example.org",
                Verdict::Ok,
            ),
            (
                "p=none; sp=reject",
                shared,
                "a.example.net",
                "example.org",
                Verdict::Warn,
            ),
            (
                "p=none; sp=reject",
                own,
                "example.net",
                "example.org",
                Verdict::Ok,
            ),
            (
                "p=none; sp=reject",
                shared,
                "example.net",
                "example.org",
                Verdict::Ok,
            ),
            (
                "p=reject; sp=none",
                shared,
                "a.example.net",
                "example.org",
                Verdict::Ok,
            ),
            (
                "p=reject",
                shared,
                "a.example.net",
                "example.org",
                Verdict::Warn,
            ),
        ] {
            let (domain, envelope) = (domain.parse().unwrap(), envelope.parse().unwrap());
            let published = [format!("v=DMARC1;{record}")];
            let found = dmarc(&published, whose, &domain, &envelope).0;
            assert!(found == verdict, "{record} {domain} {envelope}");
        }
        let domain = "example.org".parse().unwrap();
        assert!(dmarc(&[], own, &domain, &domain).0 == Verdict::Warn);
        assert!(spf(&[]).0 == Verdict::Warn);
        assert!(spf(&["v=spf1".to_owned(), "v=spf1".to_owned()]).0 == Verdict::Warn);
    }
}
