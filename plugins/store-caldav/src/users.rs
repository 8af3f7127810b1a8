//! Whose calendars are where: the users of the configuration, and those whom a URL template finds.

mod open;
mod reach;

use crate::{
    account::Account,
    config::{Config, Profile},
    connect::{Http, checked},
    login::Login,
    looks::{Looks, PARALLEL},
    news::News,
    outages::Outages,
    pace,
};
use convoke_sdk::{prelude::*, tracing};
use futures::{StreamExt, stream};
use open::NotOpened;
use reach::Reach;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

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
    reach: Reach,
    looks: Looks,
    /// The longest pause between two looks at an account.
    longest: Duration,
    news: News,
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
        if let Some(template) = &config.home {
            check_template(template)?;
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
        let longest = match config.poll_interval {
            None => pace::LONGEST,
            Some(seconds @ 1..=86_400) => Duration::from_secs(seconds.into()),
            Some(seconds) => {
                return Err(Error::invalid(format!(
                    "`config.poll_interval`: expected 1 to 86400 seconds, got {seconds}"
                )));
            }
        };
        let timeout = Duration::from_secs(config.timeout.unwrap_or(4).max(1).into());
        let ca = config.ca.as_ref().map(|file| host.path(file));
        Ok(Self {
            http: Http::new(&host, ca.as_deref(), timeout)?,
            host,
            config,
            logins: Mutex::default(),
            accounts: Mutex::default(),
            asked: Mutex::default(),
            reach: Reach::default(),
            looks: Looks::default(),
            longest,
            news: News::default(),
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
        let Some((address, profile)) = self.profile(id) else {
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

    pub(crate) fn outages(&self) -> &Outages {
        &self.http.outages
    }

    pub(crate) const fn looks(&self) -> &Looks {
        &self.looks
    }

    pub(crate) const fn news(&self) -> &News {
        &self.news
    }

    /// The account, if it is open.
    pub(crate) fn opened(&self, id: &UserId) -> Option<Arc<Account>> {
        lock(&self.accounts).get(id)?.get().cloned()
    }

    /// Address and profile of whoever may have this identifier; `None` if nobody can.
    fn profile(&self, id: &UserId) -> Option<(CalendarAddress, Profile)> {
        let (address, profile) = match self.config.users.get(id.as_str()) {
            Some(profile) => (profile.address.clone(), profile.clone()),
            None if self.config.home.is_some() => {
                (CalendarAddress::new(id.as_str()).ok(), Profile::default())
            }
            None => return None,
        };
        let address = address.filter(|it| it.local_part().is_some())?;
        Some((address, profile))
    }

    /// The users of the configuration, and those of a template who were asked for, by identifier. Who cannot be reached is left
    /// out, unless nobody can be.
    pub(crate) async fn list(&self, page: &Page) -> Result<Listing<CalendarUser>> {
        let asked_for: Vec<String> = {
            let accounts = lock(&self.accounts);
            let opened = accounts.iter().filter(|(_, cell)| cell.initialized());
            opened.map(|(id, _)| id.as_str().to_owned()).collect()
        };
        let ids: BTreeSet<&String> = self.config.users.keys().chain(&asked_for).collect();
        let mut ids = ids.into_iter().filter(|id| {
            let after = page.after.as_ref();
            after.is_none_or(|Cursor(after)| *id > after)
        });
        let listed: Vec<String> = ids.by_ref().take(page.len()).cloned().collect();
        let found: Vec<_> = listed.iter().map(|id| self.listed(id)).collect();
        let found = stream::iter(found).buffered(PARALLEL);
        let found: Vec<_> = found.collect().await;
        let last = listed.last().map(|id| Cursor::new(id.as_str()));
        let next = ids.next().and(last);
        let (users, failures): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        if let (true, Some(Err(error))) = (users.is_empty(), failures.into_iter().next()) {
            return Err(error);
        }
        let items = users.into_iter().filter_map(|user| user.ok().flatten());
        Ok(Listing::new(items.collect(), next))
    }

    async fn listed(&self, id: &str) -> Result<Option<CalendarUser>> {
        let id = UserId::new(id)?;
        if let Some(account) = self.opened(&id) {
            return Ok(Some(account.user().clone()));
        }
        if let Some(error) = self.failure(&id)
            && (self.next_look(&id) > tokio::time::Instant::now() || !self.may_look(&id))
        {
            return Err(error);
        }
        let opened = self.try_to_open(&id).await;
        match &opened {
            Ok(_) => self.note_success(&id),
            Err(error) => self.note_failure(&id, error),
        }
        Ok(opened?.map(|account| account.user().clone()))
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

    fn login(&self, login: &crate::config::Login) -> Arc<Login> {
        let file = self.host.path(&login.password_file);
        let key = format!("{}\0{}", login.username, file.display());
        let host = self.host.clone();
        let new = || Arc::new(Login::new(host, login.username.clone(), file));
        Arc::clone(lock(&self.logins).entry(key).or_insert_with(new))
    }
}

/// Whether a template leads each user to a URL of its own.
fn check_template(template: &str) -> Result<()> {
    let mut rest = template;
    while let Some(begin) = rest.find('{') {
        let end = rest[begin..].find('}').map(|it| begin + it + 1);
        let place = &rest[begin..end.unwrap_or(rest.len())];
        if !open::PLACES.contains(&place) {
            return Err(Error::invalid(format!(
                "`config.home`: `{place}` stands for nothing; write {{user}}, {{domain}} or {{address}}"
            )));
        }
        rest = &rest[begin + place.len()..];
    }
    if ["{user}", "{address}"]
        .iter()
        .any(|it| template.contains(it))
    {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`config.home`: `{template}` leads everybody to the same calendars; write {{user}} or {{address}} where the URLs differ, or          a `home` for each user"
    )))
}

/// What a user is called here: the main address, without a difference between cases.
fn id_of(address: &CalendarAddress) -> String {
    address.human().to_lowercase()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
