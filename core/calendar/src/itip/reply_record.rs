//! Recording a reply in the organizer's copy: the attendee's line, the progress of a to-do, comments.

use super::answer_line::put_answer;
use super::participants::{PartStat, address_of, attendee, attendees_mut, is_attendee};
use super::personal::{COMMENT_FROM, REPLY_DTSTAMP, REPLY_PERCENT, REPLY_SEQUENCE, UNTOLD};
use super::revision::{Revision, basic};
use crate::tree::{Component, Property};
use convoke_types::{CalendarAddress, RequestStatus};

/// The version that an answer is about: none that is still to come, whatever it says. Else it would keep later answers
/// of the same attendee from counting.
pub(super) fn version_answered(answer: &Component, about: &Component) -> Revision {
    let said = Revision::against(answer, about);
    Revision {
        sequence: said.sequence.min(Revision::of(about).sequence),
        ..said
    }
}

/// The attendee's line, each time it stands on the list, as it is after the answer.
pub(super) fn record(target: &mut Component, answer: &Component, said: &Property) {
    let revision = version_answered(answer, target);
    let Some(address) = address_of(said) else {
        return;
    };
    for line in attendees_mut(target, &address) {
        record_on(line, revision, answer, said);
    }
}

fn record_on(line: &mut Property, revision: Revision, answer: &Component, said: &Property) {
    put_answer(line, said);
    line.remove_param(UNTOLD);
    // RFC 5546 §3.2.2.3: a delegator may go on hearing of it. Else the ROLE is the organizer's.
    if PartStat::of(said) == PartStat::Delegated
        && let Some(role) = said
            .param("ROLE")
            .filter(|it| it.eq_ignore_ascii_case("NON-PARTICIPANT"))
    {
        line.set_param("ROLE", role);
    }
    // The attendee says who acts for it.
    for name in ["SENT-BY", "MEMBER"] {
        line.remove_param(name);
        let told = said
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name));
        line.params.extend(told.cloned());
    }
    for name in ["CN", "CUTYPE"] {
        if let (None, Some(value)) = (line.param(name), said.param(name)) {
            line.set_param(name, value);
        }
    }
    line.set_param(REPLY_SEQUENCE, revision.sequence.to_string());
    if let Some(stamp) = revision.stamp {
        line.set_param(REPLY_DTSTAMP, basic(stamp));
    }
    line.set_param("SCHEDULE-STATUS", delivery_status(answer));
}

/// RFC 6638 §4.2: the codes of the reply's REQUEST-STATUS, or 2.0.
fn delivery_status(answer: &Component) -> String {
    let codes: Vec<String> = answer
        .all("REQUEST-STATUS")
        .filter_map(|line| line.value.parse::<RequestStatus>().ok())
        .map(|status| status.code())
        .collect();
    if codes.is_empty() {
        RequestStatus::SUCCESS.code()
    } else {
        codes.join(",")
    }
}

/// How far a to-do is. Where one attendee does it, that is how far it is; where several share it, each one's part is
/// noted on its line, and the organizer tells the whole (RFC 5546 §4.5.6).
pub(super) fn progress(target: &mut Component, answer: &Component, replier: &CalendarAddress) {
    const TOLD: [&str; 3] = ["PERCENT-COMPLETE", "COMPLETED", "STATUS"];
    if !target.is("VTODO") {
        return;
    }
    let organizer = target.get("ORGANIZER").and_then(address_of);
    let others = target.all("ATTENDEE").any(|line| {
        let is = |address: &CalendarAddress| is_attendee(line, address);
        !is(replier) && !organizer.as_ref().is_some_and(is)
    });
    if others {
        if let Some(percent) = answer.value("PERCENT-COMPLETE") {
            for line in attendees_mut(target, replier) {
                line.set_param(REPLY_PERCENT, percent);
            }
        }
        return;
    }
    for name in TOLD {
        // An attendee does not cancel.
        let told = answer
            .get(name)
            .filter(|it| !it.value.eq_ignore_ascii_case("CANCELLED"));
        if let Some(told) = told {
            target.set(told.clone());
        }
    }
    let said = attendee(target, replier).map(PartStat::of);
    let status = match said {
        Some(PartStat::Completed) => "COMPLETED",
        Some(PartStat::InProcess) => "IN-PROCESS",
        _ => return,
    };
    if answer.get("STATUS").is_none() {
        target.set(Property::new("STATUS", status));
    }
}

/// What the attendee has to say, in the place of what it said before.
pub(super) fn comment(target: &mut Component, answer: &Component, replier: &CalendarAddress) {
    let is_theirs =
        |line: &Property| line.is("COMMENT") && line.param(COMMENT_FROM) == Some(replier.as_str());
    target.properties.retain(|line| !is_theirs(line));
    for said in answer.all("COMMENT") {
        let mut said = said.clone();
        said.set_param(COMMENT_FROM, replier.as_str());
        target.push(said);
    }
}
