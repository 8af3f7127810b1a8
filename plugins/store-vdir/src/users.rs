//! Which folder is whose; making and removing users.

use crate::{
    directory::{Content, Directory, Lock, PATIENCE, Stamp},
    names,
};
use convoke_sdk::prelude::*;
use convoke_sdk::{serde::Serialize, tracing};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// In a user's folder: who it is.
const PROFILE: &str = ".convoke.toml";
/// In a user's folder: what belongs to Convoke alone.
pub(crate) const CONTROL: &str = ".convoke";
/// In the root: held while users are made and removed.
const LOCK: &str = ".convoke.lock";
/// In the root: a user being made.
const UNFINISHED: &str = ".convoke.new";

/// Who a folder belongs to; what is not said is the folder's name, or unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The main address; the folder's name if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<CalendarAddress>,
    /// Further addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<CalendarAddress>,
    /// What people call the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The IANA name of the time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `individual` (the default), `group`, `resource` or `room`.
    pub kind: Kind,
    /// The calendar that new objects go to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// `enabled` (the default) or `disabled`: whether the user can be scheduled with.
    #[serde(skip_serializing_if = "is_enabled")]
    pub scheduling: Scheduling,
    /// Further facts by name.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_enabled(scheduling: &Scheduling) -> bool {
    *scheduling == Scheduling::Enabled
}

/// CUTYPE (RFC 5545 §3.2.3), as it is written in a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    #[default]
    Individual,
    /// Several persons.
    Group,
    /// A thing.
    Resource,
    /// A room.
    Room,
}

/// A user, and where its new objects go.
type Person = (CalendarUser, Option<String>);

pub(crate) struct Users {
    root: Directory,
    configured: BTreeMap<String, Profile>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    folders: HashMap<String, Profiled>,
    /// The folder that answers to an address.
    by_key: HashMap<String, String>,
}

struct Profiled {
    stamp: Option<Stamp>,
    fresh: bool,
    person: Option<Person>,
}

impl Known {
    /// What is known of the folder, if its profile is still the one with this stamp.
    fn still(&self, name: &str, stamp: Option<Stamp>) -> Option<&Profiled> {
        let before = self.folders.get(name)?;
        (before.stamp == stamp && !before.fresh).then_some(before)
    }
}

impl Users {
    pub(crate) fn new(root: Directory, configured: BTreeMap<String, Profile>) -> Result<Self> {
        for (folder, profile) in &configured {
            if !is_folder_name(folder) {
                return Err(Error::invalid(format!(
                    "`config.users` has `{folder}`, which is no name of a folder in `config.path`"
                )));
            }
            if let Some(calendar) = &profile.calendar {
                check_calendar("`config.users`", calendar)?;
            }
        }
        Ok(Self {
            root,
            configured,
            known: Mutex::default(),
        })
    }

    pub(crate) fn find(&self, address: &CalendarAddress) -> Result<Option<CalendarUser>> {
        let key = key(address);
        let mut known = self.known();
        if let Some(folder) = known.by_key.get(&key).cloned()
            && let Some((person, _)) = self.look_at(&mut known, &folder)?
            && person.answers_to(address)
        {
            return Ok(Some(person));
        }
        self.look_at_all(&mut known)?;
        let Some(folder) = known.by_key.get(&key).cloned() else {
            return Ok(None);
        };
        Ok(self.look_at(&mut known, &folder)?.map(|(person, _)| person))
    }

    /// The user that answers to the address, if that can be told without reading anything.
    pub(crate) fn find_known(&self, address: &CalendarAddress) -> Option<CalendarUser> {
        let known = self.known.try_lock().ok()?;
        let (person, _) = self.unchanged(&known, known.by_key.get(&key(address))?)?;
        person.answers_to(address).then(|| person.clone())
    }

    /// Whether the folder is still this user's, as far as that can be told without reading anything.
    pub(crate) fn is_still(&self, user: &CalendarUser) -> bool {
        self.known.try_lock().is_ok_and(|known| {
            let person = self.unchanged(&known, user.id.as_str());
            person.is_some_and(|(person, _)| person == user)
        })
    }

