//! `convoke user import`: calendar users from files of other programs.

use crate::desk::Desk;
use serde_json::{Value, json};

const PEOPLE: &str = "\
address,name,aliases,kind,timezone,booking
anna@example.org,\"Berg, Anna \"\"the boss\"\"\",a.berg@example.org boss@example.org,,Europe/Berlin,
bo@example.org,Bo,,,,
bridge@example.org,Bridge,,room,Europe/Berlin,longest=4h days=mo-fr
";

fn users(desk: &Desk) -> Value {
    desk.run(&["user", "list", "--json"]).json()
}

/// The addresses of all calendar users.
fn addresses(desk: &Desk) -> Vec<String> {
    let users = users(desk);
    let users = users.as_array().unwrap().iter();
    users
        .map(|it| it["address"].as_str().unwrap().to_owned())
        .collect()
}

fn on_vdir(desk: &Desk) {
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let config = config
        .replace("store-sqlite", "store-vdir")
        .replace("calendars.db", "calendars");
    desk.write("convoke.toml", &config);
}

#[test]
fn people_and_rooms_of_a_csv_file_become_calendar_users() {
    for store in ["store-sqlite", "store-vdir"] {
        for is_running in [false, true] {
            let desk = Desk::new();
            if store == "store-vdir" {
                on_vdir(&desk);
            }
            let _host = is_running.then(|| desk.serve());
            desk.write("people.csv", PEOPLE);
            let would = desk.run(&["user", "import", "people.csv", "--dry-run", "--json"]);
            let would = would.json();
            assert_eq!(would["dry_run"], true);
            assert_eq!(addresses(&desk), [""; 0], "{store}");

            let zone = ["--timezone", "Europe/Vienna"];
            let arguments = [&["user", "import", "people.csv", "--json"], &zone[..]].concat();
            let did = desk.run(&arguments).json();
            assert_eq!(did["dry_run"], false);
            assert_eq!(
                [&did["added"], &did["updated"], &did["left"]],
                [&json!(3), &json!(0), &json!(0)]
            );
            let lines: Vec<_> = did["users"].as_array().unwrap().iter().collect();
            assert_eq!(lines[0]["line"], 2);
            assert_eq!(lines[0]["done"], "add");
            let expected = [
                json!({
                    "address": "mailto:anna@example.org", "name": "Berg, Anna \"the boss\"", "timezone": "Europe/Berlin",
                    "aliases": ["mailto:a.berg@example.org", "mailto:boss@example.org"], "kind": "individual", "schedule": "on",
                }),
                json!({
                    "address": "mailto:bo@example.org", "name": "Bo", "timezone": "Europe/Vienna",
                    "aliases": [], "kind": "individual", "schedule": "on",
                }),
                json!({
                    "address": "mailto:bridge@example.org", "name": "Bridge", "timezone": "Europe/Berlin",
                    "aliases": [], "kind": "room", "schedule": "on", "booking": "longest=4h days=mo-fr",
                    "conflicts": null, "approve": null, "private": "off",
                }),
            ];
            for expected in expected {
                let address = expected["address"].as_str().unwrap();
                let shown = desk.run(&["user", "show", address, "--json"]).json();
                assert_eq!(shown, expected, "{store}");
            }
        }
    }
}

#[test]
fn who_is_added_twice_is_named_with_what_to_do_instead() {
    let desk = Desk::new();
    let bo = [
        "user",
        "add",
        "bo@example.org",
        "--name",
        "Bo Holm",
        "--alias",
        "holm@example.org",
    ];
    assert_eq!(desk.run(&bo).status, 0);
    for (asked, says) in [
        (
            &["user", "add", "BO@example.org"][..],
            "is a calendar user of `store-sqlite` already, Bo Holm: `convoke user show",
        ),
        (
            &["user", "add", "holm@example.org"],
            "holm@example.org is an address of bo@example.org in `store-sqlite` already, Bo Holm: take it from there with `convoke user \
             set bo@example.org --remove-alias holm@example.org`",
        ),
        (
            &[
                "user",
                "add",
                "cy@example.org",
                "--alias",
                "holm@example.org",
            ],
            "holm@example.org is an address of bo@example.org",
        ),
    ] {
        let said = desk.run(asked);
        assert!(said.complaint(1).contains(says), "{said:?}");
    }
}

