//! Which calendar a new object goes to.

use crate::{
    href::{self, Href},
    remote::Remote,
    replica::{Replica, is_called},
    server::Request,
};
use convoke_sdk::prelude::*;

/// What a calendar is called that we have to make.
const CALENDAR: &str = "calendar";

impl Remote {
    /// The calendar for a new object with this main component.
    pub(crate) async fn calendar_for(
        &self,
        replica: &mut Replica,
        component: &str,
    ) -> Result<Href> {
        if replica.calendars.is_empty() {
            self.look_for_calendars(replica).await?;
        }
        let calendars = &replica.calendars;
        if let Some(name) = &self.wishes.calendar {
            if let Some(href) = calendars.called(name, component) {
                return Ok(href.clone());
            }
            if calendars
                .0
                .iter()
                .any(|(href, it)| is_called(href, it.name.as_deref(), name))
            {
                return Err(self.server.unavailable(format!(
                    "the calendar `{name}` takes no {component}; name another as `calendar`, or let this one take them"
                )));
            }
            return self.make_calendar(replica, name).await;
        }
        let default = self.places.default_calendar.as_ref();
        let default = default.and_then(|it| calendars.0.keys().find(|href| href.is(it)));
        let mut all = default.into_iter().chain(calendars.0.keys());
        if let Some(href) = all.find(|href| calendars.takes(href, component)) {
            return Ok(href.clone());
        }
        self.make_calendar(replica, CALENDAR).await
    }

    async fn make_calendar(&self, replica: &mut Replica, name: &str) -> Result<Href> {
        let segment = href::segment(name);
        let home = self.places.homes.first();
        let (Some(segment), Some(home)) = (segment, home) else {
            return Err(self.server.unavailable(format!(
                "no calendar can be called `{name}`; name another as `calendar`"
            )));
        };
        let href = home.child(&format!("{segment}/"));
        // Without a media type: Xandikos would want XML then.
        let request = Request::new("MKCALENDAR", &href);
        let answer = self.server.send(&request).await?;
        // 405: somebody else made it just now.
        if !matches!(answer.status.as_u16(), 200 | 201 | 405) {
            return Err(self.server.unexpected(&request, &answer));
        }
        self.look_for_calendars(replica).await?;
        let mut calendars = replica.calendars.0.keys();
        let made = calendars.find(|it| it.is(&href)).cloned();
        made.ok_or_else(|| {
            self.server.unavailable(format!(
                "{href} was made and is no calendar; make one by hand and name it as `calendar`"
            ))
        })
    }
}
