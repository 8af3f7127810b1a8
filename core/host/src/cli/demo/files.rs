//! The step in which nobody uses a command: Bo edits the files of his calendar, as his calendar program does.

use super::{
    evidence, failure,
    people::{ANNA, BO, basic},
    story::{Story, address, check, done, say, step},
};
use crate::{
    admin::api::{Listed, LookNow, Overview},
    cli::output::Failure,
};
use convoke_types::{ErrorKind, Page, TimeRange, Uid};
use jiff::{SignedDuration, Timestamp};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

const UID: &str = "barn-dance@meadow.example";
/// How long a change may take until it has arrived; it takes a second and what `settle` says.
const PATIENCE: Duration = Duration::from_secs(30);

impl Story<'_> {
    /// Bo plans a meeting with Anna, moves it, and calls it off, each time by writing a file.
    pub(super) async fn edit_files(&self) -> Result<(), Failure> {
        let when = self.dance(0)?;
        let title = format!(
            "Bo writes a barn dance into his own calendar, {}, and moves it",
            self.shown(when)
        );
        step(6, &title)?;
        let user = address(&BO)?;
        // He did not change anything before the host first looked.
        self.meadow.call(&LookNow { user }).await.map_err(failure)?;
        let file = self.dance_file()?;
        let [start, end] = [when.start(), when.end()].map(basic);
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A calendar program//EN\r\nBEGIN:VEVENT\r\nUID:{UID}\r\n\
             DTSTAMP:{}\r\nDTSTART:{start}\r\nDTEND:{end}\r\nSUMMARY:Barn dance\r\nATTENDEE:mailto:{}\r\n\
             END:VEVENT\r\nEND:VCALENDAR\r\n",
            basic(Timestamp::now()),
            ANNA.address
        );
        save(&file, &text)?;
        say(&format!("  written: {}\n", file.display()))?;
        self.annas_dance_is_at(when).await?;
        let text = with_status(&file).await?;
        self.show_wire(
            "meadow.example invites anna: its host has seen the file",
            |exchange| {
                let from = exchange.header("originator");
                let kind = exchange.header("content-type");
                from == Some("mailto:bo@meadow.example")
                    && kind.is_some_and(|it| it.contains("REQUEST"))
            },
        )?;
        let moved = self.dance(1)?;
        check(
            text.contains("ORGANIZER"),
            "the host has put bo in as ORGANIZER, where his program forgot it",
        )?;
        let text = text.replace(&start, &basic(moved.start()));
        let text = text.replace(&end, &basic(moved.end()));
        save(&file, &text)?;
        self.annas_dance_is_at(moved).await?;
        done("anna's calendar followed bo's file both times, and nobody used a command")
    }

    /// Bo's file of the dance: beside that of the picnic.
    pub(super) fn dance_file(&self) -> Result<PathBuf, Failure> {
        let (picnic, _) = evidence::file_of_bo(self.world, &self.uid)?;
        Ok(picnic.with_file_name("barn-dance.ics"))
    }

    /// On the evening of the picnic, some hours later or not.
    fn dance(&self, later: i64) -> Result<TimeRange, Failure> {
        let start = self.meeting()?.start() + SignedDuration::from_hours(7 + later);
        TimeRange::new(start, start + SignedDuration::from_hours(2)).map_err(failure)
    }

    /// Waits until Anna's calendar has it then.
    async fn annas_dance_is_at(&self, when: TimeRange) -> Result<(), Failure> {
        let (start, begun) = (when.start().to_string(), Instant::now());
        loop {
            let found = self.annas_dance().await?;
            if found.and_then(|it| it.start).as_ref() == Some(&start) {
                return Ok(());
            }
            check(
                begun.elapsed() < PATIENCE,
                &format!("anna has the barn dance at {start}"),
            )?;
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn annas_dance(&self) -> Result<Option<Listed>, Failure> {
        let asked = Overview {
            user: address(&ANNA)?,
            page: Page::first(1),
            uid: Some(Uid::new(UID).map_err(failure)?),
        };
        match self.harbour.call(&asked).await {
            Ok(found) => Ok(found.items.into_iter().next()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }
}

/// Bo's file once it says what became of the invitation.
async fn with_status(file: &Path) -> Result<String, Failure> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(file).map_err(failure)?;
        if text.replace("\r\n ", "").contains("SCHEDULE-STATUS=") {
            return Ok(text);
        }
        check(
            begun.elapsed() < PATIENCE,
            "bo's file says what became of the invitation",
        )?;
        sleep(Duration::from_millis(50)).await;
    }
}

/// Writes a file as calendar programs do: it is there whole, or as it was.
fn save(file: &Path, text: &str) -> Result<(), Failure> {
    let beside = file.with_extension("tmp");
    fs::write(&beside, text).map_err(failure)?;
    fs::rename(&beside, file).map_err(failure)
}
