//! Which principals a client looks for (RFC 3744 §9.4).

use crate::{
    wanted::{Properties, RequestError, reported},
    xml::{DAV, Element, Name},
};

/// Conditions of one search, at most.
pub const MAX_CONDITIONS: usize = 100;

/// A search among principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalSearch {
    /// Where it searches.
    pub scope: Scope,
    /// What is wanted of each that is found.
    pub properties: Properties,
    conditions: Vec<Condition>,
    test: Test,
}

/// Where is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the resource that is asked.
    Here,
    /// Wherever that resource says that principals are.
    PrincipalCollections,
}

/// How conditions belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    All,
    /// As Apple's programs ask: they look for a name and an address at once.
    Any,
}

/// One property, and the text that it is to contain, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    property: Name,
    text: String,
}

impl PrincipalSearch {
    /// Reads a `DAV:principal-property-search`.
    ///
    /// # Errors
    ///
    /// If a condition has no property or no text, or there are more than [`MAX_CONDITIONS`].
    pub fn read(root: &Element) -> Result<Self, RequestError> {
        let mut conditions = Vec::new();
        for search in root
            .children
            .iter()
            .filter(|it| it.is(DAV, "property-search"))
        {
            let properties = search.child(DAV, "prop").map_or(&[][..], |it| &it.children);
            let text = search.child(DAV, "match");
            let (Some(text), false) = (text, properties.is_empty()) else {
                return Err(RequestError::Invalid(
                    "a property-search holds a prop with properties, and a match",
                ));
            };
            let text = text.text.trim().to_lowercase();
            for property in properties {
                if conditions.len() == MAX_CONDITIONS {
                    return Err(RequestError::TooMany(MAX_CONDITIONS, "conditions"));
                }
                conditions.push(Condition {
                    property: property.name.clone(),
                    text: text.clone(),
                });
            }
        }
        let everywhere = root.child(DAV, "apply-to-principal-collection-set");
        Ok(Self {
            scope: everywhere.map_or(Scope::Here, |_| Scope::PrincipalCollections),
            properties: reported(root)?,
            conditions,
            test: match root.attribute("test") {
                Some("anyof") => Test::Any,
                _ => Test::All,
            },
        })
    }

    /// Whether a principal is looked for, by the value of each of its properties. Without conditions everyone is.
    pub fn matches(&self, value: impl Fn(&Name) -> Option<Element>) -> bool {
        let mut held = self.conditions.iter().map(|condition| {
            let value = value(&condition.property);
            value.is_some_and(|it| contains(&it, &condition.text))
        });
        match self.test {
            Test::All => held.all(|it| it),
            Test::Any => held.len() == 0 || held.any(|it| it),
        }
    }
}

/// Whether the text of an element, or of one within it, contains a text.
fn contains(element: &Element, text: &str) -> bool {
    element.text.to_lowercase().contains(text)
        || element.children.iter().any(|it| contains(it, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{CALDAV, LIMITS, parse};

    fn search(inner: &str) -> Result<PrincipalSearch, RequestError> {
        let text = format!(
            "<principal-property-search xmlns='DAV:' xmlns:C='{CALDAV}' {inner}</principal-property-search>"
        );
        PrincipalSearch::read(&parse(text.as_bytes(), &LIMITS).unwrap())
    }

    /// Anna Berg, of two addresses.
    fn anna(name: &Name) -> Option<Element> {
        match &*name.local {
            "displayname" => Some(Element::dav("displayname").with_text("Anna Berg")),
            "calendar-user-address-set" => Some(
                Element::caldav("calendar-user-address-set")
                    .with(Element::href("mailto:anna@example.org"))
                    .with(Element::href("mailto:a.berg@example.org")),
            ),
            _ => None,
        }
    }

    #[test]
    fn principals_are_found_by_what_their_properties_contain() {
        let name = |text: &str| {
            format!(
                "<property-search><prop><displayname/></prop><match>{text}</match></property-search>"
            )
        };
        let address = |text: &str| {
            format!(
                "<property-search><prop><C:calendar-user-address-set/></prop><match>{text}</match></property-search>"
            )
        };
        for (inner, expected) in [
            (format!(">{}", name("anna")), true),
            (format!(">{}", name("NA B")), true),
            (format!(">{}", name("bo")), false),
            (format!(">{}", address("A.Berg@")), true),
            (format!(">{}{}", name("anna"), address("bo@")), false),
            (format!("test='anyof'>{}{}", name("anna"), address("bo@")), true),
            (format!("test='anyof'>{}{}", name("bo"), address("bo@")), false),
            (">".to_owned(), true),
            ("test='anyof'>".to_owned(), true),
            (
                "><property-search><prop><displayname/><C:calendar-user-address-set/></prop><match>anna</match></property-search>"
                    .to_owned(),
                true,
            ),
            (
                "><property-search><prop><displayname/><getetag/></prop><match>anna</match></property-search>"
                    .to_owned(),
                false,
            ),
        ] {
            assert_eq!(search(&inner).unwrap().matches(anna), expected, "{inner}");
        }
    }

    #[test]
    fn where_is_searched_and_what_is_wanted_is_read() {
        let found =
            search("><prop><displayname/></prop><apply-to-principal-collection-set/>").unwrap();
        assert_eq!(found.scope, Scope::PrincipalCollections);
        let Properties::Some(wanted) = found.properties else {
            panic!("{:?}", found.properties);
        };
        assert_eq!(wanted.names, [Name::new(DAV, "displayname")]);
        assert_eq!(search(">").unwrap().scope, Scope::Here);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for inner in [
            "><property-search><match>a</match></property-search>",
            "><property-search><prop/><match>a</match></property-search>",
            "><property-search><prop><displayname/></prop></property-search>",
        ] {
            let error = search(inner).unwrap_err();
            assert!(
                matches!(error, RequestError::Invalid(_)),
                "{inner}: {error}"
            );
        }
        let many = "<displayname/>".repeat(MAX_CONDITIONS + 1);
        let many = search(&format!(
            "><property-search><prop>{many}</prop><match>a</match></property-search>"
        ));
        assert!(matches!(many, Err(RequestError::TooMany(..))));
    }
}
