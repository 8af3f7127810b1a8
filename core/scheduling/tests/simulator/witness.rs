//! Who sees everything: what people have done, what hosts have said of it, and whether that is true and was said once.

use crate::view::{Instance, bare, view};
use convoke_calendar::{
    message::{Message, Method},
    tree::{Calendar, Component},
};
use convoke_scheduling::{Letter, Via};
use convoke_types::CalendarAddress;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

#[derive(Default)]
pub(crate) struct Witness {
    /// Counts what is seen.
    now: u64,
    /// When something last went wrong with a host.
    trouble: HashMap<usize, u64>,
    /// Which hosts have ever lost their state.
    forgetful: HashSet<usize>,
    /// When something last got lost between two hosts, or was doubled.
    losses: HashMap<(usize, usize), u64>,
    /// What organizers have ever written.
    written: HashSet<(String, Written)>,
    /// Who was ever invited to what.
    invited: HashSet<(String, String)>,
    /// From whom something of a meeting was ever taken.
    called_off: HashSet<(String, String)>,
    /// What attendees have ever answered.
    answered: HashSet<(String, String, String)>,
    /// Who was sent to a meeting by somebody else.
    delegates: HashSet<(String, String)>,
    /// Other times that were proposed.
    proposed: HashSet<(String, Timestamp)>,
    /// Who answers by itself.
    rooms: HashSet<String>,
    /// Whom an invitation has left for.
    told: HashSet<(String, String)>,
    /// How often attendees have asked for the latest version, and were not told yet.
    asked: HashMap<(String, String, String), u64>,
    /// Who has answered without saying to which version.
    unversioned: HashSet<(String, String)>,
    /// The greatest SEQUENCE that was told of a meeting.
    sequences: HashMap<String, u64>,
    /// The last message of one to another about a meeting.
    last: HashMap<(String, String, String), Arrival>,
    /// What was handed to a mail server, by message and recipient, and when.
    mailed: HashMap<(String, String), u64>,
    /// What one has told another last of a meeting, whichever way it went.
    last_told: HashMap<(String, String, String), Vec<u8>>,
    /// The last mail of one to another about a meeting that came back.
    came_back: HashMap<(String, String, String), Vec<u8>>,
    /// Mails that have come, by Message-ID and recipient.
    came: HashSet<(String, String)>,
    /// What was told to whom by mail, or by iSchedule as well.
    told_by: HashMap<Telling, HashSet<Via>>,
    /// When something was first sent; a mail arrives much later.
    sent: HashMap<Telling, u64>,
    /// When somebody has acted on what.
    acted_on: HashMap<Telling, u64>,
    /// Mails that somebody never got, and the latest version that they told of a meeting.
    lost: HashMap<(String, String), (u64, String)>,
    /// Whose mail about a meeting somebody never got.
    lost_of: HashSet<(String, String)>,
    /// Messages that arrived.
    pub(crate) arrivals: u64,
    pub(crate) complaints: Vec<String>,
}

/// The octets of a message, who says them, and to whom. (RFC 5546 §3.2.7: a COUNTER lists all attendees, and does not say which of
/// them proposes it.)
type Telling = (Vec<u8>, String, String);

/// One component as its organizer has written it.
type Written = (Option<String>, Instance);

struct Arrival {
    at: u64,
    says: String,
    version: (u64, String),
}

impl Witness {
    pub(crate) fn that_knows_rooms(rooms: impl Iterator<Item = String>) -> Self {
        Self {
            rooms: rooms.collect(),
            ..Self::default()
        }
    }

    /// An attendee sends somebody else.
    pub(crate) fn delegates(&mut self, uid: &str, who: &str, delegate: &str) {
        self.answers(uid, who, "DELEGATED");
        // Who sends somebody who declines is asked anew.
        self.answers(uid, who, "NEEDS-ACTION");
        let pair = (uid.to_owned(), delegate.to_owned());
        self.invited.insert(pair.clone());
        if self.called_off.contains(&(uid.to_owned(), who.to_owned())) {
            self.called_off.insert(pair.clone());
        }
        self.delegates.insert(pair);
    }

