//! The steps: each does something, shows what went over the wire, and checks that it did what it says.

use super::{
    evidence, failure,
    people::{ANNA, BO, CLEO, DAN, Person, basic},
    wire::Wire,
    world::{House, World},
};
use crate::{
    admin::{
        api::{Answer, Reply},
        client::Client,
    },
    cli::{
        context::open_config,
        freebusy,
        output::{Failure, has_colour, print, width},
        reply, send,
        server::Server,
        timeline,
    },
    instance,
};
use convoke_calendar::{
    itip,
    message::Message,
    tree::{Calendar, Limits},
};
use convoke_plugin_host::Plugins;
use convoke_sdk::{NewObject, Precondition, remote::Kind};
use convoke_types::{BusyType, CalendarAddress, TimeRange, Uid};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use std::cell::RefCell;

/// The story of one meeting.
pub(super) struct Story<'a> {
    pub(super) world: &'a World,
    day: Date,
    processes: Vec<u32>,
    /// The running hosts.
    pub(super) harbour: Server,
    pub(super) meadow: Server,
    /// What the hosts note of their exchanges.
    wires: RefCell<[Wire; 2]>,
    pub(super) uid: Uid,
}

/// The day that is looked at, in UTC.
const FROM: i8 = 6;
const TO: i8 = 18;

