//! Opening a user's account: where its calendars are, and who the user is by the server's word.

use super::{Users, id_of};
use crate::{
    account::Account,
    config::Profile,
    connect::checked,
    discovery, href,
    pace::Pace,
    remote::{Remote, Wishes},
    server::Server,
};
use convoke_sdk::prelude::*;
use std::sync::Arc;
use url::Url;

/// What stands for a user in a template.
pub(super) const PLACES: [&str; 3] = ["{user}", "{domain}", "{address}"];

/// Where a user's calendars are looked for.
enum Start {
    /// They are there.
    Home(Url),
    /// They are there, if there is such a user.
    Template(Url),
    /// The server says where.
    Server(Url),
}

impl Start {
    const fn url(&self) -> &Url {
        let (Self::Home(url) | Self::Template(url) | Self::Server(url)) = self;
        url
    }
}

impl Users {
    pub(super) async fn open(
        &self,
        id: &UserId,
        address: CalendarAddress,
        profile: &Profile,
    ) -> Result<Arc<Account>, NotOpened> {
        let login = profile.login.as_ref().or(self.config.login.as_ref());
        let login = login.map(|login| self.login(login));
        let server = |url| {
            let whose = address.human().to_owned();
            Server::new(self.http.clone(), url, login.clone(), whose)
        };
        let start = self.start(&address, profile)?;
        let server = server(start.url().clone());
        let places = match &start {
            Start::Home(url) => {
                let places = discovery::at(&server, url).await?;
                places.ok_or_else(|| no_home(&address, url))?
            }
            Start::Template(url) => {
                let places = discovery::at(&server, url).await?;
                places.ok_or(NotOpened::NoSuchUser)?
            }
            Start::Server(url) => discovery::discover(&server, url).await?,
        };
        let mut user = CalendarUser::new(id.clone(), address);
        user.aliases.clone_from(&profile.aliases);
        for address in &places.addresses {
            // What the administrator wrote about an address counts more than what a server says.
            let taken = self.config.users.iter().any(|(other, profile)| {
                let mut theirs = profile.address.iter().chain(&profile.aliases);
                other != id.as_str() && theirs.any(|it| it.same_user(address))
            });
            if !taken && !user.answers_to(address) {
                user.aliases.push(address.clone());
            }
        }
        user.name.clone_from(&profile.name);
        user.timezone.clone_from(&profile.timezone);
        user.kind = profile.kind.into();
        user.attributes = profile.attributes.clone();
        let homes = places.homes.iter().map(|home| server.url(home).to_string());
        let homes: Vec<String> = homes.collect();
        user.attributes
            .set(CalendarUser::CALDAV_HOMES, homes.join(" "));
        if discovery::schedules_itself(&server, &places).await? {
            let what = "it sends invitations and answers by itself (calendar-auto-schedule, RFC 6638), and people would get \
                        everything twice; switch that off for this user (Cyrus: `caldav_allowscheduling: off`; Xandikos: start \
                        it without EMAIL; sabre/dav: without the Schedule plugin), or write `schedule = \"off\"`";
            user.attributes
                .set(CalendarUser::SCHEDULES_ITSELF, server.about(what));
        }
        let wishes = Wishes {
            calendar: profile
                .calendar
                .clone()
                .or_else(|| self.config.calendar.clone()),
            busy: profile.busy.clone().or_else(|| self.config.busy.clone()),
        };
        let remote = Remote {
            host: self.host.clone(),
            server,
            user,
            places,
            wishes,
        };
        let account = Account::new(remote, Pace::new(self.longest), self.news.clone());
        Ok(Arc::new(account))
    }

    /// What is said of this user comes before what is said of all.
    fn start(&self, address: &CalendarAddress, profile: &Profile) -> Result<Start, NotOpened> {
        let parse = |key: &str, url: &str| checked(key, url, self.config.plain_http);
        if let Some(home) = &profile.home {
            return Ok(Start::Home(parse("`home`", home)?));
        }
        if let (None, Some(template)) = (&profile.url, &self.config.home) {
            let url = fill(template, address).ok_or(NotOpened::NoSuchUser)?;
            return Ok(Start::Template(parse("`config.home`", &url)?));
        }
        let url = profile.url.as_ref().or(self.config.url.as_ref());
        let url = url.map(String::as_str).unwrap_or_default();
        Ok(Start::Server(parse("`url`", url)?))
    }

    /// Scheme, host and port of the user's server, if there may be such a user.
    pub(crate) fn origin(&self, id: &UserId) -> Option<String> {
        if let Some(account) = self.opened(id) {
            return Some(account.origin().to_owned());
        }
        let (address, profile) = self.profile(id)?;
        let start = self.start(&address, &profile).ok()?;
        Some(start.url().origin().ascii_serialization())
    }
}

/// Why there is no account.
pub(super) enum NotOpened {
    NoSuchUser,
    Failed(Error),
}

impl From<Error> for NotOpened {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn no_home(address: &CalendarAddress, url: &Url) -> Error {
    let whose = address.human();
    Error::unavailable(format!(
        "{url}, the `home` of {whose}, is not there; correct it in the configuration"
    ))
}

/// The template with the address in it; `None` if nobody of this address can have a URL.
fn fill(template: &str, address: &CalendarAddress) -> Option<String> {
    let address = id_of(address);
    let (user, domain) = address.rsplit_once('@')?;
    let mut url = template.to_owned();
    for (name, value) in PLACES.into_iter().zip([user, domain, &*address]) {
        if template.contains(name) {
            url = url.replace(name, &href::segment(value)?);
        }
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fills_a_template_and_leads_nowhere_else() {
        let fill =
            |template, address: &str| fill(template, &CalendarAddress::new(address).unwrap());
        for (template, address, wanted) in [
            (
                "https://d/{user}/",
                "Anna@Example.org",
                Some("https://d/anna/"),
            ),
            (
                "https://d/{domain}/{user}/",
                "anna@example.org",
                Some("https://d/example.org/anna/"),
            ),
            (
                "https://d/{address}/",
                "anna@example.org",
                Some("https://d/anna@example.org/"),
            ),
            (
                "https://d/{user}/",
                "a{domain}@example.org",
                Some("https://d/a%7Bdomain%7D/"),
            ),
            ("https://d/{user}/", "..@example.org", None),
            ("https://d/{user}/", "a/b@example.org", None),
        ] {
            assert_eq!(fill(template, address).as_deref(), wanted, "{address}");
        }
    }
}
