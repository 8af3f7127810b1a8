//! `convoke store copy`: calendar users and their objects from one store into another.
//!
//! Each object is compared with what the other store has, written if it has nothing, and read again to see that it
//! arrived. So a copy that was interrupted is simply started again, and what has been copied is not written twice.

use super::equivalent::equivalent;
use crate::{
    admin::api::Tells,
    cli::{
        Global,
        context::{all, as_new, failed, people},
        output::{self, Failure, pluralise},
        session::{Session, StoreSession},
    },
    escape::escape_controls,
    scheduling,
};
use clap::Args;
use convoke_plugin_host::IndexService;
use convoke_sdk::{CalendarUser, Error, ErrorKind, NewObject, Page, Precondition};
use convoke_types::{CalendarAddress, Uid};
use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use serde::Serialize;
use std::fmt;

/// Objects on their way at once.
const TOGETHER: usize = 64;

const EXAMPLES: &str = "\
Examples:
  convoke store copy --from store-vdir --to store-sqlite
  convoke store copy --from old --to new --user anna@example.org

Both are [[store]] entries of the configuration, by `name` (or `plugin`, where no name is written). The first entry that \
serves a domain is asked for its people, so write the new store behind the old one, copy, and change their order.
What the other store has already is left alone. Nothing is removed, and nothing is sent to anybody. Messages that wait \
for somebody to decide (a proposal of another time) are not copied.

Exit status 1 if something was not copied; start it again then, it goes on where it stopped.";

/// Copy calendar users, with all their objects, into another store
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Copy {
    /// Source store
    #[arg(long, value_name = "NAME")]
    from: String,
    /// Destination store
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Copy this calendar user only (repeatable)
    #[arg(long = "user", value_name = "ADDR")]
    users: Vec<CalendarAddress>,
    /// Overwrite objects that differ in the destination
    #[arg(long)]
    replace: bool,
}

impl Copy {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.config()?;
        let stores = global.stores().await?;
        if self.from == self.to {
            let text = "a store is not copied into itself; name two with --from and --to";
            return Err(Failure::usage(text));
        }
        let work = Work {
            from: named(&stores, &self.from).await?,
            to: named(&stores, &self.to).await?,
            replace: self.replace,
            index: scheduling::index_service(config.limits.messages),
            progress: output::progress(),
        };
        let mut copied = Vec::new();
        for user in self.whom(&work.from).await? {
            copied.push(work.person(&user).await);
        }
        work.progress.finish_and_clear();
        if global.json {
            output::print_json(&copied)?;
        } else {
            let text: String = copied.iter().map(Copied::to_string).collect();
            output::print_text(&text)?;
        }
        if copied.iter().all(Copied::is_whole) {
            Ok(())
        } else {
            Err(Failure::already_reported())
        }
    }

    async fn whom(&self, from: &StoreSession) -> Result<Vec<CalendarUser>, Failure> {
        if self.users.is_empty() {
            return people(from).await;
        }
        let mut users = Vec::new();
        for address in &self.users {
            let found = from.find(address).await;
            let found = found.map_err(|error| failed(from, &error))?;
            users.push(found.ok_or_else(|| {
                let address = address.human();
                Failure::new(format!(
                    "{address} is no calendar user of the store `{}`",
                    from.name()
                ))
            })?);
        }
        Ok(users)
    }
}

async fn named(stores: &Session, name: &str) -> Result<StoreSession, Failure> {
    let all = all(stores).await?;
    if let Some(store) = all.iter().find(|store| store.name() == name) {
        return Ok(store.clone());
    }
    let names: Vec<_> = all.iter().map(StoreSession::name).collect();
    let remedy = match stores {
        Session::Running(_) => "; what was written since it started holds after `convoke reload`",
        Session::Opened(_) => "",
    };
    Err(Failure::new(format!(
        "the configuration has no [[store]] of the name `{name}`; it has `{}`{remedy}",
        names.join("`, `")
    )))
}

/// One copy.
struct Work {
    from: StoreSession,
    to: StoreSession,
    replace: bool,
    index: IndexService,
    progress: ProgressBar,
}

/// What became of one calendar user.
#[derive(Serialize)]
struct Copied {
    user: CalendarAddress,
    /// Objects written and read again.
    copied: usize,
    /// Objects that the other store had already.
    same: usize,
    /// Objects that it has in another version, which was left alone.
    different: Vec<Uid>,
    /// What could not be copied, and why.
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    /// The object; `None` if it is the calendar user, or the list of objects.
    uid: Option<Uid>,
    error: String,
}

