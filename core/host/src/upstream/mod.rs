//! A CalDAV server that a listener stands in front of: how it is reached, and what is known of who uses it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `headers` | header fields that pass, and those that do not |
//! | `urls` | paths and URLs: what leads to the server, and what it says of itself |
//! | `connection`, `exchange` | connections to the server; one request and its answer, as they come |
//! | `places` | who may pass something on now |
//! | `login` | who logs in, by what the server said of the credentials |
//! | `people` | whose calendar a path lies in |
//! | `principals` | which principal of the server is which calendar user |
//! | `greeting` | what the server says to somebody who has not logged in |
//! | `written` | what the configuration says of the server |
//! | `own` | the paths of each user's inbox and outbox, which are ours |
//! | `looks` | which calendars have been looked at, and which are being looked at |
//!
//! Always true: nothing is asked of any other server than the one that the administrator wrote down, whatever a request names;
//! what the server believes of who asks is said by us alone; whatever is waited for has an end.

mod connection;
mod exchange;
mod greeting;
mod headers;
mod login;
mod looks;
mod own;
mod people;
mod places;
mod principals;
mod urls;
mod written;

pub(crate) use exchange::{Answer, NoAnswer, Outgoing, Read};
pub(crate) use greeting::{Greeting, greeting};
pub(crate) use headers::{Front, has_known_coding, hides_fields, to_client, to_server};
pub(crate) use login::{Claim, Scheme, is_unreadable};
pub(crate) use looks::Look;
pub(crate) use own::{PAGE, inbox, is_own, outbox, own, own_path};
pub(crate) use places::{OwnPlace, Standing};
pub(crate) use urls::{destination, is_within, location, path_of, segments};
pub(crate) use written::{all_stores, around, is_ours, misspelt, stores_on, urls};

use crate::config::UpstreamServer;
use convoke_net::http_client::Client;
use convoke_types::CalendarUser;
use exchange::Exchanges;
use login::Logins;
use looks::Looks;
use people::People;
use principals::Principals;

/// The server, and what is known of it.
pub(crate) struct Upstream {
    pub(crate) server: UpstreamServer,
    pub(crate) exchanges: Exchanges,
    pub(crate) logins: Logins,
    pub(crate) people: People,
    pub(crate) principals: Principals,
    pub(crate) looks: Looks,
}

impl Upstream {
    pub(crate) fn new(server: UpstreamServer, client: Client) -> Self {
        Self {
            people: People::new(server.clone()),
            exchanges: Exchanges::new(client, server.clone()),
            server,
            logins: Logins::new(),
            principals: Principals::new(),
            looks: Looks::new(),
        }
    }

    /// The paths of the folders that a user's calendars are in.
    pub(crate) fn calendars_of(&self, user: &CalendarUser) -> Vec<String> {
        let said = user.attributes.get(CalendarUser::CALDAV_HOMES);
        let urls = said.unwrap_or_default().split(' ');
        let paths = urls.filter_map(|url| urls::path_on(&self.server, url));
        paths.collect()
    }
}
