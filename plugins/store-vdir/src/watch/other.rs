//! Where nothing is watched: every look goes through the whole folder.

use super::{Activity, Changed, News};
use crate::directory::Directory;

pub(crate) struct Watch;

impl Watch {
    pub(crate) fn new(_root: &Directory, _news: News) -> Self {
        Self
    }

    #[cfg(test)]
    pub(crate) const fn nowhere() -> Self {
        Self
    }

    pub(crate) fn take(&self, _user: &str) -> Changed {
        Changed::Everything
    }

    pub(crate) fn is_quiet(&self, _user: &str) -> bool {
        false
    }

    pub(crate) fn activity(&self, _user: &str) -> Activity {
        Activity::Unwatched
    }

    pub(crate) fn listen(&self) {}

    pub(crate) fn begin(&self, _user: &str, _folder: &Directory, _calendars: &[String]) {}

    pub(crate) fn forget(&self, _user: &str) {}
}
