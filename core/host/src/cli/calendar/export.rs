//! `convoke calendar export`: what a store holds of a user, as one calendar.
//!
//! Objects are fetched some at once and written as they come; none is in memory for longer.

use super::page_after;
use crate::cli::{
    Global,
    context::{failed, none_of, user_of},
    output::{self, Failure},
};
use clap::Args;
use convoke_calendar::{tree, zone::ZoneTable};
use convoke_types::{CalendarAddress, Uid};
use futures::{StreamExt, TryStreamExt, stream};

/// Objects on their way at once.
const TOGETHER: usize = 64;

const BEGIN: &[u8] = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//Convoke//EN\r\n";
const END: &[u8] = b"END:VCALENDAR\r\n";

const EXPORT_EXAMPLES: &str = "\
Examples:
  convoke calendar export --user anna@example.org > anna.ics
  convoke calendar export --user anna@example.org --uid 20270104-review@example.org";

/// Print a user's calendar as iCalendar
#[derive(Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(in crate::cli) struct Export {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
    /// Print the object of this UID only, as it is stored
    #[arg(long)]
    uid: Option<Uid>,
}

impl Export {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.stores().await?;
        let (store, user) = user_of(&session, &self.user).await?;
        let store = &store;
        let get = async |uid: Uid| {
            let stored = store.get(&user.id, &uid).await;
            let stored = stored.map_err(|error| failed(store, &error))?;
            Ok::<_, Failure>(stored.map(|stored| (uid, stored.data)))
        };
        if let Some(uid) = &self.uid {
            let stored = get(uid.clone()).await?;
            let (_, data) = stored.ok_or_else(|| none_of(&self.user, uid))?;
            return output::print(&data);
        }
        let mut whole = Whole::default();
        let mut after = None;
        // The first page, before anything is printed: a store that is down leaves stdout alone.
        let mut page = page_after(store, &user, after).await?;
        output::print(BEGIN)?;
        loop {
            let uids = page.items.into_iter().map(|object| get(object.uid));
            let mut objects = stream::iter(uids).buffered(TOGETHER);
            // What is gone since it was listed is left out.
            while let Some(stored) = objects.try_next().await? {
                if let Some((uid, data)) = stored {
                    output::print(&whole.next(&uid, &data)?)?;
                }
            }
            after = page.next;
            if after.is_none() {
                return output::print(END);
            }
            page = page_after(store, &user, after).await?;
        }
    }
}

/// Many objects as one VCALENDAR; each time zone stands in it once, before what needs it. Of different ones of one name
/// all but the first get another.
#[derive(Default)]
struct Whole {
    zones: ZoneTable,
}

impl Whole {
    /// The components of one more object.
    fn next(&mut self, uid: &Uid, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let limits = tree::Limits {
            bytes: usize::MAX,
            ..tree::Limits::default()
        };
        let calendar = tree::Calendar::parse_stored(data, &limits).map_err(|error| {
            Failure::new(format!("the stored object {uid} cannot be read: {error}"))
        })?;
        let components = self.zones.add(calendar);
        Ok(components.iter().flat_map(tree::Component::write).collect())
    }
}