impl<'a> Story<'a> {
    /// Makes the calendar users and their week, straight in the stores.
    pub(super) async fn fill(world: &World, day: Date) -> Result<(), Failure> {
        let now = Timestamp::now();
        for (house, people) in [(&world.harbour, [ANNA, DAN]), (&world.meadow, [BO, CLEO])] {
            let config = open_config(&house.config_file())?;
            let setup = instance::setup(&config).without(Kind::State);
            let plugins = Plugins::open(&setup).await.map_err(failure)?;
            for person in people {
                let new = person.new_user();
                let store = plugins.stores.for_address(&new.address);
                let store = store.ok_or_else(|| failure("no store serves the demo's domain"))?;
                store.add_user(&new).await.map_err(failure)?;
                let user = store.find(&new.address).await.map_err(failure)?;
                let user = user.ok_or_else(|| failure("a user that was made is not there"))?;
                let text = person.calendar(day, now);
                let week = Calendar::parse(text.as_bytes(), &Limits::default()).map_err(failure)?;
                for object in week.split_by_uid() {
                    let data = object.write();
                    let index = (setup.index)(Some(&user), &data).map_err(failure)?;
                    let object = NewObject::new(data, index);
                    let put = store.put(&user.id, &object, &Precondition::Absent);
                    put.await.map_err(failure)?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn new(
        world: &'a World,
        day: Date,
        processes: Vec<u32>,
    ) -> Result<Self, Failure> {
        let host = async |house: &House| {
            let config = open_config(&house.config_file())?;
            Client::find(&config.server.state).await.map_err(failure)
        };
        let wire = |house: &House| Wire::new(house.log_file());
        Ok(Self {
            day,
            processes,
            harbour: Server::Running(host(&world.harbour).await?),
            meadow: Server::Running(host(&world.meadow).await?),
            wires: RefCell::new([wire(&world.harbour), wire(&world.meadow)]),
            uid: Uid::new("regatta-picnic@harbour.example").map_err(failure)?,
            world,
        })
    }

    /// All of it.
    pub(super) async fn tell(&self) -> Result<(), Failure> {
        self.introduce()?;
        self.look_up().await?;
        self.invite().await?;
        self.show_copy().await?;
        self.accept().await?;
        self.look_up_again().await?;
        self.edit_files().await
    }

    fn introduce(&self) -> Result<(), Failure> {
        let (harbour, meadow) = (&self.world.harbour, &self.world.meadow);
        say(&format!(
            "\
Two calendar domains on this machine, which share nothing:

  {}   store-sqlite   anna, dan    process {}, https://localhost:{}
  {}    store-vdir     bo, cleo     process {}, https://localhost:{}

Each has its own folder in {}, with a certificate, a signing key and a configuration.
Their administrators have exchanged the public halves of the signing keys, and nothing else.
",
            harbour.domain,
            self.processes[0],
            harbour.port,
            meadow.domain,
            self.processes[1],
            meadow.port,
            self.world.folder().display(),
        ))
    }

    /// Anna sees when the others are busy; somebody who is not there is no obstacle.
    async fn look_up(&self) -> Result<(), Failure> {
        step(1, "Anna looks up when everybody is busy")?;
        let nobody = "nobody@meadow.example";
        let range = self.range()?;
        let answers = self
            .ask(&[ANNA.address, BO.address, CLEO.address, nobody])
            .await?;
        self.draw(&answers)?;
        self.show_wire(
            "harbour.example asks meadow.example once for all three",
            |exchange| {
                exchange.request.starts_with("POST https://")
                    && exchange.status.starts_with("200")
                    && exchange.header("dkim-signature").is_some()
            },
        )?;
        let bo = answers[1].busy.as_ref().map_err(failure)?;
        for (start, kind, what) in [
            ("09:30", BusyType::Busy, "the recurring stand-up"),
            ("14:30", BusyType::BusyTentative, "the tentative dentist"),
            (
                "15:00",
                BusyType::Busy,
                "the hay barn in its private time zone",
            ),
        ] {
            let instant = self.helsinki(start)?;
            // The barn's clock is an hour ahead in winter; in summer both agree.
            let is_there = bo.iter().any(|span| {
                let near = span.range.contains(instant) || span.range.contains(later(instant));
                span.kind == kind && near
            });
            check(is_there, &format!("bo's busy time shows {what}"))?;
        }
        let free = self.meeting()?;
        let hinders = |span: &convoke_types::BusySpan| span.range.overlaps(&free);
        for answer in &answers[..3] {
            let busy = answer.busy.as_ref().map_err(failure)?;
            let who = send::address(&answer.response);
            check(
                !busy.iter().any(hinders),
                &format!("{who} is free at the picnic's time"),
            )?;
            check(
                busy.iter().all(|span| range.overlaps(&span.range)),
                "answers stay in the range asked for",
            )?;
        }
        let unknown = &answers[3].response.status;
        check(
            unknown.code() == "3.7",
            "an unknown person is answered with 3.7",
        )?;
        done(
            "bo's and cleo's busy time came from meadow's own files; nobody@ is known not to be there (3.7)",
        )
    }

    /// Anna invites people of both domains.
    async fn invite(&self) -> Result<(), Failure> {
        let when = self.meeting()?;
        step(
            2,
            &format!("Anna invites them to a picnic, {}", self.shown(when)),
        )?;
        let message = self.invitation(when)?;
        let anna = address(&ANNA)?;
        let recipients = itip::addressees(&message, &anna);
        let responses = self.harbour.hand_in(&message, &anna, &recipients).await?;
        say(&indented(&send::table(&responses)))?;
        self.show_wire(
            "one POST to meadow for its two people; dan is at home in harbour",
            |exchange| {
                exchange.header("recipient").is_some_and(|to| {
                    to.contains("bo@") && to.contains("cleo@") && !to.contains("dan@")
                }) && exchange
                    .header("content-type")
                    .is_some_and(|it| it.contains("REQUEST"))
            },
        )?;
        check(
            responses.len() == 3,
            "each of three recipients has a status",
        )?;
        for response in &responses {
            let who = send::address(response);
            check(
                response.status.is_success(),
                &format!("{who} got the invitation ({})", response.status),
            )?;
        }
        done("the delivery status of each recipient was there at once")
    }

    /// What came to lie in the vdir, where khal or vdirsyncer would find it.
    async fn show_copy(&self) -> Result<(), Failure> {
        step(3, "Bo finds it among his files")?;
        let (file, text) = evidence::file_of_bo(self.world, &self.uid)?;
        say(&format!("  {}\n", file.display()))?;
        let shown = |line: &&str| {
            ["SUMMARY", "DTSTART", "ORGANIZER", "ATTENDEE"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        let text = text.replace("\r\n ", "");
        let lines: Vec<_> = text.lines().filter(shown).collect();
        say(&format!(
            "  | {}
",
            lines.join(
                "
  | "
            )
        ))?;
        check(
            text.contains("SUMMARY:Regatta picnic"),
            "bo's file is the invitation",
        )?;
        check(
            !text.contains("METHOD:"),
            "bo's file is an object, not a message",
        )?;
        check(
            self.bos_answer_at(&BO).await? == "NEEDS-ACTION",
            "bo has not answered yet",
        )?;
        done("an ordinary .ics file in an ordinary vdir")
    }

    /// Bo's answer travels back.
    async fn accept(&self) -> Result<(), Failure> {
        step(4, "Bo accepts")?;
        let accepted = Reply {
            user: address(&BO)?,
            uid: self.uid.clone(),
            answer: Answer::Accepted,
            instance: None,
            comment: None,
            to: None,
            start: None,
            end: None,
        };
        let responses = reply::ask(&self.meadow, &accepted).await?;
        say(&indented(&send::table(&responses)))?;
        self.show_wire("meadow.example tells harbour.example", |exchange| {
            exchange.header("originator") == Some("mailto:bo@meadow.example")
                && exchange
                    .header("content-type")
                    .is_some_and(|it| it.contains("REPLY"))
        })?;
        let delivered = responses
            .iter()
            .all(|response| response.status.is_success());
        check(delivered, "the answer arrived")?;
        let at_annas = self.bos_answer_at(&ANNA).await?;
        check(at_annas == "ACCEPTED", "anna's copy shows that bo accepts")?;
        let at_bos = self.bos_answer_at(&BO).await?;
        check(at_bos == "ACCEPTED", "bo's own copy follows")?;
        done("anna's calendar now says: bo ACCEPTED")
    }

    /// The new meeting takes time.
    async fn look_up_again(&self) -> Result<(), Failure> {
        step(5, "Anna looks up bo again")?;
        let answers = self.ask(&[ANNA.address, BO.address]).await?;
        self.draw(&answers)?;
        let meeting = self.meeting()?;
        for answer in &answers {
            let busy = answer.busy.as_ref().map_err(failure)?;
            let taken = busy
                .iter()
                .any(|span| span.kind == BusyType::Busy && span.range.overlaps(&meeting));
            let who = send::address(&answer.response);
            check(taken, &format!("{who} is busy at the picnic's time"))?;
        }
        done("the picnic is busy time for both")
    }

    /// Where things lie, and what to try by hand.
    pub(super) fn what_next(&self) -> Result<(), Failure> {
        let program = std::env::current_exe().map_err(failure)?;
        let program = program.display();
        let [harbour, meadow] = [&self.world.harbour, &self.world.meadow].map(House::config_file);
        let (harbour, meadow, uid) = (harbour.display(), meadow.display(), &self.uid);
        let log = self.world.meadow.log_file();
        let dance = self.dance_file()?;
        let dance = dance.display();
        say(&format!(
            "
Both hosts stay up until Ctrl-C; then everything is removed. In another terminal:

  {program} freebusy --config {harbour} --as anna@harbour.example bo@meadow.example cleo@meadow.example --from now --to now+7d
  {program} reply --config {meadow} --user cleo@meadow.example --uid {uid} decline
  $EDITOR {dance}          move the barn dance, save, and look at anna's:
  {program} calendar list --config {harbour} --user anna@harbour.example
  {program} calendar export --config {harbour} --user anna@harbour.example --uid {uid}
  {program} plugin list --config {meadow}
  {program} check --config {harbour}
  tail -f {}
",
            log.display()
        ))
    }

    async fn ask(&self, of: &[&str]) -> Result<Vec<freebusy::Answer>, Failure> {
        let of: Result<Vec<CalendarAddress>, _> = of.iter().map(|it| it.parse()).collect();
        let of = of.map_err(failure)?;
        let answers = freebusy::ask(&self.harbour, &address(&ANNA)?, &of, self.range()?).await?;
        check(
            answers.len() == of.len(),
            "each person asked about is answered for",
        )?;
        Ok(answers)
    }

    fn draw(&self, answers: &[freebusy::Answer]) -> Result<(), Failure> {
        let range = self.range()?;
        let timeline = timeline::Timeline {
            from: range.start(),
            to: range.end(),
            zone: TimeZone::UTC,
            width: width().saturating_sub(2).max(60),
            colour: has_colour(),
        };
        let rows: Vec<_> = answers.iter().map(freebusy::row).collect();
        say(&indented(&timeline.draw(&rows)))
    }

    /// Shows what the hosts have sent since the last step; one of the exchanges must be as the story says.
    pub(super) fn show_wire(
        &self,
        what: &str,
        expected: impl Fn(&super::wire::Exchange) -> bool,
    ) -> Result<(), Failure> {
        let mut exchanges = Vec::new();
        for wire in &mut *self.wires.borrow_mut() {
            exchanges.extend(wire.new_exchanges().map_err(failure)?);
        }
        let mut text = format!("  On the wire: {what}\n");
        for exchange in &exchanges {
            for line in exchange.lines() {
                text.push_str("    ");
                text.push_str(&line);
                text.push('\n');
            }
        }
        say(&text)?;
        check(
            exchanges.iter().any(expected),
            &format!("on the wire: {what}"),
        )
    }

    /// The invitation as a calendar program would make it.
    fn invitation(&self, when: TimeRange) -> Result<Message, Failure> {
        let attendees: String = [&BO, &CLEO, &DAN].map(attendee).concat();
        let (uid, stamp) = (&self.uid, basic(Timestamp::now()));
        let (start, end) = (basic(when.start()), basic(when.end()));
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//Demo//EN\r\nMETHOD:REQUEST\r\n\
             BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:{stamp}\r\nDTSTART:{start}\r\nDTEND:{end}\r\nSEQUENCE:0\r\n\
             SUMMARY:Regatta picnic\r\nLOCATION:On the pier\r\nORGANIZER;CN=Anna Berg:mailto:anna@harbour.example\r\n\
             ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@harbour.example\r\n{attendees}\
             END:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let calendar = Calendar::parse(text.as_bytes(), &Limits::default()).map_err(failure)?;
        Message::read(calendar).map_err(failure)
    }

    /// What bo has answered, as somebody's calendar has it.
    async fn bos_answer_at(&self, person: &Person) -> Result<String, Failure> {
        let copy = evidence::copy(self.world, person, &self.uid).await?;
        evidence::answer_in(&copy, &BO)
    }

    fn range(&self) -> Result<TimeRange, Failure> {
        let at = |hour| {
            TimeZone::UTC
                .to_timestamp(self.day.at(hour, 0, 0, 0))
                .map_err(failure)
        };
        TimeRange::new(at(FROM)?, at(TO)?).map_err(failure)
    }

    /// When the picnic is: a gap in everybody's day, summer and winter.
    pub(super) fn meeting(&self) -> Result<TimeRange, Failure> {
        let start = self.helsinki("12:00")?;
        let end = start + SignedDuration::from_hours(1);
        TimeRange::new(start, end).map_err(failure)
    }

    fn helsinki(&self, time: &str) -> Result<Timestamp, Failure> {
        let time: jiff::civil::Time = time.parse().map_err(failure)?;
        let zone = TimeZone::get("Europe/Helsinki").map_err(failure)?;
        zone.to_timestamp(self.day.to_datetime(time))
            .map_err(failure)
    }

    pub(super) fn shown(&self, when: TimeRange) -> String {
        let time = |instant: Timestamp| instant.strftime("%H:%M").to_string();
        format!(
            "{} {}–{} UTC",
            self.day.strftime("%A"),
            time(when.start()),
            time(when.end())
        )
    }
}

pub(super) fn address(person: &Person) -> Result<CalendarAddress, Failure> {
    person.address.parse().map_err(failure)
}

fn attendee(person: &Person) -> String {
    let (name, address) = (person.first_name(), person.address);
    format!("ATTENDEE;CN={name};PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{address}\r\n")
}

fn later(instant: Timestamp) -> Timestamp {
    instant + SignedDuration::from_mins(75)
}

pub(super) fn say(text: &str) -> Result<(), Failure> {
    print(format!("{text}\n").as_bytes())
}

pub(super) fn step(number: usize, title: &str) -> Result<(), Failure> {
    let (on, off) = if has_colour() {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    say(&format!("{on}{number}. {title}{off}\n"))
}

pub(super) fn done(text: &str) -> Result<(), Failure> {
    say(&format!("  ✓ {text}\n"))
}

/// Ends the story if something is not as it says.
pub(super) fn check(holds: bool, what: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "the demo did not do what it says: not true is that {what}"
        )))
    }
}

fn indented(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| format!("  {line}").trim_end().to_owned() + "\n");
    lines.collect()
}
