//! What `check` says of a `[mail]` that can be read and does not work.

use super::{checked, mailing};
use convoke_tests::{MailServer, Setup};

/// The finding of this name: verdict and words.
fn finding(setup: Setup, what: &str) -> Option<(String, String)> {
    let host = setup.start();
    let mut found = checked(&host).into_iter();
    let (_, verdict, detail) = found.find(|it| it.0 == format!("mail: {what}"))?;
    Some((verdict, detail))
}

fn says(setup: Setup, what: &str, verdict: &str, words: &[&str]) {
    let found = finding(setup, what);
    let (said, detail) = found.unwrap_or_else(|| panic!("nothing of {what}"));
    assert_eq!(said, verdict, "{what}: {detail}");
    for word in words {
        assert!(detail.contains(word), "{what}: {detail}\nwithout {word}");
    }
}

#[test]
fn what_cannot_be_meant_is_warned_of() {
    let server = MailServer::new();
    let url = format!("smtp://{}", server.address());
    let lmtp =
        |setup: Setup| setup.table("[[listener]]", "role = \"lmtp\"\naddress = \"127.0.0.1:0\"");
    says(
        lmtp(mailing(&url, "")),
        "trusted",
        "warn",
        &["trusted = [", "proved"],
    );
    let trusted = mailing(&url, "trusted = [\"mx.example.org\"]");
    assert_eq!(finding(lmtp(trusted), "trusted"), None);
    let elsewhere = Setup::new().table(
        "[mail]",
        &format!("smtp = \"{url}\"\naddress = \"calendar@example.net\""),
    );
    says(
        elsewhere,
        "domain",
        "warn",
        &["example.net", "`[server] domains`"],
    );
}

#[test]
fn a_mailbox_behind_is_tried() {
    let server = MailServer::new();
    let url = format!("smtp://{}", server.address());
    let behind = format!("pass_on = \"lmtp://{}\"", server.address());
    says(
        mailing(&url, &behind),
        "pass_on",
        "ok",
        &["220 mail.example.org"],
    );
    let nowhere = "pass_on = \"lmtp:///nowhere/lmtp\"";
    says(
        mailing(&url, nowhere),
        "pass_on",
        "fail",
        &["/nowhere/lmtp", "No such file"],
    );
    server.behave(|it| it.greeting = "554 5.3.2 not now".to_owned());
    says(
        mailing(&url, &behind),
        "pass_on",
        "fail",
        &["554 5.3.2 not now"],
    );
}
