//! `convoke freebusy`.

use super::{
    Global,
    output::{self, Failure},
    send,
    server::{Server, ServerArgs},
    timeline::{MOST_DAYS, Row, Timeline},
    when::When,
};
use clap::Args;
use convoke_calendar::{
    freebusy,
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_ischedule::RecipientResponse;
use convoke_types::{BusySpan, CalendarAddress, TimeRange, Uid, merge};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  convoke freebusy --as anna@example.org bo@example.com --from now --to now+7d
  convoke freebusy --as anna@example.org anna@example.org bo@example.com --from 2027-01-04 --to 2027-01-05
  convoke freebusy --as anna@example.org bo@example.com --from now --to now+1d --json | jq '.[].busy'

A date is the midnight that it begins with. Days are drawn in your time zone, or that of --timezone.
A host answers about 400 days at most, or what its limits.freebusy_range says; beyond that it is 3.1.
Exit status 1 if one of them did not answer.";

/// Look up when people are busy
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Freebusy {
    /// Originator: who asks
    #[arg(long = "as", value_name = "ADDR")]
    from_whom: CalendarAddress,
    /// Whose busy time is looked up
    #[arg(value_name = "ADDR", required = true)]
    of: Vec<CalendarAddress>,
    /// Start of the range
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now",
        allow_hyphen_values = true
    )]
    from: When,
    /// End of the range
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now+1d",
        allow_hyphen_values = true
    )]
    to: When,
    /// Time zone of dates and of the chart, an IANA name [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    timezone: Option<TimeZone>,
    #[command(flatten)]
    server: ServerArgs,
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| "it is no IANA time zone such as Europe/Berlin".to_owned())
}

impl Freebusy {
    pub(super) async fn run(self, global: &Global) -> Result<(), Failure> {
        let zone = self.timezone.unwrap_or_else(TimeZone::system);
        let now = Timestamp::now();
        let instant = |when: When| {
            let resolved = when.resolve(now, &zone);
            resolved.map_err(|error| Failure::usage(error.to_string()))
        };
        let range = TimeRange::new(instant(self.from)?, instant(self.to)?)
            .map_err(|error| Failure::usage(error.to_string()))?;
        let timeline = Timeline {
            from: range.start(),
            to: range.end(),
            zone,
            width: output::width(),
            colour: output::has_colour(),
        };
        if !global.json && timeline.days().len() > MOST_DAYS {
            return Err(Failure::usage(format!(
                "more than {MOST_DAYS} days are not drawn; ask for fewer, or use --json"
            )));
        }
        let server = Server::find(&self.server, global, &self.from_whom).await?;
        let answers = ask(&server, &self.from_whom, &self.of, range).await?;
        if global.json {
            output::print_json(&answers.iter().map(Shown::from).collect::<Vec<_>>())?;
        } else {
            let rows: Vec<_> = answers.iter().map(row).collect();
            output::print(timeline.draw(&rows).as_bytes())?;
        }
        if answers.iter().any(|answer| answer.busy.is_err()) {
            return Err(Failure::already_reported());
        }
        Ok(())
    }
}

/// What one recipient answered.
pub(crate) struct Answer {
    pub(crate) response: RecipientResponse,
    /// Busy time within the range, or why there is none.
    pub(crate) busy: Result<Vec<BusySpan>, String>,
}

/// Asks a host when people are busy.
pub(crate) async fn ask(
    server: &Server,
    originator: &CalendarAddress,
    of: &[CalendarAddress],
    range: TimeRange,
) -> Result<Vec<Answer>, Failure> {
    let uid = Uid::new(uuid::Uuid::new_v4().to_string())
        .map_err(|error| Failure::new(error.to_string()))?;
    let request = freebusy::request(originator, of, range, &uid, Timestamp::now());
    let message = Message::read(request).map_err(|error| Failure::new(error.to_string()))?;
    let responses = server.hand_in(&message, originator, of).await?;
    let answers = responses.into_iter().map(|response| Answer {
        busy: busy(&response, range),
        response,
    });
    Ok(answers.collect())
}

fn busy(response: &RecipientResponse, range: TimeRange) -> Result<Vec<BusySpan>, String> {
    let status = &response.status;
    let Some(data) = &response.calendar_data else {
        return Err(format!("{} {}", status.code(), status.text()));
    };
    let unreadable = |error: &dyn std::fmt::Display| format!("the answer cannot be read: {error}");
    let calendar = Calendar::parse(data.data.as_bytes(), &Limits::default())
        .map_err(|error| unreadable(&error))?;
    let spans = freebusy::read_answer(&calendar).map_err(|error| unreadable(&error))?;
    Ok(merge(spans, range))
}

/// As it is drawn.
pub(crate) fn row(answer: &Answer) -> Row {
    let address = send::address(&answer.response);
    Row {
        label: address
            .strip_prefix("mailto:")
            .unwrap_or(&address)
            .to_owned(),
        busy: answer.busy.clone(),
    }
}

/// `freebusy --json`.
#[derive(Serialize)]
struct Shown {
    recipient: String,
    status: String,
    busy: Vec<Span>,
}

#[derive(Serialize)]
struct Span {
    start: Timestamp,
    end: Timestamp,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<&Answer> for Shown {
    fn from(answer: &Answer) -> Self {
        let spans = answer.busy.iter().flatten().map(|span| Span {
            start: span.range.start(),
            end: span.range.end(),
            kind: span.kind.as_str(),
        });
        Self {
            recipient: send::address(&answer.response),
            status: answer.response.status.to_string(),
            busy: spans.collect(),
        }
    }
}
