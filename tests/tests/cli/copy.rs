//! Calendar users that move from one store into another.

use crate::desk::{Desk, event};
use serde_json::{Value, json};
use std::{fs, process::Stdio};

const COPY: [&str; 6] = ["store", "copy", "--from", "store-sqlite", "--to", "new"];
/// Reads from the new store, as the administrator does once everything is there.
const MOVED: [&str; 2] = ["--config", "moved.toml"];

/// Two people with calendars in `store-sqlite`, and an empty store behind it.
fn desk() -> Desk {
    let desk = Desk::with_users(&["bo@example.org"]);
    let anna = [
        "user",
        "add",
        "anna@example.org",
        "--name",
        "Anna Berg",
        "--timezone",
        "Europe/Vienna",
        "--alias",
        "berg@example.org",
    ];
    assert_eq!(desk.run(&anna).status, 0);
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let (host, old) = config.split_at(config.find("[[store]]").unwrap());
    let new = "[[store]]\nplugin = \"store-vdir\"\nname = \"new\"\nconfig.path = \"tree\"\n";
    desk.write("convoke.toml", &format!("{host}{old}{new}"));
    desk.write("moved.toml", &format!("{host}{new}{old}"));
    desk
}

fn meeting(number: usize, summary: &str) -> String {
    let lines = format!(
        "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nX-ODD;X-P=\"a:b\":c\nSUMMARY:{summary}\n"
    );
    event(&format!("meeting-{number}/../é"), &lines)
}

fn import(desk: &Desk, config: &[&str], user: &str, objects: &str) {
    let import = ["calendar", "import", "--user", user];
    let said = desk.pipe(&[&import[..], config].concat(), objects);
    assert_eq!(said.status, 0, "{said:?}");
}

/// The objects of a user, sorted: stores list them in orders of their own.
fn objects(desk: &Desk, config: &[&str], user: &str) -> Vec<String> {
    let export = ["calendar", "export", "--user", user];
    let said = desk.run(&[&export[..], config].concat());
    assert_eq!(said.status, 0, "{said:?}");
    let mut objects: Vec<_> = said
        .out
        .split("BEGIN:VEVENT")
        .map(|it| it.replace("END:VCALENDAR\r\n", ""))
        .collect();
    objects.sort_unstable();
    objects
}

#[test]
fn everybody_is_found_in_the_new_store_as_in_the_old() {
    let desk = desk();
    let many: String = (0..700).map(|number| meeting(number, "many")).collect();
    import(&desk, &[], "anna@example.org", &many);
    import(&desk, &[], "bo@example.org", &meeting(1, "one"));
    let said = desk.run(&COPY);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(
        said.out,
        "bo@example.org: 1 object copied\nanna@example.org: 700 objects copied\n"
    );
    assert_eq!(said.err, "", "no bar without a terminal");

    for user in ["anna@example.org", "berg@example.org", "bo@example.org"] {
        assert_eq!(
            objects(&desk, &MOVED, user),
            objects(&desk, &[], user),
            "{user}"
        );
    }
    let list = ["user", "list", "--json"];
    let users = desk.run(&[&list[..], &MOVED].concat()).json();
    let named = |user: &&Value| user["name"] == "Anna Berg" && user["timezone"] == "Europe/Vienna";
    assert_eq!(
        users.as_array().unwrap().iter().filter(named).count(),
        2,
        "{users:#}"
    );

    let again = desk.run(&COPY);
    assert_eq!(
        again.out,
        "bo@example.org: 0 objects copied, 1 there already\nanna@example.org: 0 objects copied, 700 there already\n"
    );
}