#[test]
fn who_is_there_is_left_or_changed_as_is_said() {
    let desk = Desk::new();
    desk.write("people.csv", PEOPLE);
    desk.run(&[
        "user",
        "add",
        "bo@example.org",
        "--name",
        "Bo Holm",
        "--alias",
        "bo.holm@example.org",
    ]);
    let said = desk.run(&["user", "import", "people.csv"]);
    assert_eq!(
        said.out, "2 added, 0 changed, 1 left as they are\n",
        "{said:?}"
    );
    let shown = |address: &str| desk.run(&["user", "show", address, "--json"]).json();
    assert_eq!(shown("bo@example.org")["name"], "Bo Holm");

    let changed = "address;name;alias;alias\nBo@example.org;;holm@example.org;bo.holm@example.org\n\
                   anna@example.org;Anna;;\n;;;\n\ncleo@example.org;Cleo;;\n";
    desk.write("changed.csv", changed);
    let would = desk.run(&["user", "import", "changed.csv", "--update", "--dry-run"]);
    assert_eq!(
        would.out,
        "update  bo@example.org    Bo Holm                 individual  bo.holm@example.org holm@example.org\n\
         update  anna@example.org  Anna     Europe/Berlin  individual  a.berg@example.org boss@example.org\n\
         add     cleo@example.org  Cleo                    individual\n\
         this would be: 1 added, 2 changed, 0 left as they are\n",
        "{would:?}"
    );
    let did = desk.run(&["user", "import", "changed.csv", "--update"]);
    assert_eq!(did.out, "1 added, 2 changed, 0 left as they are\n");
    // What a file does not say stays.
    assert_eq!(shown("bo@example.org")["name"], "Bo Holm");
    let aliases = json!(["mailto:bo.holm@example.org", "mailto:holm@example.org"]);
    assert_eq!(shown("holm@example.org")["aliases"], aliases);
    assert_eq!(shown("anna@example.org")["timezone"], "Europe/Berlin");
    let again = desk.run(&["user", "import", "changed.csv", "--update"]);
    assert_eq!(again.out, "0 added, 0 changed, 3 left as they are\n");
}

/// What `ldapsearch -LL` and `slapcat` of `OpenLDAP` write, with all that RFC 2849 allows.
const DIRECTORY: &str = "version: 1\r
# extended LDIF, with a comment that\r
  goes on\r
\r
dn: dc=example,dc=org\r
objectClass: domain\r
dc: example\r
\r
dn: uid=anna,ou=people,dc=example,dc=org\r
objectClass: inetOrgPerson\r
cn: A. Berg\r
cn;lang-sv: Anna\r
displayName:: QW5uYSBCZXLDpw==\r
mail: anna@exam\r
 ple.org\r
MAIL: a.berg@example.org\r
mailAlternateAddress:boss@example.org\r
# a comment in the middle\r
jpegPhoto:: /9j/4AAQ
  not looked at\r
labeledURI:< file:///etc/passwd\r
\r
\r
dn:: dWlkPWJvLG91PXBlb3BsZSxkYz1leGFtcGxlLGRjPW9yZw==
changetype: add
cn: Bo
businessCategory: room
mail: bo@example.org
";

#[test]
fn entries_of_a_directory_become_calendar_users() {
    let desk = Desk::new();
    desk.write("staff.ldif", DIRECTORY);
    let said = desk.run(&[
        "user",
        "import",
        "staff.ldif",
        "--map",
        "kind=businessCategory",
    ]);
    assert_eq!(
        said.out, "2 added, 0 changed, 0 left as they are\n",
        "{said:?}"
    );
    assert!(said.err.contains("passed over: 1"), "{said:?}");
    let shown = desk.run(&["user", "show", "anna@example.org", "--json"]);
    let expected = json!({
        "address": "mailto:anna@example.org", "name": "Anna Berç", "timezone": null,
        "aliases": ["mailto:a.berg@example.org", "mailto:boss@example.org"], "kind": "individual", "schedule": "on",
    });
    assert_eq!(shown.json(), expected);
    let bo = desk
        .run(&["user", "show", "bo@example.org", "--json"])
        .json();
    assert_eq!([&bo["name"], &bo["kind"]], ["Bo", "room"]);

    // The same from a pipe, where no name says what it is.
    let again = desk.pipe(
        &["user", "import", "-", "--format", "ldif", "--update"],
        DIRECTORY,
    );
    assert_eq!(
        again.out, "0 added, 0 changed, 2 left as they are\n",
        "{again:?}"
    );
    let said = desk.pipe(&["user", "import", "-"], DIRECTORY);
    assert!(said.complaint(2).contains("--format csv or --format ldif"));
}

