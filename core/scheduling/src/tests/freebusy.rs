//! Questions about busy time.

use super::world::{Host, codes, message};
use crate::{Grant, Verdict};
use convoke_types::Detail;

const ANNA: &str = "anna@example.com";

fn question(days: u32) -> String {
    let components = format!(
        "BEGIN:VFREEBUSY\nUID:1\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T000000Z\nDTEND:2027{:02}{:02}T000000Z\n\
         ORGANIZER:mailto:anna@example.com\nATTENDEE:mailto:bo@example.org\nEND:VFREEBUSY\n",
        1 + (3 + days) / 31,
        1 + (3 + days) % 31,
    );
    message("REQUEST", &components)
}

fn object(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nDTSTAMP:20261201T070000Z\n{lines}END:VEVENT\nEND:VCALENDAR\n"
    )
}

/// The FREEBUSY lines of Bo's answer.
fn asked(host: &Host, days: u32) -> Vec<String> {
    let mut outcomes = host.receives(&question(days), ANNA, &["bo@example.org"]);
    assert_eq!(codes(&outcomes), ["2.0"]);
    let answer = outcomes.remove(0).data.unwrap();
    assert!(answer.contains("METHOD:REPLY"), "{answer}");
    let unfolded = answer.replace("\r\n ", "");
    let lines = unfolded.lines().filter(|it| it.starts_with("FREEBUSY"));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_index_answers_and_the_policy_says_how_much_is_told() {
    let host = Host::new();
    let bo = host.person("bo");
    bo.has(&object("UID:a\nDTSTART:20270104T100000Z\nDURATION:PT1H\n"));
    bo.has(&object(
        "UID:b\nDTSTART:20270104T120000Z\nDURATION:PT1H\nSTATUS:TENTATIVE\n",
    ));
    bo.has(&object(
        "UID:c\nDTSTART:20270104T140000Z\nTRANSP:TRANSPARENT\nDURATION:PT1H\n",
    ));
    let full = [
        "FREEBUSY;FBTYPE=BUSY:20270104T100000Z/20270104T110000Z",
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270104T120000Z/20270104T130000Z",
    ];
    assert_eq!(asked(&host, 1), full);
    host.policies_say(Verdict::Allow(Grant {
        detail: Detail::Busy,
        ..Grant::default()
    }));
    let told = [
        "FREEBUSY;FBTYPE=BUSY:20270104T100000Z/20270104T110000Z,20270104T120000Z/20270104T130000Z",
    ];
    assert_eq!(asked(&host, 1), told);
}

#[test]
fn what_an_index_leaves_open_is_expanded_and_indexed_anew_as_time_goes_by() {
    let host = Host::new();
    let bo = host.person("bo");
    bo.has(&object(
        "UID:daily\nDTSTART:20260104T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\n",
    ));
    assert_eq!(asked(&host, 2).concat().matches("T100000Z/").count(), 2);
    // The horizon of the index is two years.
    host.pass(std::time::Duration::from_secs(800 * 24 * 3600));
    let later = question(2)
        .replace("20270104", "20300204")
        .replace("20270106", "20300206");
    assert!(!bo.is_indexed("daily", "2030-02-05T10:00:00Z"));
    for _ in 0..2 {
        let outcomes = host.receives(&later, ANNA, &["bo@example.org"]);
        let answer = outcomes[0].data.clone().unwrap();
        assert_eq!(answer.matches("T100000Z/").count(), 2, "{answer}");
    }
    assert!(bo.is_indexed("daily", "2030-02-05T10:00:00Z"));
}

#[test]
fn longer_than_allowed_is_said_with_the_limit() {
    let host = Host::with(crate::Limits {
        freebusy_range: std::time::Duration::from_secs(24 * 3600),
        ..crate::Limits::default()
    });
    assert!(asked(&host, 1).is_empty());
    let outcomes = host.receives(&question(2), ANNA, &["bo@example.org"]);
    assert_eq!(codes(&outcomes), ["3.1"]);
    assert!(outcomes[0].status.text().contains("1 days"));
}

#[test]
fn who_is_asked_about_is_told_apart_from_who_is_not_there() {
    let host = Host::new();
    let both = question(1).replace(
        "ATTENDEE:mailto:bo@example.org\n",
        "ATTENDEE:mailto:bo@example.org\nATTENDEE:mailto:nobody@example.org\n",
    );
    let to = ["nobody@example.org", "bo@example.org"];
    let outcomes = host.receives(&both, ANNA, &to);
    assert_eq!(codes(&outcomes), ["3.7", "2.0"]);
    assert!(outcomes[0].data.is_none() && outcomes[1].data.is_some());
}
