//! Semantic comparison of two serialisations of an object, for servers that rewrite what they are given.

use convoke_calendar::tree::{Calendar, Component, Limits, Property};

/// Whether nothing differs but the order of things, folds, quotes, the case of names, and who wrote it (PRODID).
/// `false` if one of the two cannot be read, unless they are the same octets.
pub(super) fn equivalent(one: &[u8], other: &[u8]) -> bool {
    one == other
        || matches!((meaning(one), meaning(other)), (Some(one), Some(other)) if one == other)
}

fn meaning(data: &[u8]) -> Option<Meaning> {
    let limits = Limits {
        bytes: usize::MAX,
        properties: usize::MAX,
        ..Limits::default()
    };
    let mut calendar = Calendar::parse_stored(data, &limits).ok()?;
    calendar.root_mut().remove("PRODID");
    Some(Meaning::of(calendar.root()))
}

/// A component with its parts in an order of ours.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Meaning {
    name: String,
    properties: Vec<Line>,
    components: Vec<Meaning>,
}

/// Name, parameters, value.
type Line = (String, Vec<(String, Vec<String>)>, String);

impl Meaning {
    fn of(component: &Component) -> Self {
        let mut properties: Vec<_> = component.properties.iter().map(line).collect();
        properties.sort_unstable();
        let mut components: Vec<_> = component.components.iter().map(Self::of).collect();
        components.sort_unstable();
        Self {
            name: component.name.to_ascii_uppercase(),
            properties,
            components,
        }
    }
}

fn line(property: &Property) -> Line {
    let params = property.params.iter();
    let mut params: Vec<_> = params
        .map(|param| (param.name.to_ascii_uppercase(), param.values.clone()))
        .collect();
    params.sort_unstable();
    let name = property.name.to_ascii_uppercase();
    (name, params, property.value.clone())
}

#[cfg(test)]
mod tests {
    use super::equivalent;

    #[test]
    fn order_and_spelling_do_not_count_and_everything_else_does() {
        let object = |inside: &str| {
            let lines = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{inside}\nEND:VCALENDAR\n");
            lines.replace('\n', "\r\n").into_bytes()
        };
        let event = "PRODID:a\nBEGIN:VEVENT\nUID:1\nATTENDEE;CN=Bo;ROLE=CHAIR:mailto:bo@example.org\n\
                     BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT";
        let reordered = "PRODID:b\nBEGIN:VEVENT\nATTENDEE;role=CHAIR;CN=\"Bo\":mailto:bo@exam\n ple.org\nUID:1\n\
                         BEGIN:VALARM\nTRIGGER:-PT5M\nACTION:AUDIO\nEND:VALARM\nEND:VEVENT";
        assert!(equivalent(&object(event), &object(reordered)));
        for (was, is) in [
            ("UID:1", "UID:2"),
            ("UID:1", "UID:1\nUID:1"),
            ("CN=Bo", "CN=BO"),
            ("ROLE=CHAIR", "ROLE=CHAIR;X-A=B"),
            ("TRIGGER:-PT5M\n", ""),
            (
                "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\n",
                "",
            ),
        ] {
            assert!(event.contains(was), "{was}");
            assert!(
                !equivalent(&object(event), &object(&event.replacen(was, is, 1))),
                "{was} -> {is}"
            );
        }
        assert!(equivalent(b"broken", b"broken"));
        assert!(!equivalent(b"broken", b"broken too"));
    }
}
