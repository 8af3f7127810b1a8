//! When what is known of a user's files is saved for the next run.

use super::Calendars;
use crate::{Shared, directory::Directory, index_file, place::Place, users};
use convoke_sdk::{prelude::*, tracing};
use std::time::Duration;

/// So much news is worth writing down for the next run, if it is a tenth of all.
const WORTH_SAVING: usize = 100;

/// When what is known is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Save {
    #[default]
    Later,
    /// All files were looked at, which happens at most once a minute where they are watched.
    IfMuchChanged,
    /// The next run could not find out by itself.
    AtOnce,
}

impl Calendars {
    /// What the last run knew is known again, once.
    pub(super) fn load_index(&mut self, folder: &Directory) -> Result<()> {
        if self.saved.is_none() {
            if let Some(control) = folder.folder(users::CONTROL)? {
                self.index = index_file::load(&control, self.person()?);
                for place in self.index.places().filter(|it| !it.part.is_empty()) {
                    let parts = self.parts.entry(place.whole()).or_default();
                    parts.places.insert(Place::clone(place));
                }
            }
            self.saved = Some(self.index.places().count());
        }
        Ok(())
    }

    /// Writes down for the next run what took long to find out.
    pub(crate) fn save_index(&mut self, shared: &Shared) {
        let much = self.unsaved >= WORTH_SAVING.max(self.saved.unwrap_or_default() / 10);
        match std::mem::take(&mut self.save) {
            Save::AtOnce => {}
            Save::IfMuchChanged if much => {}
            Save::Later | Save::IfMuchChanged => return,
        }
        match self.try_to_save_index(shared) {
            Ok(saved) => self.saved = Some(saved),
            Err(error) => tracing::info!(
                event = "index-not-saved",
                "the index could not be saved, so the next start reads every file again: {error}"
            ),
        }
        self.unsaved = 0;
    }

    fn try_to_save_index(&self, shared: &Shared) -> Result<usize> {
        // Whoever writes now is not waited for: there will be another time.
        let (folder, _lock) = shared.users.open_locked(self.user()?, Duration::ZERO)?;
        let control = folder.make_folder(users::CONTROL)?;
        index_file::save(&control, self.person()?, &self.index)
    }
}
