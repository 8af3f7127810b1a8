use super::ANNA;
use convoke_tests::{Host, Post, Setup, program};
use std::process::Command;

const STORES: [&str; 2] = [
    "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
    "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
];

const DANA: &str = "dana@example.org";
const ALIAS: &str = "dana.dietz@example.org";
const UUID: &str = "urn:uuid:6b29fc40-ca47-1067-b31d-00dd010662da";
const PRINCIPAL: &str = "https://cal.example.net/principals/dana";

/// A host on which Dana has several addresses.
fn with_dana(store: &str) -> Host {
    dana_in(Setup::new().table("[[store]]", store))
}

fn dana_in(setup: Setup) -> Host {
    let host = setup.start();
    let output = Command::new(program())
        .current_dir(host.folder())
        .args(["user", "add", DANA, "--alias", ALIAS])
        .args(["--alias", UUID, "--alias", PRINCIPAL])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    host
}

#[test]
fn who_is_called_off_at_one_address_comes_by_the_other() {
    for store in STORES {
        let host = with_dana(store);
        for (gone, stays) in [(ALIAS, DANA), (DANA, ALIAS)] {
            let uid = format!("plan-{gone}");
            let invited = host.post(&Post::invitation(&uid, ANNA, &[DANA, ALIAS]));
            assert_eq!(invited.codes(), ["2.0", "2.0"], "{store}");
            for status in ["STATUS:CANCELLED\n", ""] {
                let off =
                    Post::cancellation(&uid, ANNA, &[gone]).edited("STATUS:CANCELLED\n", status);
                assert_eq!(host.post(&off).codes(), ["2.0"], "{store}");
                let stored = host.stored(DANA, &uid).unwrap();
                assert!(!stored.contains("CANCELLED"), "{store}: {stored}");
                assert!(
                    !stored.contains(&format!("mailto:{gone}")),
                    "{store}: {stored}"
                );
            }
            assert_eq!(host.post(&Post::free_busy(ANNA, &[DANA])).codes(), ["2.0"]);
            let off = Post::cancellation(&uid, ANNA, &[stays]);
            assert_eq!(host.post(&off).codes(), ["2.0"], "{store}");
            let stored = host.stored(DANA, &uid).unwrap();
            assert!(stored.contains("STATUS:CANCELLED"), "{store}: {stored}");
        }
    }
}

#[test]
fn an_alias_that_is_no_mailbox_is_a_recipient() {
    for store in STORES {
        let host = with_dana(store);
        for (at, alias) in [
            UUID,
            "URN:UUID:6B29FC40-CA47-1067-B31D-00DD010662DA",
            PRINCIPAL,
        ]
        .into_iter()
        .enumerate()
        {
            let uid = format!("alias-{at}");
            let post = Post::invitation(&uid, ANNA, &[DANA])
                .edited(&format!("mailto:{DANA}"), alias)
                .with("Recipient", alias);
            assert_eq!(host.post(&post).codes(), ["2.0"], "{store}: {alias}");
            assert!(host.stored(DANA, &uid).is_some(), "{store}: {alias}");
        }
        // By the mailbox beside a name that means something elsewhere only.
        let post = Post::invitation("beside", ANNA, &[DANA]).edited(
            &format!(":mailto:{DANA}"),
            &format!(";EMAIL={DANA}:urn:uuid:00000000-0000-0000-0000-000000000001"),
        );
        assert_eq!(host.post(&post).codes(), ["2.0"], "{store}");
        let answer = ["reply", "--user", DANA, "--uid", "beside", "decline"];
        let answer = Command::new(program())
            .current_dir(host.folder())
            .args(answer)
            .output();
        // Nobody finds Anna's receiver; the own copy follows all the same.
        assert_eq!(answer.unwrap().status.code(), Some(1));
        let stored = host.stored(DANA, "beside").unwrap();
        assert!(stored.contains("PARTSTAT=DECLINED"), "{store}: {stored}");
        for nobody in [
            "urn:uuid:0",
            "https://cal.example.net/principals/bo",
            "tel:1",
        ] {
            let post = Post::invitation("nobody", ANNA, &[DANA])
                .edited(&format!("mailto:{DANA}"), nobody)
                .with("Recipient", nobody);
            assert_eq!(host.post(&post).codes(), ["3.7"], "{store}: {nobody}");
        }
    }
}

#[test]
fn a_quota_is_of_a_person_and_not_of_each_of_her_addresses() {
    let host = dana_in(Setup::new().rules("[{ allow = \"any\", quota = \"1/day\" }]"));
    let invite = |to: &str| {
        let invitation = Post::invitation(&format!("for-{to}"), ANNA, &[to]);
        host.post(&invitation).codes()
    };
    assert_eq!(invite(DANA), ["2.0"]);
    assert_eq!(invite(ALIAS), ["5.1"]);
    assert_eq!(invite(DANA), ["5.1"]);
}
