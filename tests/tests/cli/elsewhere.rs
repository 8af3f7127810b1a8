//! What people ask of their host from a machine of their own, which has no configuration.

use crate::{
    desk::Desk,
    reply::{ANNA, BO, CY, copy_of, invited, reply},
};
use serde_json::{Value, json};

/// As somebody who logs in with the right password.
fn as_who(desk: &Desk, login: &str, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--login", login, "--json"]].concat();
    desk.run_elsewhere(&arguments, "password").json()
}

#[test]
fn an_inbox_is_read_and_decided_on_from_elsewhere() {
    let (desk, _host) = invited();
    let list = ["inbox", "list", "--user", ANNA];
    assert_eq!(as_who(&desk, ANNA, &list), json!([]));
    let proposed = [
        "counter",
        "--start",
        "2027-01-04T14:00",
        "--instance",
        "2027-01-04",
    ];
    assert_eq!(reply(&desk, BO, &proposed).status, 0);
    let waits = as_who(&desk, ANNA, &list);
    assert_eq!(waits[0]["why"], "counter", "{waits}");
    let id = waits[0]["id"].as_str().unwrap();
    let shown = as_who(&desk, ANNA, &["inbox", "show", "--user", ANNA, id]);
    assert!(
        shown["message"]
            .as_str()
            .unwrap()
            .contains("METHOD:COUNTER"),
        "{shown}"
    );

    // Nobody looks into what is somebody else's, or decides on it.
    let [accept, decline] = ["accept", "decline"].map(|it| ["inbox", it, "--user", ANNA, id]);
    for asked in [
        &list[..],
        &["inbox", "show", "--user", ANNA, id],
        &accept,
        &decline,
    ] {
        let asked = [asked, &["--login", CY]].concat();
        let refused = desk.run_elsewhere(&asked, "password");
        let says = "may not act as anna@example.org";
        assert!(refused.complaint(1).contains(says), "{refused:?}");
    }
    let told = as_who(&desk, ANNA, &accept);
    assert_eq!(told[0]["status"], "2.0;Success", "{told}");
    let bos = copy_of(&desk, BO).concat();
    assert!(bos.contains("20270104T140000"), "{bos}");
    assert_eq!(as_who(&desk, ANNA, &list), json!([]));
}

#[test]
fn people_see_what_they_send_and_what_became_of_it_from_elsewhere() {
    let (desk, _host) = invited();
    let queue = ["queue", "list", "--user", BO];
    assert_eq!(as_who(&desk, BO, &queue), json!([]));
    let explain = ["explain", "review", "--user", BO];
    let told = as_who(&desk, BO, &explain);
    let mut rows = told.as_array().unwrap().iter();
    assert!(rows.any(|it| it["event"] == "delivered"), "{told}");
    // Of a meeting that is not Cy's, Cy is told nothing.
    let none = as_who(&desk, CY, &["explain", "review", "--user", CY]);
    assert_eq!(none, json!([]));
    for asked in [&queue[..], &explain] {
        let asked = [asked, &["--login", CY]].concat();
        let refused = desk.run_elsewhere(&asked, "password");
        let says = "may not act as bo@example.org";
        assert!(refused.complaint(1).contains(says), "{refused:?}");
    }
    // About everybody only the administrator asks.
    for asked in [&["queue", "list"][..], &["explain", "review"]] {
        let refused = desk.run_elsewhere(asked, "password");
        assert!(
            refused.complaint(2).contains("--server needs --user"),
            "{refused:?}"
        );
    }
}