#[test]
fn a_copy_that_was_killed_goes_on_where_it_stopped() {
    let desk = desk();
    let many: String = (0..3000).map(|number| meeting(number, "many")).collect();
    import(&desk, &[], "anna@example.org", &many);
    let only = ["--user", "berg@example.org"];
    let arguments = [&COPY[..], &only].concat();
    let mut copy = desk.command(&arguments);
    let mut copy = copy.stdout(Stdio::null()).spawn().unwrap();
    let arrived = || walked(&desk.path("tree"));
    while arrived() < 2 && copy.try_wait().unwrap().is_none() {}
    copy.kill().unwrap();
    copy.wait().unwrap();

    let report = desk.run(&[&arguments[..], &["--json"]].concat()).json();
    let [now, before] = ["copied", "same"].map(|key| report[0][key].as_u64().unwrap());
    assert_eq!(now + before, 3000, "{report:#}");
    assert!(before > 0, "what was copied before is not copied again");
    assert_eq!(report.as_array().unwrap().len(), 1, "bo was not asked for");
    let user = "anna@example.org";
    assert_eq!(objects(&desk, &MOVED, user), objects(&desk, &[], user));
}

/// The `.ics` files under a folder.
fn walked(folder: &std::path::Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let each = entries.flatten().map(|entry| match entry.path() {
        path if path.is_dir() => walked(&path),
        path => usize::from(path.extension().is_some_and(|it| it == "ics")),
    });
    each.sum()
}

#[test]
fn what_the_new_store_has_in_another_version_is_left_alone_unless_asked() {
    let desk = desk();
    import(
        &desk,
        &[],
        "bo@example.org",
        &[meeting(1, "old"), meeting(2, "old")].concat(),
    );
    let said = desk.run(&[&COPY[..], &["--user", "bo@example.org"]].concat());
    assert_eq!(said.status, 0, "{said:?}");
    import(&desk, &MOVED, "bo@example.org", &meeting(2, "edited since"));

    let said = desk.run(&COPY);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.out.contains(
            "bo@example.org: meeting-2/../é is there in another version; --replace writes over it\n"
        ),
        "{said:?}"
    );
    let edited = |desk: &Desk| {
        objects(desk, &MOVED, "bo@example.org")
            .concat()
            .contains("edited since")
    };
    assert!(edited(&desk));

    let report = desk
        .run(&[&COPY[..], &["--replace", "--json"]].concat())
        .json();
    let expected = json!({ "user": "mailto:bo@example.org", "copied": 1, "same": 1, "different": [], "failed": [] });
    assert_eq!(report[0], expected);
    assert!(!edited(&desk));
}

#[test]
fn a_file_that_no_parser_likes_is_named_and_holds_up_no_other() {
    let desk = desk();
    let add = ["user", "add", "bo@example.org"];
    assert_eq!(desk.run(&[&add[..], &MOVED].concat()).status, 0);
    let three: String = (0..3).map(|number| meeting(number, "fine")).collect();
    import(&desk, &MOVED, "bo@example.org", &three);
    let file = find(&desk.path("tree"), "UID:meeting-1/");
    for broken in ["BEGIN:VCALENDAR\n", "\u{fffd}"] {
        fs::write(&file, broken).unwrap();
        let said = desk.run(&["store", "copy", "--from", "new", "--to", "store-sqlite"]);
        assert!(
            said.out.contains("2 objects copied") || said.out.contains("2 there already"),
            "{said:?}"
        );
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(said.err.contains(name), "{said:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    }
}

fn find(folder: &std::path::Path, part: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).is_ok_and(|it| it.contains(part)) {
                return path;
            }
        }
    }
    panic!("no file holds {part}");
}

#[test]
fn a_copy_that_makes_no_sense_is_refused_with_what_to_write() {
    let desk = desk();
    for (arguments, status, part) in [
        (
            vec!["store", "copy", "--from", "new", "--to", "new"],
            2,
            "not copied into itself",
        ),
        (
            vec!["store", "copy", "--from", "old", "--to", "new"],
            1,
            "no [[store]] of the name `old`; it has `store-sqlite`, `new`",
        ),
        (
            [&COPY[..], &["--user", "cy@example.org"]].concat(),
            1,
            "cy@example.org is no calendar user of the store `store-sqlite`",
        ),
    ] {
        let said = desk.run(&arguments);
        assert!(said.complaint(status).contains(part), "{said:?}");
    }
}