/// Tables that are refused, and what is said of them.
const FAULTY_TABLES: &[(&str, &str)] = &[
    ("", "it is empty"),
    ("address,name\n", "it lists no calendar user"),
    (
        "mail,name\ncleo@example.org,Cleo\n",
        "line 1: the column `mail` is not known",
    ),
    ("name\nCleo\n", "line 1: no column says address"),
    ("address,name,name\n", "line 1: two columns say name"),
    ("address,name\n{good}\ncleo,x\n", "line 3: address `cleo`"),
    (
        "address,name\n{good}\n,Dora\n",
        "line 3: it names no address",
    ),
    (
        "address,name\n{good}\ndora@example.org\n",
        "line 3: 1 columns, where the first line names 2",
    ),
    (
        "address,name\n{good}\ndora@elsewhere.example,Dora\n",
        "line 3: no [[store]] of the configuration serves dora@elsewhere.example",
    ),
    (
        "address,name\n{good}\nCLEO@example.org,Cleo\n",
        "line 3: CLEO@example.org stands in line 2, too",
    ),
    (
        "address,alias\ncleo@example.org,holm@example.org\n",
        "line 2: holm@example.org is an address of bo@example.org already",
    ),
    (
        "address,name\nholm@example.org,Holm\n",
        "line 2: holm@example.org is an alias of bo@example.org already",
    ),
    (
        "address,timezone\ncleo@example.org,Mars/Base\n",
        "line 2: timezone `Mars/Base`: it is no IANA time zone",
    ),
    (
        "address,kind\ncleo@example.org,robot\n",
        "line 2: kind `robot`: expected one of individual, group, resource, room",
    ),
    (
        "address,booking\ncleo@example.org,longest=4h\n",
        "line 2: --booking is for rooms and resources",
    ),
    (
        "address,name\n{good}\n\"dora@example.org,Dora\neve@example.org,Eve\n",
        "line 3: a quote is not closed",
    ),
    (
        "address,name\n{good}\ndora@example.org,\"Dora",
        "line 3: a quote is not closed",
    ),
    (
        "address,name\n{good}\ndora@example.org,\"Do\nra\"\n",
        "it goes over the end of its line",
    ),
    (
        "address,name\n{good}\ndora@example.org,Do\u{1b}[2Jra\n",
        "it holds a control character",
    ),
];

/// The same of directories.
const FAULTY_DIRECTORIES: &[(&str, &str)] = &[
    ("version: 2\n\n", "line 1: LDIF of version `2`"),
    (
        "cn: Cleo\nmail: cleo@example.org\n",
        "line 1: an entry begins with one line `dn:`",
    ),
    (
        "dn: a\nmail: cleo@example.org\ndn: b\nmail: dora@example.org\n",
        "line 3: an entry begins with one line `dn:`",
    ),
    (
        "dn: a\nmail: cleo@example.org\n\n  goes on\n",
        "line 4: a line that goes on, where none began",
    ),
    (
        "dn: a\nthis is no line\n",
        "line 2: `this is no line` is no `attribute: value`",
    ),
    (
        "dn: a\nchangetype: delete\n",
        "line 2: a change of a directory",
    ),
    (
        "dn: a\nmail:: not base64!\n",
        "line 2: mail: what stands behind `::` is no base64",
    ),
    (
        "dn: a\nmail: cleo@example.org\ncn:: /w==\n",
        "line 3: cn: what stands behind `::` is no text in UTF-8",
    ),
    (
        "dn: a\nmail:< file:///etc/shadow\n",
        "line 2: mail: its value stands in another file",
    ),
    (
        "dn: a\nmail: cleo@example.org\ncn:: Q2xl\n bwBv\n",
        "line 3: name",
    ),
    ("dn: dc=org\ndc: org\n", "it lists no calendar user"),
];

