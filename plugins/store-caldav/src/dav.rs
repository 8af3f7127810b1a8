//! What is asked of a CalDAV server, and what its multistatus answers say.

use crate::{
    href::Href,
    xml::{self, Element},
};
use convoke_sdk::prelude::*;
use std::fmt::Write;
use url::Url;

/// PROPFIND: whose server is it, and where do that person's calendars live (RFC 5397, RFC 3744 §5.1, RFC 4791 §6.2.1,
/// RFC 6638 §2).
pub(crate) const WHO: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:current-user-principal/><D:owner/><D:resourcetype/><C:calendar-home-set/><C:calendar-user-address-set/><C:schedule-inbox-URL/><C:schedule-default-calendar-URL/></D:prop></D:propfind>"#;

/// PROPFIND: the calendars of a home, and what tells that one of them has changed.
pub(crate) const CALENDARS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"><D:prop><D:resourcetype/><D:displayname/><D:sync-token/><CS:getctag/><C:supported-calendar-component-set/><C:schedule-calendar-transp/></D:prop></D:propfind>"#;

/// PROPFIND: the objects of a calendar and their versions.
pub(crate) const ETAGS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:resourcetype/></D:prop></D:propfind>"#;

/// REPORT: what happened in a calendar since a token (RFC 6578 §3.2).
pub(crate) fn sync_collection(token: &str) -> String {
    let token = xml::escape(token);
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"#
    )
}

/// REPORT: several objects (RFC 4791 §7.9).
pub(crate) fn multiget<'a>(hrefs: impl IntoIterator<Item = &'a Href>) -> String {
    let mut body = r#"<?xml version="1.0" encoding="utf-8"?>
<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>"#.to_owned();
    for href in hrefs {
        let href = xml::escape(href.as_str());
        write!(body, "<D:href>{href}</D:href>").expect("a String takes all");
    }
    body + "</C:calendar-multiget>"
}

/// REPORT: objects whose UID holds `uid` (RFC 4791 §7.8.6; a match is of part of the text, so look at what comes).
pub(crate) fn by_uid(component: &str, uid: &Uid) -> String {
    let uid = xml::escape(uid.as_str());
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="{component}"><C:prop-filter name="UID"><C:text-match collation="i;octet">{uid}</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    )
}

/// Whether a query for `uid` finds it on every server: some compare it as it is escaped in the object, some fold case
/// beyond ASCII.
pub(crate) fn is_askable(uid: &Uid) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@:/+=".contains(&byte);
    uid.as_str().len() <= 200 && uid.as_str().bytes().all(plain)
}

/// A multistatus answer.
#[derive(Debug, Default)]
pub(crate) struct Multistatus {
    pub(crate) resources: Vec<Resource>,
    pub(crate) sync_token: Option<String>,
}

/// What is said of one resource.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) href: Href,
    /// The status of the resource itself: 404 for what is gone, 507 where a listing was cut off.
    pub(crate) status: u16,
    pub(crate) properties: Properties,
}

/// The properties that were found.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) etag: Option<String>,
    pub(crate) ctag: Option<String>,
    pub(crate) sync_token: Option<String>,
    pub(crate) name: Option<String>,
    /// `D:collection`, `C:calendar`…
    pub(crate) types: Vec<String>,
    /// `None`: the server does not say, so all are supported (RFC 4791 §5.2.3).
    pub(crate) components: Option<Vec<String>>,
    pub(crate) is_transparent: bool,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) principal: Option<Href>,
    pub(crate) owner: Option<Href>,
    pub(crate) homes: Vec<Href>,
    pub(crate) addresses: Vec<CalendarAddress>,
    pub(crate) inbox: Option<Href>,
    pub(crate) default_calendar: Option<Href>,
}

impl Properties {
    pub(crate) fn is_calendar(&self) -> bool {
        self.types.iter().any(|it| it == "C:calendar")
    }

    pub(crate) fn is_collection(&self) -> bool {
        self.types.iter().any(|it| it == "D:collection")
    }
}

/// Reads the answer to a request for `url`.
pub(crate) fn multistatus(url: &Url, document: &[u8]) -> Result<Multistatus, String> {
    let mut answer = Multistatus::default();
    xml::read(document, "D:multistatus", |element| match &*element.name {
        "D:response" => answer.resources.extend(resource(url, &element)),
        "D:sync-token" => answer.sync_token = Some(element.text.trim().to_owned()),
        _ => {}
    })?;
    Ok(answer)
}

/// `None` for what lies on another host.
fn resource(url: &Url, response: &Element) -> Option<Resource> {
    let href = Href::resolve(url, response.child_text("D:href")?)?;
    let mut properties = Properties::default();
    for found in response.all("D:propstat") {
        if (200..300).contains(&status(found).unwrap_or(200))
            && let Some(prop) = found.child("D:prop")
        {
            for property in &prop.children {
                properties.read(url, property);
            }
        }
    }
    Some(Resource {
        href,
        status: status(response).unwrap_or(200),
        properties,
    })
}