    /// An attendee proposes another time, which may be taken up.
    pub(crate) fn proposes(&mut self, uid: &str, start: Timestamp) {
        self.proposed.insert((uid.to_owned(), start));
    }

    /// Whether somebody was sent to a meeting by somebody else.
    pub(crate) fn is_delegate(&self, uid: &str, who: &str) -> bool {
        self.delegates.contains(&(uid.to_owned(), who.to_owned()))
    }

    /// Something goes wrong with a host: what it was about may be done again.
    pub(crate) fn trouble_at(&mut self, host: usize) {
        self.now += 1;
        self.trouble.insert(host, self.now);
    }

    /// A message, or its answer, is lost, late or doubled.
    pub(crate) fn loss_between(&mut self, from: usize, to: usize) {
        self.now += 1;
        self.losses.insert((from, to), self.now);
    }

    /// A host loses its state.
    pub(crate) fn loses_state(&mut self, host: usize) {
        self.forgetful.insert(host);
    }

    pub(crate) fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }

    /// An organizer has written a meeting.
    pub(crate) fn writes(&mut self, uid: &str, object: &Calendar) {
        for event in object.main_components().filter(|it| it.is("VEVENT")) {
            let (part, instance) = written(event);
            for guest in &instance.guests {
                self.invited.insert((uid.to_owned(), guest.clone()));
            }
            self.written.insert((uid.to_owned(), (part, instance)));
        }
    }

    /// An organizer has taken something of a meeting from a guest.
    pub(crate) fn calls_off(&mut self, uid: &str, guest: &str) {
        self.called_off.insert((uid.to_owned(), guest.to_owned()));
        // Whom a guest sends may be on nobody's list yet.
        let sent = self.delegates.iter().filter(|(of, _)| of == uid);
        self.called_off.extend(sent.cloned());
    }

    /// An attendee has answered.
    pub(crate) fn answers(&mut self, uid: &str, who: &str, answer: &str) {
        self.answered
            .insert((uid.to_owned(), who.to_owned(), answer.to_owned()));
    }

    /// Whether an attendee has ever declined anything of a meeting.
    pub(crate) fn has_declined(&self, uid: &str, who: &str) -> bool {
        let answer = (uid.to_owned(), who.to_owned(), "DECLINED".to_owned());
        self.answered.contains(&answer)
    }

    /// An organizer's program sends a message by itself, whatever it says.
    pub(crate) fn is_sent_by_hand(&mut self, uid: &str, from: &str, to: &str) {
        let key = (uid.to_owned(), from.to_owned(), to.to_owned());
        *self.asked.entry(key).or_default() += 1;
    }

    /// Whether somebody has ever answered without saying to which version.
    pub(crate) fn has_answered_anything(&self, uid: &str, who: &str) -> bool {
        let key = (uid.to_owned(), who.to_owned());
        self.unversioned.contains(&key)
    }

    /// A message leaves for other hosts.
    pub(crate) fn leaves(&mut self, message: &Message, recipients: &[CalendarAddress]) {
        if message.method().is_from_organizer() {
            let latest = events(message).map(sequence).max().unwrap_or(0);
            let uid = message.uid().to_string();
            let known = self.sequences.entry(uid).or_default();
            *known = latest.max(*known);
        }
        if matches!(message.method(), Method::Request | Method::Add) {
            for recipient in recipients {
                let key = (message.uid().to_string(), recipient.human().to_owned());
                self.told.insert(key);
            }
        }
    }

    /// A host tries to send a message in this way. What began to go by mail goes on so.
    pub(crate) fn goes_by(&mut self, via: Via, letter: &Letter<'_>, to: &str, host: usize) {
        self.now += 1;
        let id = letter.id.unwrap_or_default();
        let key = (id.to_owned(), to.to_owned());
        let pair = (
            letter.message.uid().to_string(),
            letter.originator.human().to_owned(),
            to.to_owned(),
        );
        self.last_told.insert(pair, letter.data.to_vec());
        let from = letter.originator.human().to_owned();
        let telling = (letter.data.to_vec(), from, to.to_owned());
        self.sent.entry(telling.clone()).or_insert(self.now);
        self.told_by.entry(telling).or_default().insert(via);
        match via {
            Via::Mail => _ = self.mailed.insert(key, self.now),
            Via::Ischedule => {
                let mailed = self.mailed.get(&key);
                let is_forgotten = |at: u64| self.trouble.get(&host).is_some_and(|it| *it >= at);
                if mailed.is_some_and(|at| !is_forgotten(*at)) {
                    self.complain(format!("{to} is told by iSchedule what was mailed: {id}"));
                }
            }
        }
    }

    /// A mail comes: whether it has come before, as whoever sent it did not know.
    pub(crate) fn mail_came_again(&mut self, message_id: &str, to: &CalendarAddress) -> bool {
        !self
            .came
            .insert((message_id.to_owned(), to.human().to_owned()))
    }

    /// Somebody has acted on a message; once, if it came by mail, unless the host did not know that it had.
    pub(crate) fn acts_on(&mut self, data: &[u8], from: &str, who: &str, host: usize) {
        self.now += 1;
        let telling = (data.to_vec(), from.to_owned(), who.to_owned());
        if self.told_by.get(&telling) != Some(&HashSet::from([Via::Mail])) {
            return;
        }
        let acted = self.acted_on.insert(telling, self.now);
        let forgot = |at: u64| self.trouble.get(&host).is_some_and(|it| *it >= at);
        if acted.is_some_and(|at| !forgot(at)) {
            let text = String::from_utf8_lossy(data).into_owned();
            self.complain(format!("{who} acts twice on a mail:\n{text}"));
        }
    }

    /// Somebody never gets a mail.
    pub(crate) fn loses_mail(&mut self, message: &Message, from: &str, to: &str) {
        let uid = message.uid().to_string();
        self.lost_of.insert((uid.clone(), from.to_owned()));
        // Who never learns what it has asked for lacks that.
        let lacks = match message.method() {
            Method::Refresh => from,
            _ => to,
        };
        let told = latest(message);
        let lost = self.lost.entry((uid, lacks.to_owned())).or_default();
        if told > *lost {
            *lost = told;
        }
    }

    /// A mail comes back.
    pub(crate) fn comes_back(&mut self, message: &Message, data: &[u8], from: &str, to: &str) {
        let pair = (message.uid().to_string(), from.to_owned(), to.to_owned());
        self.came_back.insert(pair, data.to_vec());
    }

    /// Whether the last that one has told another of a meeting is a mail that came back.
    pub(crate) fn has_come_back(&self, uid: &str, from: &str, to: &str) -> bool {
        let pair = (uid.to_owned(), from.to_owned(), to.to_owned());
        let back = self.came_back.get(&pair);
        back.is_some() && back == self.last_told.get(&pair)
    }

    /// Somebody is told that what it has said of a meeting could not be delivered.
    pub(crate) fn is_told_of_failure(&mut self, uid: &str, who: &str) {
        self.lost_of.insert((uid.to_owned(), who.to_owned()));
    }

    /// Whether a message about a meeting never reached somebody, and no later one about the whole has.
    pub(crate) fn lacks_something(&self, uid: &str, who: &str) -> bool {
        self.lost.contains_key(&(uid.to_owned(), who.to_owned()))
    }

    /// Whether something that somebody said of a meeting was lost.
    pub(crate) fn was_not_heard(&self, uid: &str, who: &str) -> bool {
        self.lost_of.contains(&(uid.to_owned(), who.to_owned()))
    }

    /// A message waits for its recipient to let its sender in; then it is as if it had come just then.
    pub(crate) fn is_held(
        &mut self,
        message: &Message,
        originator: &CalendarAddress,
        recipient: &CalendarAddress,
    ) {
        self.leaves(message, std::slice::from_ref(recipient));
        if self.asks(message) {
            let uid = message.uid().as_str();
            self.is_sent_by_hand(uid, recipient.human(), originator.human());
        }
    }

    /// A message arrives at somebody, from a host at another.
    pub(crate) fn arrives(
        &mut self,
        (message, data): (&Message, &[u8]),
        originator: &CalendarAddress,
        recipient: &CalendarAddress,
        hosts: [Option<usize>; 2],
        is_doubled: bool,
    ) {
        self.now += 1;
        self.arrivals += 1;
        let uid = message.uid().to_string();
        let (from, to) = (originator.human().to_owned(), recipient.human().to_owned());
        let text = String::from_utf8_lossy(&message.calendar().write()).replace("\r\n ", "");
        if text.contains("X-CONVOKE") || text.contains("VALARM") || text.contains("SCHEDULE-STATUS")
        {
            self.complain(format!("{from} tells {to} what is its own:\n{text}"));
        }
        // See the known disagreements in the documentation of the simulator.
        let is_troubled = hosts[0].is_some_and(|host| self.trouble.contains_key(&host));
        if is_troubled && message.method() == Method::Cancel {
            // Who may have been told is told the end.
            self.told.insert((uid.clone(), to.clone()));
        }
        if message.method() == Method::Reply
            && (is_troubled || hosts[0].is_some_and(|host| self.forgetful.contains(&host)))
        {
            // Who does not know which version was answered says of the next one that it is not. A host that ended before it had noted
            // an invitation finds it as one of which nothing is known.
            self.answers(&uid, &from, "NEEDS-ACTION");
        }
        if let Some(lie) = self.lie(message, &uid, [&from, &to]) {
            self.complain(format!("{from} tells {to} of {lie}:\n{text}"));
        }
        self.leaves(message, std::slice::from_ref(recipient));
        let says_no_version = events(message).any(|it| it.get("SEQUENCE").is_none());
        if message.method() == Method::Reply && says_no_version {
            self.unversioned.insert((uid.clone(), from.clone()));
        }
        let key = (uid.clone(), from.clone(), to.clone());
        let back = (uid.clone(), to.clone(), from.clone());
        if self.asks(message) {
            *self.asked.entry(back.clone()).or_default() += 1;
        }
        // A room answers each time that it is asked, for its answer may not have come.
        if self.rooms.contains(&to) && message.method().is_from_organizer() {
            let organizer = message.organizer().map(|it| it.human().to_owned());
            let back = (uid.clone(), to.clone(), organizer.unwrap_or_default());
            *self.asked.entry(back).or_default() += 1;
        }
        if is_doubled {
            return;
        }
        let is_whole = |it: &Component| it.get("RECURRENCE-ID").is_none();
        let lost = self.lost.get(&(uid.clone(), to.clone()));
        if message.method().is_from_organizer()
            && events(message).any(is_whole)
            && lost.is_some_and(|lost| latest(message) > *lost)
        {
            self.lost.remove(&(uid.clone(), to.clone()));
        }
        if message.method() == Method::Reply {
            // How it has answered takes the place of what became of the last message (RFC 6638 §3.2.9).
            self.came_back.remove(&back);
            // Who has sent somebody and is asked anew may be told what was said before: whom it has sent was on the list already.
            if events(message).any(|it| answer_of(it, &from).as_deref() == Some("DELEGATED")) {
                self.last.remove(&back);
            }
        }
        let (says, version) = (said(message), latest(message));
        let before = self.last.get(&key);
        if before.is_some_and(|last| version < last.version) {
            return; // it was overtaken, so that it tells nothing
        }
        let repeated = before.filter(|last| last.says == says);
        let again = repeated.is_some_and(|last| !self.has_reason(last.at, hosts));
        if again && !self.was_asked(&key) {
            self.complain(format!("{from} tells {to} the same twice:\n{text}"));
        }
        // Since then its sender may have forgotten that it has sent it.
        let telling = (data.to_vec(), key.1.clone(), key.2.clone());
        let arrival = Arrival {
            at: self.sent.get(&telling).copied().unwrap_or(self.now),
            says,
            version,
        };
        self.last.insert(key, arrival);
        // An update asks anew: the same may be answered. So does who sends somebody.
        if message.method().is_from_organizer() {
            let organizer = message.organizer().map(|it| it.human().to_owned());
            let back = (uid, to, organizer.unwrap_or(from));
            self.last.remove(&back);
        }
    }

    /// Whether a message is answered with the latest version: it asks for that, or is an answer to one that is over.
    fn asks(&self, message: &Message) -> bool {
        let told = self.sequences.get(message.uid().as_str());
        let is_late = |it: &Component| told.is_some_and(|told| sequence(it) < *told);
        match message.method() {
            Method::Refresh | Method::Counter => true,
            Method::Reply => events(message).any(is_late),
            _ => false,
        }
    }

    /// Whether somebody has asked for what it is told again.
    fn was_asked(&mut self, key: &(String, String, String)) -> bool {
        let asked = self.asked.entry(key.clone()).or_default();
        let was_asked = *asked > 0;
        *asked = asked.saturating_sub(1);
        was_asked
    }

    /// Whether something happened since by which a message may have to go again.
    fn has_reason(&self, since: u64, [from, to]: [Option<usize>; 2]) -> bool {
        let troubled = |host: Option<usize>| {
            host.and_then(|host| self.trouble.get(&host))
                .is_some_and(|at| *at >= since)
        };
        let lost = from.zip(to).and_then(|pair| self.losses.get(&pair));
        troubled(from) || troubled(to) || lost.is_some_and(|at| *at >= since)
    }

    /// Whether an organizer has written a component, or the series of which it is an instance like all others.
    fn was_written(&self, uid: &str, (part, instance): &Written) -> bool {
        let written = |part: Option<&String>, instance: Instance| {
            let written = (uid.to_owned(), (part.cloned(), instance));
            self.written.contains(&written)
        };
        let as_series = || {
            let series = self
                .written
                .iter()
                .filter(|(of, (part, _))| of == uid && part.is_none());
            let mut series = series.map(|(_, (_, series))| series);
            let start = instance.start;
            let is_at_its_time = start.map(|it| it.to_string()) == *part;
            is_at_its_time
                && series.any(|it| {
                    Instance {
                        start,
                        ..it.clone()
                    } == *instance
                })
        };
        written(part.as_ref(), instance.clone())
            || as_series()
            || self.is_as_agreed(uid, part.as_ref(), instance)
    }

    /// Whether a component is as its organizer has written one, at a time that somebody has proposed, and with whom somebody has
    /// sent.
    fn is_as_agreed(&self, uid: &str, part: Option<&String>, instance: &Instance) -> bool {
        let bare = |it: &Instance| {
            let mut guests = it.guests.clone();
            guests.retain(|guest| !self.is_delegate(uid, guest));
            (guests, it.title.clone())
        };
        let is_proposed = self.is_proposed(uid, instance.start);
        let is_as_series = instance.start.map(|it| it.to_string()).as_ref() == part;
        let mut written = self.written.iter().filter(|(of, _)| of == uid);
        written.any(|(_, (_, it))| {
            let is_then =
                (it.start == instance.start || is_as_series) && it.place == instance.place;
            bare(it) == bare(instance) && (is_then || is_proposed)
        })
    }

    /// Whether somebody has proposed that a meeting be then, or that a series of that begins then on a day before.
    fn is_proposed(&self, uid: &str, start: Option<Timestamp>) -> bool {
        let days = |at: Timestamp| start.map_or(-1, |start| start.duration_since(at).as_secs());
        let mut proposed = self.proposed.iter().filter(|(of, _)| of == uid);
        proposed.any(|(_, at)| (0..5 * 86_400).step_by(86_400).any(|it| it == days(*at)))
    }

    /// What never was, if the message says something of that kind.
    fn lie(&self, message: &Message, uid: &str, [from, to]: [&str; 2]) -> Option<String> {
        let pair = |who: &str| (uid.to_owned(), who.to_owned());
        let events = events(message);
        match message.method() {
            Method::Request => {
                if !self.invited.contains(&pair(to)) {
                    return Some("a meeting that it was never invited to".to_owned());
                }
                let mut written = events.map(written);
                let never = written.find(|it| !self.was_written(uid, it));
                never.map(|it| format!("what was never written, {it:?}"))
            }
            Method::Cancel => {
                if !self.told.contains(&pair(to)) {
                    return Some("the end of what it never heard of".to_owned());
                }
                let is_true = self.called_off.contains(&pair(to));
                (!is_true).then(|| "an end that never was".to_owned())
            }
            Method::Reply if self.rooms.contains(from) => None,
            Method::Reply => {
                let answers = events.filter_map(|it| answer_of(it, from));
                let mut answers = answers.map(|it| (uid.to_owned(), from.to_owned(), it));
                let never = answers.find(|it| !self.answered.contains(it))?;
                Some(format!("an answer that it never gave, {}", never.2))
            }
            _ => None,
        }
    }
}

