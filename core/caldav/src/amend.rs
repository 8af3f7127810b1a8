//! Another server's answers about many resources (RFC 4918 §13), with properties of ours: everything else stays as it came, byte
//! by byte.

use crate::xml::{DAV, Element, Limits, Name, XmlError, fragment};
use convoke_xml::{Flaw, Namespace, Node, Place, parse};
use std::ops::Range;

/// What another server's answer may take: 4 MiB, 32 deep, 50,000 elements, 4 KiB and 32 attributes a tag.
pub const LIMITS: Limits = Limits {
    bytes: 4 << 20,
    depth: 32,
    elements: 50_000,
    tag: 4096,
    attributes: 32,
};

/// A multistatus that was read.
#[derive(Debug)]
pub struct Received {
    root: Placed,
}

/// What it tells of one resource.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a>(&'a Placed);

/// A property of a resource by our word.
#[derive(Clone, Debug)]
pub enum Property {
    /// It has this one.
    Is(Element),
    /// It has none of this name.
    IsNot(Name),
}

/// An element, and where it stands. Its children are not those of `element`, which has none.
#[derive(Debug)]
struct Placed {
    element: Element,
    place: Place,
    children: Vec<Placed>,
}

/// What is written instead of a part of the document.
type Edit = (Range<usize>, String);

impl Received {
    /// Reads a document.
    ///
    /// # Errors
    /// It is beyond a limit, or not well-formed.
    pub fn read(document: &[u8]) -> Result<Self, XmlError> {
        let root = parse(document, &LIMITS)?;
        Ok(Self { root })
    }

    /// What is told of each resource.
    pub fn resources(&self) -> impl Iterator<Item = Told<'_>> {
        let is_multistatus = self.root.is("multistatus");
        let children = self.root.children.iter().filter(move |_| is_multistatus);
        children.filter(|it| it.is("response")).map(Told)
    }
}

impl<'a> Told<'a> {
    /// Which resource it is: the text of its `DAV:href`.
    pub fn href(self) -> &'a str {
        self.0.child("href").map_or("", Placed::text)
    }

    /// The text of a property that it has.
    pub fn text(self, name: &Name) -> Option<&'a str> {
        Some(self.found(name)?.element.text.as_str())
    }

    /// The `DAV:href`s in a property that it has.
    pub fn hrefs(self, name: &Name) -> Vec<&'a str> {
        let children = self.found(name).into_iter().flat_map(|it| &it.children);
        children
            .filter(|it| it.is("href"))
            .map(Placed::text)
            .collect()
    }

    /// Whether it has the property.
    pub fn has(self, name: &Name) -> bool {
        self.found(name).is_some()
    }

    /// Whether something is told of its properties: it is there, and may be looked at.
    pub fn is_described(self) -> bool {
        self.propstats().next().is_some()
    }

    fn found(self, name: &Name) -> Option<&'a Placed> {
        let mut found = self.propstats().filter(|it| it.is_found());
        found.find_map(|it| it.child("prop")?.named(name))
    }

    fn propstats(self) -> impl Iterator<Item = &'a Placed> {
        self.0.children.iter().filter(|it| it.is("propstat"))
    }

    /// What has to be written for the resource to have these properties.
    fn edits(self, properties: &[Property], edits: &mut Vec<Edit>) {
        let mut missing: Vec<&Element> = properties.iter().filter_map(Property::is).collect();
        for propstat in self.propstats() {
            let Some(prop) = propstat.child("prop") else {
                continue;
            };
            let mut kept = prop.children.len();
            let mut taken_out = Vec::new();
            for child in &prop.children {
                let name = &child.element.name;
                let Some(property) = properties.iter().find(|it| it.name() == name) else {
                    continue;
                };
                let place = child.place.whole.clone();
                let new = missing.iter().position(|it| it.name == *name);
                match (property.is(), new) {
                    (Some(property), Some(new)) if propstat.is_found() => {
                        missing.remove(new);
                        edits.push((place, fragment(property)));
                    }
                    // That it has none is said already.
                    (None, _) if !propstat.is_found() => {}
                    _ => {
                        kept -= 1;
                        taken_out.push(place);
                    }
                }
            }
            if kept == 0 && !taken_out.is_empty() {
                // RFC 4918 §14.22: it tells of one property at least.
                taken_out = vec![propstat.place.whole.clone()];
            }
            edits.extend(taken_out.into_iter().map(|it| (it, String::new())));
        }
        if missing.is_empty() {
            return;
        }
        let text: String = missing.into_iter().map(fragment).collect();
        let found = self.propstats().filter(|it| it.is_found());
        let mut places = found.filter_map(|it| {
            let prop = it.child("prop").filter(|it| !it.children.is_empty())?;
            prop.place.inside.as_ref().map(|it| it.end)
        });
        match (places.next(), &self.0.place.inside) {
            (Some(end), _) => edits.push((end..end, text)),
            (None, Some(inside)) => {
                let propstat = format!(
                    "<propstat xmlns=\"DAV:\"><prop>{text}</prop><status>HTTP/1.1 200 OK</status></propstat>"
                );
                // Before what is said of all its properties (RFC 4918 §14.24).
                let end = self.0.children.iter().find(|it| {
                    ["error", "responsedescription", "location"]
                        .iter()
                        .any(|name| it.is(name))
                });
                let end = end.map_or(inside.end, |it| it.place.whole.start);
                edits.push((end..end, propstat));
            }
            (None, None) => {}
        }
    }
}

