//! `convoke changed`: a hook for other servers.

use super::{
    Global,
    output::{self, Failure},
    session::asked,
};
use crate::admin::api::LookNow;
use clap::Args;
use convoke_types::CalendarAddress;

const EXAMPLES: &str = "\
Example:
  convoke changed --user anna@example.org        after a calendar server has stored something

The host watches calendars by itself; a server that knows what changed can say so sooner. What changed is told once \
it has been quiet for `[scheduling] settle`.";

/// Look at a user's calendar now, and tell what changed in it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Changed {
    /// Whose calendar
    #[arg(long, value_name = "ADDR")]
    user: CalendarAddress,
}

impl Changed {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let host = global.needed_host().await?;
        let user = self.user;
        let looked = asked(host.call(&LookNow { user: user.clone() }).await)?;
        if global.json {
            return output::print_json(&looked);
        }
        let human = user.human();
        output::print_text(&match looked.next {
            _ if looked.first => {
                format!("{human}: the first look; what changes from now on is told\n")
            }
            Some(next) => format!(
                "{human}: {} told, {} settle until {next}\n",
                looked.told, looked.settling
            ),
            None => format!("{human}: {} told, {} held\n", looked.told, looked.held),
        })
    }
}
