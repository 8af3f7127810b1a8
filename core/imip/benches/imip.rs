//! How fast mails are written and read: `cargo bench -p convoke-imip`. Figures of one machine stand in README.md.

#[path = "../tests/support/mod.rs"]
mod support;

use convoke_calendar::tree::Limits;
use convoke_imip::{Arrival, AuthservId, Content, ReturnPath, Verdict, read};
use divan::Bencher;
use support::{GUESTS, Sending, TIME, calendar, event, message};

fn main() {
    divan::main();
}

/// An invitation with a description of so many octets, and guests of so many.
fn sending(description: usize, guests: usize) -> Sending {
    let text = "Bring cake. ".repeat(description / 12);
    let guest = |it: usize| {
        format!("ATTENDEE;CN=Guest {it};PARTSTAT=NEEDS-ACTION:mailto:guest{it}@c.example")
    };
    let mut people: Vec<String> = (0..guests).map(guest).collect();
    people.push(GUESTS.to_owned());
    let people = people.join("|");
    let lines = format!("{people}|{TIME}|SUMMARY:Tea|RRULE:FREQ=WEEKLY|DESCRIPTION:{text}");
    Sending::of(message(&event("REQUEST", &lines)))
}

fn arrival<R>(act: impl FnOnce(&Arrival) -> R) -> R {
    let trusted = [AuthservId::new("mx.example.org").expect("a name")];
    let limits = Limits::default();
    act(&Arrival {
        return_path: ReturnPath::Unknown,
        trusted: &trusted,
        limits: &limits,
    })
}

#[divan::bench]
fn build_an_invitation(bencher: Bencher) {
    let sending = sending(200, 0);
    bencher.bench(|| sending.mail());
}

#[divan::bench]
fn build_an_update_of_20_kb(bencher: Bencher) {
    let mut sending = sending(2_500, 20);
    sending.previous = Some(calendar(&event(
        "REQUEST",
        &format!("{GUESTS}|{TIME}|SUMMARY:Coffee"),
    )));
    let length = sending.mail().octets.len();
    assert!((19_000..24_000).contains(&length), "{length}");
    bencher.bench(|| sending.mail());
}

#[divan::bench]
fn read_a_mail_of_20_kb(bencher: Bencher) {
    let mail = sending(2_500, 20).mail().octets;
    assert!((19_000..24_000).contains(&mail.len()), "{}", mail.len());
    arrival(|arrival| {
        assert!(matches!(
            read(&mail, arrival).content,
            Content::Scheduling(_)
        ));
        bencher.bench(|| read(&mail, arrival));
    });
}

#[divan::bench]
fn read_a_small_answer(bencher: Bencher) {
    let mail = include_bytes!("../tests/shapes/google-web-accept.eml");
    arrival(|arrival| {
        assert!(matches!(read(mail, arrival).verdict, Verdict::Proved(_)));
        bencher.bench(|| read(mail, arrival));
    });
}

#[divan::bench]
fn read_a_mail_of_10_mb_with_an_attachment(bencher: Bencher) {
    let line = "QUJD".repeat(19) + "\r\n";
    let attachment = line.repeat((10 << 20) / line.len());
    let mail = format!(
        "From: bo@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee there.\r\n--b\r\n\
         Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{attachment}\r\n--b--\r\n"
    );
    arrival(|arrival| {
        assert!(matches!(
            read(mail.as_bytes(), arrival).content,
            Content::Words
        ));
        bencher.bench(|| read(mail.as_bytes(), arrival));
    });
}
