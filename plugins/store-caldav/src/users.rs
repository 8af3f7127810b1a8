//! Whose calendars are where: the users of the configuration, and those whom a URL template finds.

use crate::{
    account::Account,
    config::{Config, Profile},
    connect::{Http, checked},
    discovery, href,
    login::Login,
    remote::{Remote, Wishes},
    server::Server,
};
use convoke_sdk::{prelude::*, tracing};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;
use url::Url;

/// How often, at most, an address that nobody has makes us ask the server whose it is.
const ASK_AGAIN: Duration = Duration::from_secs(60);

pub(crate) struct Users {
    host: Host,
    http: Http,
    config: Config,
    /// The logins, each once, so that what a server wants is learnt once.
    logins: Mutex<HashMap<String, Arc<Login>>>,
    /// Accounts that were opened, or are being opened, by user.
    accounts: Mutex<BTreeMap<UserId, Arc<OnceCell<Arc<Account>>>>>,
    asked: Mutex<Option<Instant>>,
}

impl Users {
    pub(crate) fn new(mut config: Config, host: Host) -> Result<Self> {
        let users = std::mem::take(&mut config.users);
        let Config { plain_http, .. } = config;
        for (key, url) in [
            ("`config.url`", &config.url),
            ("`config.home`", &config.home),
        ] {
            if let Some(url) = url {
                checked(key, url, plain_http)?;
            }
        }
        for (name, mut profile) in users {
            let key = |what: &str| format!("`config.users.{name}{what}`");
            for (what, url) in [(".url", &profile.url), (".home", &profile.home)] {
                if let Some(url) = url {
                    checked(&key(what), url, plain_http)?;
                }
            }
            if config.url.is_none()
                && profile.url.is_none()
                && profile.home.is_none()
                && config.home.is_none()
            {
                return Err(Error::invalid(format!(
                    "{} has neither `url` nor `home`, and `config` has none either: where are the calendars?",
                    key("")
                )));
            }
            let address = match profile.address.take() {
                Some(address) => address,
                None => CalendarAddress::new(&name).map_err(|error| {
                    Error::invalid(format!(
                        "{} has no `address`, and its name is none: {error}",
                        key("")
                    ))
                })?,
            };
            profile.address = Some(address.clone());
            if config.users.insert(id_of(&address), profile).is_some() {
                return Err(Error::invalid(format!(
                    "{}: {address} is there twice",
                    key("")
                )));
            }
        }
        if config.users.is_empty() && config.home.is_none() {
            return Err(Error::invalid(
                "`config` names no calendar users: write them under `users`, or a URL template as `home`",
            ));
        }
        let timeout = Duration::from_secs(config.timeout.unwrap_or(4).max(1).into());
        let ca = config.ca.as_ref().map(|file| host.path(file));
        Ok(Self {
            http: Http::new(ca.as_deref(), timeout)?,
            host,
            config,
            logins: Mutex::default(),
            accounts: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// The user that answers to `address`.
    pub(crate) async fn find(&self, address: &CalendarAddress) -> Result<Option<CalendarUser>> {
        let configured = self.config.users.iter().find(|(_, profile)| {
            let main = profile.address.iter();
            main.chain(&profile.aliases).any(|it| it.same_user(address))
        });
        let id = match configured {
            Some((id, _)) => Some(UserId::new(id)?),
            None => self.by_alias(address).await,
        };
        let id = match id {
            Some(id) => id,
            None if self.config.home.is_some() => UserId::new(id_of(address))?,
            None => return Ok(None),
        };
        let account = self.account(&id).await?;
        Ok(account.map(|account| account.user().clone()))
    }

    /// The account of a user by its identifier; `None` if there is no such user.
    pub(crate) async fn account(&self, id: &UserId) -> Result<Option<Arc<Account>>> {
        let known = lock(&self.accounts).get(id).cloned();
        if let Some(account) = known.as_ref().and_then(|cell| cell.get()) {
            return Ok(Some(Arc::clone(account)));
        }
        let configured = self.config.users.get(id.as_str());
        let template = self.config.home.as_deref();
        let (address, profile) = match (configured, template) {
            (Some(profile), _) => (profile.address.clone(), profile.clone()),
            (None, Some(_)) => (CalendarAddress::new(id.as_str()).ok(), Profile::default()),
            (None, None) => return Ok(None),
        };
        let Some(address) = address.filter(|it| it.local_part().is_some()) else {
            return Ok(None);
        };
        let cell = Arc::clone(lock(&self.accounts).entry(id.clone()).or_default());
        // Several callers wait for one discovery; a failed one is tried again by the next.
        let opened = cell
            .get_or_try_init(|| self.open(id, address, &profile))
            .await;
        match opened {
            Ok(account) => Ok(Some(Arc::clone(account))),
            Err(NotOpened::Failed(error)) => Err(error),
            Err(NotOpened::NoSuchUser) => {
                // Nobody shall fill the memory with names.
                lock(&self.accounts).retain(|other, cell| other != id || cell.initialized());
                Ok(None)
            }
        }
    }

    /// The users of the configuration, by identifier. Those of a template nobody can list.
    pub(crate) async fn list(&self, page: &Page) -> Result<Listing<CalendarUser>> {
        let mut ids = self.config.users.keys().filter(|id| {
            let after = page.after.as_ref();
            after.is_none_or(|Cursor(after)| *id > after)
        });
        let mut items = Vec::new();
        let mut last = None;
        for id in ids.by_ref().take(page.limit.max(1) as usize) {
            items.extend(
                self.account(&UserId::new(id)?)
                    .await?
                    .map(|it| it.user().clone()),
            );
            last = Some(Cursor(id.clone()));
        }
        let next = ids.next().and(last);
        Ok(Listing::new(items, next))
    }

    /// Who has `address` by the server's word (RFC 6638 §2.4.1).
    async fn by_alias(&self, address: &CalendarAddress) -> Option<UserId> {
        let known = || {
            let accounts = lock(&self.accounts);
            let mut opened = accounts
                .iter()
                .filter_map(|(id, cell)| Some((id, cell.get()?)));
            let found = opened.find(|(_, account)| account.user().answers_to(address));
            found.map(|(id, _)| id.clone())
        };
        if let Some(id) = known() {
            return Some(id);
        }
        let due = {
            let mut asked = lock(&self.asked);
            let due = asked.is_none_or(|at| at.elapsed() > ASK_AGAIN);
            if due {
                *asked = Some(Instant::now());
            }
            due
        };
        if !due {
            return None;
        }
        for id in self.config.users.keys() {
            // Whose account cannot be opened has no aliases for now; who asks for that user hears why.
            if let Ok(id) = UserId::new(id)
                && let Err(error) = self.account(&id).await
            {
                tracing::debug!("{error}");
            }
        }
        known()
    }

    async fn open(
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
        let parse = |key: &str, url: &str| checked(key, url, self.config.plain_http);
        // What is said of this user comes before what is said of all.
        let template = || match (&profile.url, &self.config.home) {
            (None, Some(template)) => Some(template),
            _ => None,
        };
        let (server, places) = if let Some(home) = &profile.home {
            let url = parse("`home`", home)?;
            let server = server(url.clone());
            let places = discovery::at(&server, &url).await?;
            (server, places.ok_or_else(|| no_home(&address, &url))?)
        } else if let Some(template) = template() {
            let url = fill(template, &address).ok_or(NotOpened::NoSuchUser)?;
            let url = parse("`config.home`", &url)?;
            let server = server(url.clone());
            let places = discovery::at(&server, &url).await?;
            (server, places.ok_or(NotOpened::NoSuchUser)?)
        } else {
            let url = profile.url.as_ref().or(self.config.url.as_ref());
            let url = parse("`url`", url.map(String::as_str).unwrap_or_default())?;
            let server = server(url.clone());
            let places = discovery::discover(&server, &url).await?;
            (server, places)
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
        let wishes = Wishes {
            calendar: profile
                .calendar
                .clone()
                .or_else(|| self.config.calendar.clone()),
            busy: profile.busy.clone().or_else(|| self.config.busy.clone()),
        };
        Ok(Arc::new(Account::new(Remote {
            host: self.host.clone(),
            server,
            user,
            places,
            wishes,
        })))
    }

    fn login(&self, login: &crate::config::Login) -> Arc<Login> {
        let file = self.host.path(&login.password_file);
        let key = format!("{}\0{}", login.username, file.display());
        let new = || Arc::new(Login::new(login.username.clone(), file));
        Arc::clone(lock(&self.logins).entry(key).or_insert_with(new))
    }
}

/// Why there is no account.
enum NotOpened {
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

/// What a user is called here: the main address, without a difference between cases.
fn id_of(address: &CalendarAddress) -> String {
    address.human().to_lowercase()
}

/// The template with the address in it; `None` if nobody of this address can have a URL.
fn fill(template: &str, address: &CalendarAddress) -> Option<String> {
    let address = id_of(address);
    let (user, domain) = address.rsplit_once('@')?;
    let parts = [
        ("{user}", user),
        ("{domain}", domain),
        ("{address}", &address),
    ];
    let mut url = template.to_owned();
    for (name, value) in parts {
        if template.contains(name) {
            url = url.replace(name, &href::segment(value)?);
        }
    }
    Some(url)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