/// One sentence, with the line, and nothing is done.
#[test]
fn a_faulty_file_is_refused_as_a_whole_by_line() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org"]);
    desk.run(&[
        "user",
        "set",
        "bo@example.org",
        "--alias",
        "holm@example.org",
    ]);
    let good = "cleo@example.org,Cleo";
    for (text, says) in FAULTY_TABLES {
        desk.write("people.csv", &text.replace("{good}", good));
        let said = desk.run(&["user", "import", "people.csv"]);
        let complaint = said.complaint(1);
        assert!(complaint.contains(says), "{text:?}: {complaint}");
        assert!(complaint.contains("people.csv: "), "{complaint}");
        assert!(
            complaint.contains("nothing of the file was taken"),
            "{complaint}"
        );
    }
    for (text, says) in FAULTY_DIRECTORIES {
        desk.write("people.ldif", text);
        let said = desk.run(&["user", "import", "people.ldif"]);
        assert!(said.err.contains(says), "{text:?}: {said:?}");
        assert!(
            said.err.contains("nothing of the file was taken"),
            "{said:?}"
        );
        assert_eq!((said.status, &*said.out), (1, ""), "{said:?}");
    }
    assert_eq!(
        addresses(&desk),
        ["mailto:anna@example.org", "mailto:bo@example.org"]
    );
}

#[test]
fn all_faults_are_told_and_to_programs_as_json() {
    let desk = Desk::new();
    desk.write(
        "people.csv",
        "address,kind\ncleo,room\nbo@example.org,robot\nanna@example.org,\n",
    );
    let said = desk.run(&["user", "import", "people.csv"]);
    assert_eq!((said.status, &*said.out), (1, ""));
    let lines: Vec<_> = said.err.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].contains("people.csv: line 2: address `cleo`"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("people.csv: line 3: kind `robot`"),
        "{lines:?}"
    );
    assert!(
        lines[2].contains("2 are wrong; nothing of the file was taken"),
        "{lines:?}"
    );
    let said = desk.run(&["user", "import", "people.csv", "--json"]);
    assert_eq!(said.status, 1, "{said:?}");
    let faults = said.json_whatever_came_of_it();
    let lines = faults["faults"].as_array().unwrap().iter();
    assert_eq!(lines.map(|it| &it["line"]).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(addresses(&desk), [""; 0]);
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_named() {
    let desk = Desk::new();
    let refused = |octets: &[u8], says: &str| {
        desk.write_octets("people.csv", octets);
        let said = desk.run(&["user", "import", "people.csv"]);
        let complaint = said.complaint(1);
        assert!(complaint.contains(says), "{complaint}");
    };
    let utf16: Vec<u8> = PEOPLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    refused(&utf16, "the file is UTF-16");
    refused(&[b"\xff\xfe", &*utf16].concat(), "the file is UTF-16");
    refused(
        b"address,name\nanna@example.org,\0\n",
        "line 2: a byte of zero",
    );
    refused(
        b"\xef\xbb\xbfaddress,name\n\nanna@example.org,J\xf6rg\n",
        "line 3: the byte 0xF6 is no UTF-8",
    );
    refused(&vec![b'a'; (64 << 20) + 1], "larger than 64 MiB");
    let long = format!("address,name\nanna@example.org,{}\n", "x".repeat(2_000_000));
    refused(long.as_bytes(), "line 2: name `xxx");
    desk.write(
        "people.csv",
        "\u{feff}address,name\nanna@example.org,Jörg\n",
    );
    let said = desk.run(&["user", "import", "people.csv"]);
    assert_eq!(
        said.out, "1 added, 0 changed, 0 left as they are\n",
        "{said:?}"
    );
    let said = desk.run(&["user", "import", "nowhere.csv"]);
    assert!(said.complaint(1).contains("nowhere.csv cannot be read"));
}

/// The last line cannot be done: what was done for those before it is taken back.
#[test]
fn what_a_store_refuses_has_the_rest_taken_back() {
    for is_running in [false, true] {
        let desk = Desk::new();
        on_vdir(&desk);
        desk.run(&["user", "add", "bo@example.org", "--name", "Bo"]);
        let before = users(&desk);
        // In the place of her calendar.
        desk.write("calendars/cleo@example.org", "nobody's");
        let _host = is_running.then(|| desk.serve());
        let people = "address,name,alias\nanna@example.org,Anna,\nbo@example.org,Bo Holm,holm@example.org\ncleo@example.org,Cleo,\n";
        desk.write("people.csv", people);
        let said = desk.run(&["user", "import", "people.csv", "--update"]);
        let complaint = said.complaint(1);
        assert!(
            complaint.contains("people.csv: line 4: the store `store-vdir`: "),
            "{complaint}"
        );
        assert!(
            complaint.contains("nothing of the file was taken"),
            "{complaint}"
        );
        assert_eq!(users(&desk), before);
    }
}
