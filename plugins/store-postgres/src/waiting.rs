//! Waiting for changes, by this host and by others.
//!
//! The row of a user bears the number of the last transaction that wrote to the user's objects. A look notes the oldest
//! transaction that was under way then (the horizon of its snapshot), and the next one asks for rows of that transaction or later: so it
//! costs as much as there is new, and misses nothing, whatever the order in which transactions are committed.

use crate::{
    database::Database,
    news::{LOOK, News},
    users,
};
use convoke_sdk::prelude::*;
use std::{collections::HashMap, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::{Row, types::Type};

/// Writes that follow each other so closely are found together.
const COALESCE: Duration = Duration::from_millis(20);

/// How each of these users stands, and the horizon.
const ALL: &str = "
    SELECT NULL::bigint, NULL::bigint, pg_snapshot_xmin(pg_current_snapshot())::text
    UNION ALL SELECT id, change, NULL FROM convoke.users WHERE id = ANY ($1)";

/// How users stand whose rows are newer than a horizon, and the next one.
const NEW: &str = "
    SELECT NULL::bigint, NULL::bigint, pg_snapshot_xmin(pg_current_snapshot())::text
    UNION ALL SELECT id, change, NULL FROM convoke.users WHERE written >= $1::xid8
    UNION ALL SELECT id, NULL, NULL FROM convoke.departed WHERE written >= $1::xid8";

/// Waits until something happened to the objects of one of the users.
pub(crate) async fn wait(
    db: &Database,
    news: &News,
    watch: &Watch,
    call: &Call,
) -> Result<Changed> {
    let until = Instant::now() + call.patience();
    let mut heard = news.subscribe();
    news.listen(db).await;
    let watched = Watching::new(&watch.users);
    let mut seen = Seen::read(
        &db.read(call, ALL, &[(&watched.ids(), Type::INT8_ARRAY)])
            .await?,
    )?;
    let mut changed = watched.changed(&seen, What::All);
    while changed.is_empty() {
        if Instant::now() >= until {
            return Ok(Changed::default());
        }
        tokio::select! {
            _ = heard.changed() => sleep_until(until.min(Instant::now() + COALESCE)).await,
            () = sleep_until(until.min(Instant::now() + LOOK)) => {}
        }
        heard.mark_unchanged();
        let horizon = seen.horizon.to_string();
        let rows = db.read(call, NEW, &[(&horizon, Type::TEXT)]).await?;
        let newer = Seen::read(&rows)?;
        if newer.horizon < seen.horizon {
            // Another database: a copy was put back in its place. Whoever asked begins again.
            return Ok(Changed::of(
                watch.users.iter().map(|it| it.user.clone()).collect(),
            ));
        }
        seen = newer;
        changed = watched.changed(&seen, What::New);
    }
    Ok(Changed::of(changed))
}

/// What one look saw.
struct Seen {
    horizon: u64,
    /// The writes to each user's objects that were counted; `None` for a user that is gone.
    counts: HashMap<i64, Option<i64>>,
}

/// Whether a look saw all that are watched, or those with news.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    New,
}

impl Seen {
    fn read(rows: &[Row]) -> Result<Self> {
        let mut horizon = None;
        let mut counts = HashMap::new();
        for row in rows {
            match row.get::<_, Option<i64>>(0) {
                Some(id) => {
                    counts.insert(id, row.get(1));
                }
                None => horizon = row.get::<_, &str>(2).parse().ok(),
            }
        }
        let horizon = horizon.ok_or_else(|| Error::internal("PostgreSQL told no horizon"))?;
        Ok(Self { horizon, counts })
    }
}

/// The users that are watched, by their numbers.
struct Watching<'a> {
    by_number: HashMap<i64, &'a Watched>,
    /// Those whose identifiers are none of ours: something happened to them.
    others: Vec<UserId>,
}

impl<'a> Watching<'a> {
    fn new(watched: &'a [Watched]) -> Self {
        let mut watching = Self {
            by_number: HashMap::new(),
            others: Vec::new(),
        };
        for it in watched {
            match users::number(&it.user) {
                Ok(number) => {
                    watching.by_number.insert(number, it);
                }
                Err(_) => watching.others.push(it.user.clone()),
            }
        }
        watching
    }

    fn ids(&self) -> Vec<i64> {
        self.by_number.keys().copied().collect()
    }

    /// Those whose count of writes is not the one of their cursor; who is not there, too.
    fn changed(&self, seen: &Seen, what: What) -> Vec<UserId> {
        let is_changed = |number: &i64, it: &Watched| match seen.counts.get(number) {
            Some(Some(count)) => it.since.as_str().parse() != Ok(*count),
            Some(None) => true,
            None => what == What::All,
        };
        let of_ours = self.by_number.iter();
        let of_ours = of_ours.filter(|(number, it)| is_changed(number, it));
        let of_ours = of_ours.map(|(_, it)| it.user.clone());
        of_ours.chain(self.others.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_gone_or_has_another_count_changed() {
        let watched =
            |id: &str, since: &str| Watched::new(UserId::new(id).unwrap(), Cursor::new(since));
        let all = [
            watched("1", "5"),
            watched("2", "7"),
            watched("3", "0"),
            watched("x", "0"),
        ];
        let watching = Watching::new(&all);
        let seen = Seen {
            horizon: 1,
            counts: [(1, Some(5)), (2, Some(8))].into(),
        };
        let names = |what| {
            let mut names: Vec<_> = watching
                .changed(&seen, what)
                .iter()
                .map(ToString::to_string)
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(What::All), ["2", "3", "x"]);
        assert_eq!(names(What::New), ["2", "x"]);
    }
}