fn sequence(component: &Component) -> u64 {
    let told = component.value("SEQUENCE").and_then(|it| it.parse().ok());
    told.unwrap_or(0)
}

/// SEQUENCE and DTSTAMP of the latest part.
fn latest(message: &Message) -> (u64, String) {
    let parts = events(message);
    let stamp = |it: &Component| it.value("DTSTAMP").unwrap_or_default().to_owned();
    let latest = parts.map(|it| (sequence(it), stamp(it))).max();
    latest.unwrap_or_default()
}

fn answer_of(event: &Component, who: &str) -> Option<String> {
    let mut lines = event.all("ATTENDEE");
    let line = lines.find(|line| bare(&line.value) == who)?;
    Some(line.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_owned())
}

fn written(event: &Component) -> Written {
    let mut calendar = Calendar::new();
    let mut plain = event.clone();
    for name in ["RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS"] {
        while plain.remove(name) {}
    }
    calendar.root_mut().components.push(plain);
    let instances = view(&calendar, "").into_values();
    let part = event.get("RECURRENCE-ID").and_then(crate::view::instant);
    let instance = instances.last().expect("one component is one instance");
    (part.map(|at| at.to_string()), instance)
}

/// What a message says, whenever it says it.
fn said(message: &Message) -> String {
    let mut said = Vec::new();
    for event in events(message) {
        let mut lines: Vec<String> = Vec::new();
        for line in &event.properties {
            // A later version may be answered the same.
            let is_answer = message.method() == Method::Reply;
            let is_of_version = ["DTSTAMP", "SEQUENCE", "LAST-MODIFIED", "CREATED"];
            let is_of_version = is_of_version.iter().any(|name| line.is(name));
            if is_of_version && !(is_answer && line.is("SEQUENCE")) {
                continue;
            }
            // Who has sent somebody, and is asked anew, is told something else by that.
            let partstat = line.param("PARTSTAT");
            let partstat = partstat.filter(|it| is_answer || *it == "DELEGATED");
            lines.push(format!(
                "{} {} {}",
                line.name,
                line.value,
                partstat.unwrap_or_default()
            ));
        }
        lines.sort_unstable();
        said.push(lines.join("\n"));
    }
    said.sort_unstable();
    format!("{}\n{}", message.method(), said.join("\n\n"))
}

fn events(message: &Message) -> impl Iterator<Item = &Component> {
    message
        .calendar()
        .main_components()
        .filter(|it| it.is("VEVENT"))
}
