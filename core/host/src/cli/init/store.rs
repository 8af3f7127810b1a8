//! Where calendars are to be.

use std::{path::PathBuf, str::FromStr};
use url::Url;

/// Where calendars are to be, as `--store` and the answer to the question say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// One file of SQLite.
    Sqlite(PathBuf),
    /// A folder of `.ics` files.
    Vdir(PathBuf),
    /// A CalDAV server: the URL of somebody's calendars, `{user}` standing for who it is.
    Caldav(String),
}

/// What stands for the name that somebody logs in with.
const USER: &str = "{user}";

impl Store {
    pub(super) const fn is_caldav(&self) -> bool {
        matches!(self, Self::Caldav(_))
    }

    /// The server that calendars are on, without the path.
    pub(super) fn server(&self) -> Option<String> {
        let Self::Caldav(home) = self else {
            return None;
        };
        let url = Url::parse(home).ok()?;
        Some(url.origin().ascii_serialization())
    }
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, place) = text.split_once(':').unwrap_or((text, ""));
        if place.is_empty() {
            return Err("say where: sqlite:FILE, vdir:FOLDER, or caldav:URL".to_owned());
        }
        match kind {
            "sqlite" => Ok(Self::Sqlite(place.into())),
            "vdir" => Ok(Self::Vdir(place.into())),
            "caldav" => caldav(place),
            _ => Err(format!(
                "`{kind}` is no kind of store; write sqlite:FILE, vdir:FOLDER, or caldav:URL"
            )),
        }
    }
}

fn caldav(home: &str) -> Result<Store, String> {
    let url = Url::parse(home).map_err(|_| {
        format!("{home} is no URL; write one such as caldav:https://dav.example.org/{USER}/")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "{home} is no URL of a CalDAV server, which begins with https:// or http://"
        ));
    }
    if !home.contains(USER) {
        return Err(format!(
            "{home} is the same for everybody; write {USER} where the name of each person stands: caldav:https://dav.example.org/{USER}/"
        ));
    }
    Ok(Store::Caldav(home.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_others_are_refused_with_what_to_write() {
        let read = |text: &str| text.parse::<Store>();
        assert_eq!(
            read("sqlite:/srv/c.db"),
            Ok(Store::Sqlite("/srv/c.db".into()))
        );
        assert_eq!(read("vdir:calendars"), Ok(Store::Vdir("calendars".into())));
        let radicale = read("caldav:http://127.0.0.1:5232/{user}/").unwrap();
        assert_eq!(radicale.server().as_deref(), Some("http://127.0.0.1:5232"));
        for (text, part) in [
            ("sqlite", "say where"),
            ("vdir:", "say where"),
            ("mysql:db", "`mysql` is no kind of store"),
            (
                "caldav:ftp://dav.example.org/{user}/",
                "begins with https://",
            ),
            ("caldav:https://dav.example.org/", "write {user}"),
            ("caldav:dav.example.org/{user}", "is no URL"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
