use super::*;

type World = Mirror<&'static str, u32>;

fn uid(text: &str) -> Uid {
    Uid::new(text).unwrap()
}

fn object(text: &str, etag: &str) -> Object {
    Object {
        etag: Etag::new(etag).unwrap(),
        index: ObjectIndex::new("VEVENT", uid(text)),
    }
}

fn broken(text: Option<&str>) -> Unreadable {
    Unreadable {
        uid: text.map(uid),
        problem: "line 3: it ends too early".to_owned(),
    }
}

/// The UIDs that are told as changed, and as removed, since the cursor, which moves on.
fn told(mirror: &World, cursor: &mut Option<Cursor>) -> (Vec<String>, Vec<String>) {
    let told = mirror.changes(cursor.as_ref()).unwrap();
    *cursor = Some(told.cursor);
    let changed = told.changed.iter().map(|it| it.uid.as_str().to_owned());
    let removed = told.removed.iter().map(|it| it.as_str().to_owned());
    (changed.collect(), removed.collect())
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

fn changed(text: &str) -> (Vec<String>, Vec<String>) {
    (vec![text.to_owned()], Vec::new())
}

fn removed(text: &str) -> (Vec<String>, Vec<String>) {
    (Vec::new(), vec![text.to_owned()])
}

#[test]
fn a_move_is_neither_a_removal_nor_a_new_object() {
    for forgotten_first in [true, false] {
        let (mut mirror, mut cursor) = (World::default(), None);
        mirror.set("home/a", 1, Some(object("a", "1")));
        assert_eq!(told(&mirror, &mut cursor), changed("a"));
        if forgotten_first {
            mirror.forget(&"home/a");
            mirror.set("work/a", 1, Some(object("a", "1")));
        } else {
            mirror.set("work/a", 1, Some(object("a", "1")));
            mirror.forget(&"home/a");
        }
        assert_eq!(told(&mirror, &mut cursor), changed("a"));
        assert_eq!(mirror.find(&uid("a")).map(|it| **it.0), Some("work/a"));
    }
}

#[test]
fn an_object_at_two_places_is_one_and_named_once() {
    let (mut mirror, mut cursor) = (World::default(), None);
    mirror.set("work/a", 1, Some(object("a", "1")));
    assert_eq!(mirror.take_duplicates(), []);
    mirror.set("home/a", 1, Some(object("a", "2")));
    assert_eq!(told(&mirror, &mut cursor), changed("a"));
    let both = ["home/a", "work/a"].map(Arc::new).to_vec();
    assert_eq!(mirror.take_duplicates(), [(uid("a"), both)]);
    mirror.set("home/a", 2, Some(object("a", "3")));
    mirror.set("work/a", 2, Some(object("a", "4")));
    assert_eq!(mirror.take_duplicates(), [], "it was said");
    mirror.forget(&"home/a");
    told(&mirror, &mut cursor);
    mirror.forget(&"work/a");
    assert_eq!(told(&mirror, &mut cursor), removed("a"));
    mirror.set("home/a", 1, Some(object("a", "1")));
    mirror.set("work/a", 1, Some(object("a", "1")));
    mirror.forget(&"work/a");
    assert_eq!(mirror.take_duplicates(), [], "it is over");
}

#[test]
fn what_cannot_be_read_is_told_when_it_is_mended_or_gone() {
    for of in [Some("a"), None] {
        let (mut mirror, mut cursor) = (World::default(), None);
        mirror.set("home/a", 1, Some(object("a", "1")));
        told(&mirror, &mut cursor);
        mirror.set_unreadable("home/a", 2, vec![broken(of)]);
        assert_eq!(told(&mirror, &mut cursor), nothing());
        let (place, why) = mirror.find_unreadable(&uid("a")).unwrap();
        assert_eq!(
            (**place, &*why.problem),
            ("home/a", "line 3: it ends too early")
        );
        mirror.set_unreadable("home/a", 3, vec![broken(None)]);
        assert_eq!(
            told(&mirror, &mut cursor),
            nothing(),
            "still broken, otherwise"
        );

        mirror.set("home/a", 4, Some(object("a", "1")));
        assert_eq!(told(&mirror, &mut cursor), changed("a"), "mended");
        assert!(mirror.find_unreadable(&uid("a")).is_none());

        mirror.set_unreadable("home/a", 5, vec![broken(of)]);
        mirror.set("home/a", 6, Some(object("b", "1")));
        let both = (vec!["b".to_owned()], vec!["a".to_owned()]);
        assert_eq!(told(&mirror, &mut cursor), both, "another in its place");

        mirror.set_unreadable("home/a", 7, vec![broken(None)]);
        mirror.forget(&"home/a");
        assert_eq!(told(&mirror, &mut cursor), removed("b"), "gone");
    }
}

#[test]
fn what_cannot_be_read_may_be_moved() {
    let (mut mirror, mut cursor) = (World::default(), None);
    mirror.set("home/a", 1, Some(object("a", "1")));
    told(&mirror, &mut cursor);
    mirror.set_unreadable("home/a", 2, vec![broken(Some("a"))]);
    mirror.forget(&"home/a");
    mirror.set_unreadable("work/a", 2, vec![broken(Some("a"))]);
    assert_eq!(told(&mirror, &mut cursor), nothing());
}

#[test]
fn an_object_that_can_be_read_elsewhere_is_there() {
    let (mut mirror, mut cursor) = (World::default(), None);
    mirror.set("home/a", 1, Some(object("a", "1")));
    mirror.set("work/a", 1, Some(object("a", "2")));
    told(&mirror, &mut cursor);
    mirror.set_unreadable("home/a", 2, vec![broken(None)]);
    assert_eq!(told(&mirror, &mut cursor), changed("a"));
    assert_eq!(mirror.find(&uid("a")).map(|it| **it.0), Some("work/a"));
    assert!(mirror.find_unreadable(&uid("a")).is_none());
}