/// `HTTP/1.1 404 Not Found`
fn status(element: &Element) -> Option<u16> {
    let line = element.child_text("D:status")?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

impl Properties {
    fn read(&mut self, url: &Url, property: &Element) {
        let text = || Some(property.text.trim().to_owned()).filter(|it| !it.is_empty());
        let hrefs = || property.all("D:href").map(|it| it.text.trim());
        let href = || hrefs().find_map(|it| Href::resolve(url, it));
        match &*property.name {
            "D:getetag" => self.etag = text(),
            "CS:getctag" => self.ctag = text(),
            "D:sync-token" => self.sync_token = text(),
            "D:displayname" => self.name = text(),
            "D:resourcetype" => {
                self.types = property.children.iter().map(|it| it.name.clone()).collect();
            }
            "C:supported-calendar-component-set" => {
                let names = property.all("C:comp").filter_map(|it| it.named.as_deref());
                self.components = Some(names.map(str::to_ascii_uppercase).collect());
            }
            "C:schedule-calendar-transp" => {
                self.is_transparent = property.child("C:transparent").is_some();
            }
            "C:calendar-data" => self.data = Some(with_crlf(&property.text)),
            "D:current-user-principal" => self.principal = href(),
            "D:owner" => self.owner = href(),
            "C:calendar-home-set" => {
                self.homes = hrefs().filter_map(|it| Href::resolve(url, it)).collect();
            }
            "C:calendar-user-address-set" => {
                let addresses = hrefs().filter(|it| it.to_ascii_lowercase().starts_with("mailto:"));
                self.addresses = addresses
                    .filter_map(|it| CalendarAddress::new(it).ok())
                    .collect();
            }
            "C:schedule-inbox-URL" => self.inbox = href(),
            "C:schedule-default-calendar-URL" => self.default_calendar = href(),
            _ => {}
        }
    }
}

/// XML has made one character of each line's end (XML 1.0 §2.11); iCalendar wants two.
fn with_crlf(text: &str) -> Vec<u8> {
    let text = text.trim_start();
    let mut data = Vec::with_capacity(text.len() + text.len() / 32);
    for byte in text.bytes().filter(|byte| *byte != b'\r') {
        if byte == b'\n' {
            data.push(b'\r');
        }
        data.push(byte);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Result<Multistatus, String> {
        let url = Url::parse("https://dav.example.org/anna/").unwrap();
        multistatus(&url, document.as_bytes())
    }

    #[test]
    fn prefixes_order_and_failed_properties_do_not_confuse() {
        let answer = read(
            r#"<?xml version="1.0"?><multistatus xmlns="DAV:" xmlns:x="urn:ietf:params:xml:ns:caldav">
            <sync-token>t1</sync-token>
            <response><href>/anna/work/a.ics</href><propstat><prop><getetag>"1"</getetag>
            <x:calendar-data><![CDATA[BEGIN:VCALENDAR
END:VCALENDAR
]]></x:calendar-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>
            <response><href>/anna/work/</href><propstat><prop><resourcetype><collection/><x:calendar/></resourcetype>
            <displayname>A &amp; B&#33;</displayname>
            <x:supported-calendar-component-set><x:comp name="vevent"/></x:supported-calendar-component-set></prop><status>HTTP/1.1 200 OK</status></propstat>
            <propstat><prop><getetag>"no"</getetag></prop><status>HTTP/1.1 404 Not Found</status></propstat></response>
            <response><href>/anna/work/b.ics</href><status>HTTP/1.1 404 Not Found</status></response>
            <response><href>https://elsewhere.example/c.ics</href><status>HTTP/1.1 200 OK</status></response>
            </multistatus>"#,
        )
        .unwrap();
        assert_eq!(answer.sync_token.as_deref(), Some("t1"));
        let [object, calendar, gone] = &answer.resources[..] else {
            panic!("{answer:?}");
        };
        assert_eq!(object.properties.etag.as_deref(), Some("\"1\""));
        let data = object.properties.data.as_deref();
        assert_eq!(data, Some(&b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"[..]));
        assert!(calendar.properties.is_calendar() && calendar.properties.is_collection());
        assert_eq!(calendar.properties.name.as_deref(), Some("A & B!"));
        let components = calendar.properties.components.as_deref();
        assert_eq!(components, Some(&["VEVENT".to_owned()][..]));
        assert_eq!(calendar.properties.etag, None);
        assert_eq!((gone.status, gone.href.as_str()), (404, "/anna/work/b.ics"));
    }

    #[test]
    fn what_is_no_multistatus_is_refused() {
        let deep = format!("<multistatus xmlns=\"DAV:\">{}", "<a>".repeat(10_000));
        let wide = format!(
            "<multistatus xmlns=\"DAV:\"><response>{}</response></multistatus>",
            "<a/>".repeat(100_000)
        );
        for (document, reason) in [
            ("<html><body>Log in</body></html>", "its root is ?:html"),
            ("", "it ends too early"),
            (
                "<multistatus xmlns=\"DAV:\"><response>",
                "it ends too early",
            ),
            (
                "<multistatus xmlns=\"DAV:\"><a></b></multistatus>",
                "it is not well-formed",
            ),
            (
                "<!DOCTYPE a [<!ENTITY b \"c\">]><multistatus xmlns=\"DAV:\"/>",
                "it has a DOCTYPE",
            ),
            (
                "<multistatus xmlns=\"DAV:\"><a>&b;</a></multistatus>",
                "it uses an entity",
            ),
            (&deep, "it has more elements"),
            (&wide, "it has more elements"),
        ] {
            let problem = read(document).unwrap_err();
            assert!(problem.starts_with(reason), "{document:.60}: {problem}");
        }
    }
}
