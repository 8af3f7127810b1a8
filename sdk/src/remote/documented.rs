//! `PROCESS.md` is all that an author in another language has: what it says of methods and values is held against them.

use crate::{methods::methods_of, prelude::*};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const PAGE: &str = include_str!("../../PROCESS.md");

/// The blocks of JSON on the page, each with the word beside it.
fn blocks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let blocks = PAGE.split("```json ").skip(1);
    blocks.map(|block| {
        let (name, rest) = block.split_once('\n').expect("a block has lines");
        let (json, _) = rest.split_once("```").expect("a block ends");
        (name, json)
    })
}

/// The value as the page shows it has every field that the type writes, and none that it does not know.
fn same<T: DeserializeOwned + Serialize>(json: &str) {
    let value: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let shown: Value = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_value(value).unwrap(), shown, "{json}");
}

#[test]
fn values_are_what_the_page_says() {
    let mut seen = 0;
    for (name, json) in blocks() {
        match name {
            // Frames: the host's business.
            "to-process" | "to-host" => continue,
            "Error" => same::<Error>(json),
            "Receiver" => same::<Receiver>(json),
            "AccessRequest" => same::<AccessRequest>(json),
            "Grant" => same::<Grant>(json),
            "CalendarUser" => same::<CalendarUser>(json),
            "NewUser" => same::<NewUser>(json),
            "NewObject" => same::<NewObject>(json),
            "StoredObject" => same::<StoredObject>(json),
            "Busy" => same::<Busy>(json),
            "Page" => same::<Page>(json),
            "Listing" => same::<Listing<ObjectSummary>>(json),
            "Changes" => same::<Changes>(json),
            "Watch" => same::<Watch>(json),
            "InboxMessage" => same::<InboxMessage>(json),
            "StateEntry" => same::<crate::StateEntry>(json),
            "Scan" => same::<crate::Scan>(json),
            "Batch" => same::<crate::Batch>(json),
            other => panic!("`{other}` is nothing that the page can show"),
        }
        seen += 1;
    }
    assert_eq!(seen, 17);
}

#[test]
fn words_are_what_the_page_says() {
    fn says(word: &impl Serialize) {
        let json = serde_json::to_string(word).unwrap();
        let (plain, spaced) = (json.trim_matches('"'), json.replace("\":", "\": "));
        let quoted = [plain, &json, &spaced].map(|text| format!("`{text}`"));
        let told = quoted.iter().any(|it| PAGE.contains(it.as_str()));
        assert!(told, "{json} is not on the page");
    }
    says(&Discovered::NotMine);
    says(&Discovered::NoService);
    says(&Discovered::Mail);
    says(&Decision::Abstain);
    says(&Decision::Hold);
    says(&Precondition::Any);
    says(&Precondition::Absent);
    says(&Delivery::Unhandled);
    says(&Delivery::Handled("2.0;Success".to_owned()));
    for action in [Action::FreeBusy, Action::Schedule, Action::Send] {
        says(&action);
    }
    for kind in [
        BusyType::Busy,
        BusyType::BusyTentative,
        BusyType::BusyUnavailable,
    ] {
        says(&kind);
    }
    for kind in [
        UserKind::Individual,
        UserKind::Group,
        UserKind::Resource,
        UserKind::Room,
    ] {
        says(&kind);
    }
    for purpose in [
        Purpose::Delivery,
        Purpose::Submission,
        Purpose::Administration,
        Purpose::Background,
        Purpose::Test,
        Purpose::Other,
    ] {
        says(&purpose);
    }
    for kind in [
        ErrorKind::Unavailable,
        ErrorKind::Conflict,
        ErrorKind::Invalid,
        ErrorKind::NotFound,
        ErrorKind::Denied,
        ErrorKind::Unsupported,
        ErrorKind::Internal,
    ] {
        says(&kind);
    }
    // The beginning of time, before all others also as a text, and all others as their texts are.
    says(&Timestamp::MIN);
    let text = |it: Timestamp| serde_json::to_string(&it).unwrap();
    let instants = [
        Timestamp::MIN,
        "0001-01-01T00:00:00Z".parse().unwrap(),
        Timestamp::UNIX_EPOCH,
        "2027-01-04T09:00:00Z".parse().unwrap(),
        Timestamp::MAX,
    ];
    assert!(instants.is_sorted_by_key(|it| text(*it)));
}

/// The methods of a kind as the page writes them: `put(user, object, when)`.
macro_rules! signatures {
    ($trait:ident $plugin:ident $remote:ident: $(
        $name:ident($($arg:ident: $type:ident),*) -> $answer:ty { $($_:tt)* }
    )*) => {
        vec![$((stringify!($name), vec![$(stringify!($arg)),*])),*]
    };
}

#[test]
fn every_method_is_on_the_page() {
    for (kind, methods) in [
        ("Discovery", methods_of!(Discovery, signatures)),
        ("Policy", methods_of!(Policy, signatures)),
        ("Store", methods_of!(Store, signatures)),
        ("State", methods_of!(State, signatures)),
    ] {
        let (_, section) = PAGE.split_once(&format!("\n## {kind}\n")).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: Vec<&str> = section.lines().filter(|it| it.starts_with("| `")).collect();
        let called: Vec<_> = methods
            .iter()
            .filter(|(name, _)| *name != "close")
            .map(|(name, arguments)| format!("| `{name}({})` |", arguments.join(", ")))
            .collect();
        assert_eq!(rows.len(), called.len(), "{kind}");
        for call in called {
            assert!(rows.iter().any(|row| row.starts_with(&call)), "{call}");
        }
    }
}
