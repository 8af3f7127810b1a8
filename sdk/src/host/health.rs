//! How a plugin says that it is not well.

use serde::{Deserialize, Serialize};

/// How a plugin is, by its own word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Health {
    /// As it should be.
    #[default]
    Healthy,
    /// It answers, but not as well as it should: why, in a sentence for the administrator.
    Degraded(String),
}

impl Health {
    /// Why it is not as it should be.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Healthy => None,
            Self::Degraded(why) => Some(why),
        }
    }
}
