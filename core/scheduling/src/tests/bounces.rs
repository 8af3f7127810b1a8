//! Reports that a mail was not delivered: none is lost, whenever it comes.

use super::{
    mail::{DEE, X, no_receiver, pass, request, status},
    world::{Host, address, codes, message},
};
use crate::{Bounced, Clock, Environment, Guest, Outcome};
use convoke_types::{Error, ErrorKind, RequestStatus, Uid};
use futures::executor::block_on;
use std::time::Duration;

const WHY: &str = "not delivered: 5.1.1 no such mailbox";

/// The host of Dee, who can reach X by mail alone.
fn host() -> Host {
    let host = Host::new();
    host.elsewhere_says(no_receiver());
    host.mail_server_says(RequestStatus::SENT);
    host
}

fn guest(address_of: &str) -> Guest {
    Guest {
        user: address(DEE),
        uid: Uid::new("meeting").unwrap(),
        recipient: address(address_of),
    }
}

fn comes_back(host: &Host, from: &str) -> Result<Bounced, Error> {
    block_on(host.scheduler.note_bounce(&guest(from), None, WHY))
}

fn is_to_come_again(noted: Result<Bounced, Error>) {
    assert_eq!(noted.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// It is noted, once, and Dee is told.
fn is_noted(host: &Host) {
    assert_eq!(comes_back(host, X), Ok(Bounced::Noted));
    assert_eq!(status(host), "5.1");
    let told = format!("{DEE} {X} Undeliverable({WHY:?})");
    assert_eq!(host.notices(), [told.as_str()]);
    assert_eq!(comes_back(host, X), Ok(Bounced::Known));
    assert_eq!(host.notices().len(), 1);
}

#[test]
fn a_report_that_comes_before_the_mail_is_noted_is_taken_afterwards() {
    let host = host();
    let down = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None);
    host.mail_server_says(down);
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.0"]);
    // The mail server may have taken it all the same.
    is_to_come_again(comes_back(&host, X));
    assert_eq!(comes_back(&host, "y@example.net"), Ok(Bounced::Known));
    host.mail_server_says(RequestStatus::SENT);
    host.pass(Duration::from_secs(24 * 3600));
    let now = host.scheduler.environment().clock().now();
    let attempt = host.shared.outbox.take(now).unwrap();
    is_to_come_again(comes_back(&host, X));
    block_on(host.scheduler.attempt(attempt));
    assert_eq!(status(&host), "1.1");
    is_noted(&host);
}

/// The report on an update finds that the invitation was mailed: it is not taken for one on that.
#[test]
fn a_report_on_an_update_that_is_on_its_way_is_not_taken_for_one_on_the_invitation() {
    let host = host();
    assert_eq!(codes(&host.submits(&request(0), DEE, &[X])), ["1.1"]);
    let down = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None);
    host.mail_server_says(down);
    host.submits(&request(1), DEE, &[X]);
    is_to_come_again(comes_back(&host, X));
    host.mail_server_says(RequestStatus::SENT);
    pass(&host, 1);
    is_noted(&host);
}

#[test]
fn a_report_on_what_could_not_be_noted_is_taken_when_it_is() {
    let host = host();
    let down = Outcome::from(RequestStatus::SERVICE_UNAVAILABLE).at_receiver(None);
    host.mail_server_says(down);
    host.submits(&request(0), DEE, &[X]);
    host.mail_server_says(RequestStatus::SENT);
    host.person("dee").is_broken();
    pass(&host, 1);
    is_to_come_again(comes_back(&host, X));
    host.person("dee").is_mended();
    is_to_come_again(comes_back(&host, X));
    let host = host.restarted();
    is_to_come_again(comes_back(&host, X));
    pass(&host, 1);
    assert_eq!(status(&host), "1.1");
    is_noted(&host);
}

#[test]
fn a_report_that_cannot_be_noted_is_not_known() {
    let host = host();
    host.submits(&request(0), DEE, &[X]);
    host.person("dee").is_broken();
    is_to_come_again(comes_back(&host, X));
    host.person("dee").is_mended();
    host.person("dee").hides(Some("meeting"));
    is_to_come_again(comes_back(&host, X));
    host.person("dee").hides(None);
    assert_eq!(status(&host), "1.1");
    assert!(host.notices().is_empty());
    is_noted(&host);
}

/// The guest is on the list of the others still.
#[test]
fn a_report_that_it_was_not_heard_that_an_instance_is_called_off_is_noted() {
    let host = host();
    let series = request(0).replace("SEQUENCE:0", "SEQUENCE:0\nRRULE:FREQ=DAILY;COUNT=3");
    assert_eq!(codes(&host.submits(&series, DEE, &[X])), ["1.1"]);
    let off = message(
        "CANCEL",
        &format!(
            "BEGIN:VEVENT\nUID:meeting\nDTSTAMP:20261201T080000Z\nSEQUENCE:1\n\
             RECURRENCE-ID:20270105T100000Z\nSTATUS:CANCELLED\nORGANIZER:mailto:{DEE}\n\
             ATTENDEE:mailto:{X}\nEND:VEVENT\n"
        ),
    );
    assert_eq!(codes(&host.submits(&off, DEE, &[X])), ["1.1"]);
    is_noted(&host);
}

#[test]
fn a_report_on_a_meeting_that_is_gone_is_taken() {
    let host = host();
    host.submits(&request(0), DEE, &[X]);
    host.person("dee").deletes("meeting");
    assert_eq!(comes_back(&host, X), Ok(Bounced::Noted));
    assert_eq!(comes_back(&host, X), Ok(Bounced::Known));
}

/// The mail server has tried the invitation for days, while the update arrived.
#[test]
fn a_report_on_a_mail_says_nothing_of_the_next_one() {
    let host = host();
    let x = guest(X);
    let state = &host.world().remembered;
    block_on(x.correspondence(state, || "token".to_owned())).unwrap();
    for (sequence, mail) in [(0, "first@example.org"), (1, "second@example.org")] {
        assert_eq!(codes(&host.submits(&request(sequence), DEE, &[X])), ["1.1"]);
        block_on(x.remember_mail(state, mail)).unwrap();
    }
    let comes_back = |mail| block_on(host.scheduler.note_bounce(&x, Some(mail), WHY));
    assert_eq!(comes_back("first@example.org"), Ok(Bounced::Known));
    assert_eq!(status(&host), "1.1");
    assert!(host.notices().is_empty());
    assert_eq!(comes_back("second@example.org"), Ok(Bounced::Noted));
    assert_eq!(status(&host), "5.1");
}