/// The document, with properties that resources have by our word, whatever it says of them.
///
/// ```
/// use convoke_caldav::{amend::{Property, Received, amended}, xml::{CALDAV, Element, Name}};
///
/// let document = "<d:multistatus xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:response><d:href>/anna/</d:href>\
///     <d:propstat><d:prop><c:schedule-outbox-URL/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>\
///     </d:response></d:multistatus>";
/// let received = Received::read(document.as_bytes())?;
/// let anna = received.resources().next().unwrap();
/// let outbox = Element::caldav("schedule-outbox-URL").with(Element::href("/outbox/"));
/// let amended = amended(document.as_bytes(), &[(anna, vec![Property::Is(outbox)])]);
/// let received = Received::read(&amended)?;
/// let name = Name::new(CALDAV, "schedule-outbox-URL");
/// assert_eq!(received.resources().next().unwrap().hrefs(&name), ["/outbox/"]);
/// # Ok::<(), convoke_caldav::xml::XmlError>(())
/// ```
pub fn amended(document: &[u8], properties: &[(Told<'_>, Vec<Property>)]) -> Vec<u8> {
    let mut edits = Vec::new();
    for (told, properties) in properties {
        told.edits(properties, &mut edits);
    }
    edits.sort_by_key(|(range, _)| range.start);
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(document.len() + added);
    let mut at = 0;
    for (range, text) in edits {
        out.extend_from_slice(document.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        at = range.end.max(at);
    }
    out.extend_from_slice(document.get(at..).unwrap_or_default());
    out
}

impl Property {
    fn name(&self) -> &Name {
        match self {
            Self::Is(property) => &property.name,
            Self::IsNot(name) => name,
        }
    }

    fn is(&self) -> Option<&Element> {
        match self {
            Self::Is(property) => Some(property),
            Self::IsNot(_) => None,
        }
    }
}

impl Placed {
    fn is(&self, local: &str) -> bool {
        self.element.is(DAV, local)
    }

    fn text(&self) -> &str {
        self.element.text.trim()
    }

    fn child(&self, local: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.is(local))
    }

    fn named(&self, name: &Name) -> Option<&Self> {
        self.children.iter().find(|it| it.element.name == *name)
    }

    /// Whether this `propstat` is about properties that are there.
    fn is_found(&self) -> bool {
        let status = self.child("status").map_or("", Self::text);
        let code = status.split_ascii_whitespace().nth(1);
        code.is_some_and(|it| it.starts_with('2'))
    }
}

impl Node for Placed {
    fn attribute_name(qualified: &str) -> Option<&str> {
        Element::attribute_name(qualified)
    }

    fn begin(
        namespace: Namespace<'_>,
        local: &str,
        attributes: Vec<(String, String)>,
    ) -> Result<Self, Flaw> {
        Ok(Self {
            element: Element::begin(namespace, local, attributes)?,
            place: Place::default(),
            children: Vec::new(),
        })
    }

    fn add_text(&mut self, text: &str) {
        self.element.add_text(text);
    }

    fn add_child(&mut self, child: Self) {
        self.children.push(child);
    }

    fn set_place(&mut self, place: Place) {
        self.place = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::CALDAV;

    const TAG: Name = Name::new(CALDAV, "schedule-tag");

    fn with_tag(document: &str) -> String {
        let received = Received::read(document.as_bytes()).unwrap();
        let tag = || vec![Property::Is(Element::new(TAG).with_text("\"1\""))];
        let properties: Vec<_> = received.resources().map(|it| (it, tag())).collect();
        String::from_utf8(amended(document.as_bytes(), &properties)).unwrap()
    }

    #[test]
    fn what_it_has_not_by_our_word_is_not_told() {
        let propstat = |props: &str, code| {
            format!("<propstat><prop>{props}</prop><status>HTTP/1.1 {code} x</status></propstat>")
        };
        let tag = "<C:schedule-tag>\"0\"</C:schedule-tag>";
        for (before, after) in [
            (propstat(&format!("<a/>{tag}"), 200), propstat("<a/>", 200)),
            (
                propstat(tag, 200) + &propstat("<a/>", 404),
                propstat("<a/>", 404),
            ),
            (
                propstat("<C:schedule-tag/>", 404),
                propstat("<C:schedule-tag/>", 404),
            ),
        ] {
            let whole =
                |inner: &str| document(&format!("<response><href>/a</href>{inner}</response>"));
            let text = whole(&before);
            let received = Received::read(text.as_bytes()).unwrap();
            let told = received.resources().next().unwrap();
            let amended = amended(text.as_bytes(), &[(told, vec![Property::IsNot(TAG)])]);
            assert_eq!(String::from_utf8(amended).unwrap(), whole(&after));
        }
    }

    fn document(responses: &str) -> String {
        format!(
            "\u{FEFF}<?xml version='1.0'?>\n<!-- a --><multistatus xmlns='DAV:' xmlns:C='{CALDAV}' xml:lang='de'>\r\n{responses}\
             <sync-token>x</sync-token></multistatus>\n"
        )
    }

    #[test]
    fn what_is_not_ours_stays_as_it_came() {
        let ours = fragment(&Element::new(TAG).with_text("\"1\""));
        let found =
            |prop: &str| format!("<propstat>{prop}<status>HTTP/1.1 200 OK</status></propstat>");
        let missing = |prop: &str| {
            format!(
                "<propstat><prop>{prop}</prop><status>HTTP/1.1 404 Not Found</status></propstat>"
            )
        };
        let new = format!(
            "<propstat xmlns=\"DAV:\"><prop>{ours}</prop><status>HTTP/1.1 200 OK</status></propstat>"
        );
        let etag = "<getetag xml:lang='de'>&#34;ü&#34;<![CDATA[<]]></getetag>";
        let with_etag = found(&format!("<prop>{etag}</prop>"));
        let with_both = found(&format!("<prop>{etag}{ours}</prop>"));
        for (before, after) in [
            (with_etag.clone(), with_both.clone()),
            (
                format!("{with_etag}{}", missing("<C:schedule-tag/>")),
                with_both.clone(),
            ),
            (
                format!("{}{with_etag}", missing("<C:schedule-tag/><x/>")),
                format!("{}{with_both}", missing("<x/>")),
            ),
            (
                found(&format!(
                    "<prop><C:schedule-tag>\"0\"</C:schedule-tag>{etag}</prop>"
                )),
                found(&format!("<prop>{ours}{etag}</prop>")),
            ),
            (found("<prop/>"), format!("{}{new}", found("<prop/>"))),
            (missing("<C:schedule-tag/>"), new.clone()),
            (
                "<responsedescription>why</responsedescription>".to_owned(),
                format!("{new}<responsedescription>why</responsedescription>"),
            ),
        ] {
            let response =
                |inner: &str| format!("<response><href>/a&amp;</href>{inner}</response>");
            let one = "<response><href>/b</href></response>";
            let other = |inner: &str| document(&format!("{}{one}", response(inner)));
            let amended = with_tag(&other(&before));
            let expected =
                other(&after).replace(one, &format!("<response><href>/b</href>{new}</response>"));
            assert_eq!(amended, expected, "{before}");
            let received = Received::read(amended.as_bytes()).unwrap();
            let told = received.resources().next().unwrap();
            assert_eq!((told.href(), told.text(&TAG)), ("/a&", Some("\"1\"")));
        }
    }

    #[test]
    fn what_is_no_multistatus_tells_of_nothing() {
        for text in ["<error xmlns='DAV:'><response/></error>", "<multistatus/>"] {
            assert_eq!(
                Received::read(text.as_bytes()).unwrap().resources().count(),
                0
            );
        }
        assert!(Received::read(b"<!DOCTYPE a><multistatus xmlns='DAV:'/>").is_err());
        assert!(Received::read(b"<multistatus").is_err());
    }
}