/// What became of one object.
enum Fate {
    Written,
    Same,
    Different,
    /// It was removed since it was listed.
    Gone,
}

impl Work {
    async fn person(&self, user: &CalendarUser) -> Copied {
        let mut copied = Copied {
            user: user.address.clone(),
            copied: 0,
            same: 0,
            different: Vec::new(),
            failed: Vec::new(),
        };
        if let Err(error) = self.objects(user, &mut copied).await {
            let error = error.to_string();
            copied.failed.push(Failed { uid: None, error });
        }
        copied
    }

    async fn objects(&self, user: &CalendarUser, copied: &mut Copied) -> Result<(), Error> {
        let there = self.counterpart(user).await?;
        let mut page = Page::first(500);
        loop {
            let listing = self.from.list(&user.id, &page).await?;
            self.progress.inc_length(listing.items.len() as u64);
            let objects = listing.items.into_iter();
            let mut fates = stream::iter(objects.map(async |object| {
                let fate = self.object(user, &there, &object.uid).await;
                (object.uid, fate)
            }))
            .buffered(TOGETHER);
            while let Some((uid, fate)) = fates.next().await {
                self.progress.inc(1);
                copied.count(uid, fate);
            }
            match listing.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The same calendar user in the other store, made if it is not there.
    async fn counterpart(&self, user: &CalendarUser) -> Result<CalendarUser, Error> {
        if let Some(there) = self.to.find(&user.address).await? {
            return Ok(there);
        }
        let new = as_new(user);
        match self.to.add_user(&new).await {
            Ok(id) => Ok(new.with_id(id)),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                Err(Error::unsupported(format!(
                    "`{}` does not know the address and makes no calendar users; make it known there first",
                    self.to.name()
                )))
            }
            Err(error) => Err(error),
        }
    }

    async fn object(
        &self,
        user: &CalendarUser,
        there: &CalendarUser,
        uid: &Uid,
    ) -> Result<Fate, Error> {
        let Some(object) = self.from.get(&user.id, uid).await? else {
            return Ok(Fate::Gone);
        };
        let when = match self.to.get(&there.id, uid).await? {
            None => Precondition::Absent,
            Some(has) if equivalent(&has.data, &object.data) => return Ok(Fate::Same),
            Some(_) if !self.replace => return Ok(Fate::Different),
            Some(has) => Precondition::Matches(has.etag),
        };
        let new = {
            let index = (self.index)(Some(there), &object.data)?;
            NewObject::new(object.data, index)
        };
        self.to.put(there, &new, &when, Tells::Nobody).await?;
        let arrived = self.to.get(&there.id, uid).await?;
        if arrived.is_some_and(|arrived| equivalent(&arrived.data, &new.data)) {
            return Ok(Fate::Written);
        }
        Err(Error::internal(format!(
            "`{}` took it and does not give it back as it was",
            self.to.name()
        )))
    }
}

impl Copied {
    fn count(&mut self, uid: Uid, fate: Result<Fate, Error>) {
        match fate {
            Ok(Fate::Written) => self.copied += 1,
            Ok(Fate::Same) => self.same += 1,
            Ok(Fate::Different) => self.different.push(uid),
            Ok(Fate::Gone) => {}
            Err(error) => self.failed.push(Failed {
                uid: Some(uid),
                error: error.to_string(),
            }),
        }
    }

    fn is_whole(&self) -> bool {
        self.different.is_empty() && self.failed.is_empty()
    }
}

/// A line, and one more for each thing that was not copied.
impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.human();
        write!(f, "{user}: {} copied", pluralise(self.copied))?;
        if self.same > 0 {
            write!(f, ", {} there already", self.same)?;
        }
        writeln!(f)?;
        for uid in &self.different {
            let uid = escape_controls(uid.as_str());
            writeln!(
                f,
                "{user}: {uid} is there in another version; --replace writes over it"
            )?;
        }
        for Failed { uid, error } in &self.failed {
            let error = escape_controls(error);
            match uid {
                Some(uid) => writeln!(f, "{user}: {}: {error}", escape_controls(uid.as_str()))?,
                None => writeln!(f, "{user}: {error}")?,
            }
        }
        Ok(())
    }
}
