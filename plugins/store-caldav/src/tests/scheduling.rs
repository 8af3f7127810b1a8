//! A server that schedules by itself announces that; and it knows whom it would schedule for.

use super::{
    fake::{multistatus, response},
    *,
};

const ANNOUNCES: &str = "1, 3, calendar-access, Calendar-Auto-Schedule";
const ADDRESS: &str = "<C:calendar-user-address-set><D:href>mailto:anna@example.org</D:href></C:calendar-user-address-set>";
const HOME: &str = "<C:calendar-home-set><D:href>/anna</D:href></C:calendar-home-set>";
const OTHER: &str = "<C:calendar-home-set><D:href>/bo/</D:href></C:calendar-home-set>";
const OWNER: &str = "<D:owner><D:href>/principals/anna/</D:href></D:owner>";

/// What a server says.
#[derive(Clone, Default)]
struct Says {
    dav: &'static str,
    home: &'static str,
    owner: String,
    parent: String,
}

/// What the host is told of Anna on a server that says this.
async fn told(world: &World, says: Says) -> Option<String> {
    world.server.misbehave(move |seen: &Seen| {
        let found = match (seen.method.as_str(), &*seen.path) {
            ("OPTIONS", _) => {
                let mut answer = reply(200, "text/plain", "");
                answer
                    .headers_mut()
                    .insert("dav", says.dav.parse().unwrap());
                return Some(Fault::Answer(answer));
            }
            (_, "/anna/") if seen.headers["depth"] == "0" => says.home,
            (_, "/principals/anna/") => &says.owner,
            (_, "/") => &says.parent,
            _ => return None,
        };
        let kind = "<D:resourcetype><D:collection/></D:resourcetype>";
        let found = response(&seen.path, &[kind, found].concat());
        Some(Fault::Answer(multistatus(&found)))
    });
    let address = CalendarAddress::new("anna@example.org").unwrap();
    let user = world.store.find(&address, &Call::default()).await.unwrap();
    let attributes = user.unwrap().attributes;
    attributes
        .get(CalendarUser::SCHEDULES_ITSELF)
        .map(str::to_owned)
}

#[tokio::test]
async fn a_server_that_schedules_by_itself_is_noticed() {
    let owned = |owner: &[&str]| Says {
        dav: ANNOUNCES,
        home: OWNER,
        owner: owner.concat(),
        ..Says::default()
    };
    let within = |parent: &[&str]| Says {
        dav: ANNOUNCES,
        parent: parent.concat(),
        ..Says::default()
    };
    let known = |dav| Says {
        dav,
        home: ADDRESS,
        ..Says::default()
    };
    for (what, says, wanted) in [
        ("it says nothing", known(""), false),
        ("it does something else", known("1, calendar-access"), false),
        ("it says so, and knows her", known(ANNOUNCES), true),
        ("it says whose the home is", owned(&[HOME, ADDRESS]), true),
        ("who has no address", owned(&[HOME]), false),
        (
            "the owner is somebody else",
            owned(&[OTHER, ADDRESS]),
            false,
        ),
        (
            "the home lies in the principal",
            within(&[HOME, ADDRESS]),
            true,
        ),
        ("which has no address", within(&[HOME]), false),
        ("nobody knows whose it is", within(&[]), false),
    ] {
        let world = World::new().await;
        let sentence = told(&world, says).await;
        assert_eq!(sentence.is_some(), wanted, "{what}");
        if let Some(sentence) = sentence {
            for part in [
                &*world.server.origin,
                "anna@example.org",
                "schedule = \"off\"",
            ] {
                assert!(sentence.contains(part), "{sentence}");
            }
        }
    }
}