    fn unchanged<'a>(&self, known: &'a Known, name: &str) -> Option<&'a Person> {
        let folder = self.root.folder(name).ok()??;
        let stamp = folder.stamp(PROFILE).ok()?;
        known.still(name, stamp)?.person.as_ref()
    }

    /// The user that the host knows by this identifier, the name of its folder.
    pub(crate) fn by_folder(&self, user: &UserId) -> Result<Person> {
        let person = if is_folder_name(user.as_str()) {
            self.look_at(&mut self.known(), user.as_str())?
        } else {
            None
        };
        person.ok_or_else(|| self.unknown(user.as_str()))
    }

    /// The user's folder.
    pub(crate) fn open(&self, user: &str) -> Result<Directory> {
        self.root.folder(user)?.ok_or_else(|| self.unknown(user))
    }

    /// The user's folder for writing: no other process writes in it while the lock is held.
    pub(crate) fn open_locked(&self, user: &str, patience: Duration) -> Result<(Directory, Lock)> {
        loop {
            let folder = self.open(user)?;
            let lock = folder.make_folder(CONTROL)?.lock("lock", patience)?;
            // It may have been removed, and another made, while we waited.
            if self.root.still_holds(user, &folder) {
                return Ok((folder, lock));
            }
        }
    }

    /// The users in the order of their folders' names.
    pub(crate) fn list(&self, page: &Page) -> Result<Listing<CalendarUser>> {
        let mut known = self.known();
        let mut names = self.look_at_all(&mut known)?;
        if let Some(after) = &page.after {
            names.retain(|name| name.as_str() > after.as_str());
        }
        let names = Listing::page(names, page, |name| Cursor::new(name.as_str()));
        let people =
            (names.items.iter()).filter_map(|name| known.folders.get(name)?.person.clone());
        let items = people.map(|(person, _)| person).collect();
        Ok(Listing::new(items, names.next))
    }

    pub(crate) fn add(&self, user: &NewUser) -> Result<UserId> {
        let _lock = self.root.lock(LOCK, PATIENCE)?;
        let mut known = self.known();
        self.look_at_all(&mut known)?;
        self.are_free(
            &known,
            [&user.address].into_iter().chain(&user.aliases),
            None,
        )?;
        let name = names::folder(&user.address);
        let profile = Profile::of(&user.clone().with_id(UserId::new(name.as_str())?)).written()?;
        self.discard(UNFINISHED)?; // of an attempt that was cut short
        let folder = self.root.make_folder(UNFINISHED)?;
        folder.prepare(PROFILE, profile.as_bytes())?.create()?;
        if !self.root.rename_if_free(UNFINISHED, &name)? {
            self.discard(UNFINISHED)?;
            return Err(Error::conflict(format!(
                "{} is there already; say whose it is under `config.users`, or move it away",
                self.root.path().join(&name).display()
            )));
        }
        Ok(UserId::new(name)?)
    }

    /// Fails if one of the addresses is somebody else's than `own`'s.
    fn are_free<'a>(
        &self,
        known: &Known,
        addresses: impl Iterator<Item = &'a CalendarAddress>,
        own: Option<&str>,
    ) -> Result<()> {
        for address in addresses {
            let folder = known.by_key.get(&key(address));
            if let Some(folder) = folder.filter(|folder| Some(folder.as_str()) != own) {
                return Err(Error::conflict(format!(
                    "{} is an address of the calendar user in {}",
                    address.human(),
                    self.root.path().join(folder).display()
                )));
            }
        }
        Ok(())
    }

    /// Writes down what is known of a user anew; which calendar new objects go to stays.
    pub(crate) fn update(&self, user: &CalendarUser) -> Result<()> {
        let name = user.id.as_str();
        let _lock = self.root.lock(LOCK, PATIENCE)?;
        let (_, calendar) = self.by_folder(&user.id)?;
        let mut known = self.known();
        self.look_at_all(&mut known)?;
        let addresses = [&user.address].into_iter().chain(&user.aliases);
        self.are_free(&known, addresses, Some(name))?;
        let mut profile = Profile::of(user);
        profile.calendar = calendar;
        let (folder, _lock) = self.open_locked(name, PATIENCE)?;
        folder
            .prepare(PROFILE, profile.written()?.as_bytes())?
            .replace()?;
        known.folders.remove(name);
        self.look_at_all(&mut known)?;
        Ok(())
    }

    pub(crate) fn remove(&self, user: &UserId) -> Result<()> {
        let name = user.as_str();
        let _lock = self.root.lock(LOCK, PATIENCE)?;
        self.by_folder(user)?;
        let (_, lock) = self.open_locked(name, PATIENCE)?;
        // Out of sight at once, then piece by piece.
        let gone = format!(".convoke.removed-{}", names::hash([name.as_bytes()]));
        self.discard(&gone)?;
        self.root.rename_if_free(name, &gone)?;
        drop(lock);
        self.known().folders.remove(name);
        self.discard(&gone)
    }

    /// Removes a folder of ours with what is in it, if it is there. Symbolic links are removed, not followed.
    fn discard(&self, name: &str) -> Result<()> {
        let path = self.root.path().join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(crate::directory::io_error("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Looks at every folder; the names of those that are users, sorted.
    fn look_at_all(&self, known: &mut Known) -> Result<Vec<String>> {
        let entries = self.root.entries()?.into_iter();
        let folders = entries.filter(|entry| entry.is_folder);
        let mut names: Vec<String> = folders.map(|entry| entry.name).collect();
        names.sort_unstable();
        known
            .folders
            .retain(|name, _| names.binary_search(name).is_ok());
        let mut by_key: HashMap<String, String> = HashMap::new();
        let mut users = Vec::with_capacity(names.len());
        for name in names {
            let Some((person, _)) = self.look_at(known, &name)? else {
                continue;
            };
            for address in [&person.address].into_iter().chain(&person.aliases) {
                // Two folders that claim one address: the first keeps it.
                by_key.entry(key(address)).or_insert_with(|| name.clone());
            }
            users.push(name);
        }
        known.by_key = by_key;
        Ok(users)
    }

    /// The user that the folder belongs to; `None` if it is nobody's.
    fn look_at(&self, known: &mut Known, name: &str) -> Result<Option<Person>> {
        let Some(folder) = self.root.folder(name)? else {
            known.folders.remove(name);
            return Ok(None);
        };
        let stamp = folder.stamp(PROFILE)?;
        if let Some(before) = known.still(name, stamp) {
            return Ok(before.person.clone());
        }
        let profile = match folder.read(PROFILE)? {
            Some((_, Content::Bytes(bytes))) => read_profile(&bytes, &folder),
            Some((_, Content::Forbidden(problem))) => return Err(Error::unavailable(problem)),
            Some((_, Content::Huge(_))) => {
                complain(&folder, "it is larger than 16 MiB");
                None
            }
            None => None,
        };
        let profile = profile.or_else(|| self.configured.get(name).cloned());
        let person = profile.unwrap_or_default().person(name);
        let now = SystemTime::now();
        let profiled = Profiled {
            stamp,
            fresh: stamp.is_some_and(|stamp| stamp.is_fresh(now)),
            person: person.clone(),
        };
        known.folders.insert(name.to_owned(), profiled);
        Ok(person)
    }

    fn unknown(&self, user: &str) -> Error {
        Error::not_found(format!(
            "{} holds no folder of the calendar user `{user}`",
            self.root.path().display()
        ))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_profile(bytes: &[u8], folder: &Directory) -> Option<Profile> {
    let problem = match toml::from_slice::<Profile>(bytes) {
        Ok(Profile {
            calendar: Some(calendar),
            ..
        }) if !is_folder_name(&calendar) => {
            format!("`{calendar}` is no name of a calendar's folder")
        }
        Ok(profile) => return Some(profile),
        Err(error) => error.to_string(),
    };
    complain(folder, &problem);
    None
}

/// The folder's name may still say whose it is.
fn complain(folder: &Directory, problem: &str) {
    tracing::warn!(
        event = "profile-unreadable",
        "{}: not used: {problem}",
        folder.path().join(PROFILE).display()
    );
}

impl Profile {
    fn written(&self) -> Result<String> {
        toml::to_string(self)
            .map_err(|error| Error::internal(format!("a profile cannot be written: {error}")))
    }

    fn of(user: &CalendarUser) -> Self {
        Self {
            address: Some(user.address.clone()),
            aliases: user.aliases.clone(),
            name: user.name.clone(),
            timezone: user.timezone.clone(),
            kind: match user.kind {
                UserKind::Group => Kind::Group,
                UserKind::Resource => Kind::Resource,
                UserKind::Room => Kind::Room,
                _ => Kind::Individual,
            },
            calendar: None,
            scheduling: user.scheduling,
            attributes: user.attributes.clone(),
        }
    }

    fn person(self, folder: &str) -> Option<Person> {
        let named = || CalendarAddress::new(folder).ok();
        let mut user = CalendarUser::new(UserId::new(folder).ok()?, self.address.or_else(named)?);
        user.aliases = self.aliases;
        user.name = self.name;
        user.timezone = self.timezone;
        user.kind = match self.kind {
            Kind::Individual => UserKind::Individual,
            Kind::Group => UserKind::Group,
            Kind::Resource => UserKind::Resource,
            Kind::Room => UserKind::Room,
        };
        user.scheduling = self.scheduling;
        user.attributes = self.attributes;
        Some((user, self.calendar))
    }
}

/// Fails unless `name` can be a calendar's folder.
pub(crate) fn check_calendar(key: &str, name: &str) -> Result<()> {
    if is_folder_name(name) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{key} names the calendar `{name}`: write the name of a folder, without `/` and not beginning with a dot"
    )))
}

/// One visible name, nothing that leads elsewhere.
fn is_folder_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// The case of a `mailto:` local part does not tell two people apart.
fn key(address: &CalendarAddress) -> String {
    if address.local_part().is_some() {
        address.as_str().to_ascii_lowercase()
    } else {
        address.as_str().to_owned()
    }
}
