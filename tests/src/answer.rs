//! An HTTP answer as a stranger reads it, with no code of ours.

use quick_xml::{NsReader, events::Event, name::ResolveResult};

/// Status, header fields and body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What one recipient's `response` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The address, as it was sent.
    pub recipient: String,
    /// `2.0;Success`.
    pub status: String,
    /// iCalendar, if there is any.
    pub data: Option<String>,
}

const ISCHEDULE: &str = "urn:ietf:params:xml:ns:ischedule";

impl Answer {
    /// The value of a field; several are joined by `, `.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The elements of the XML body in document order, each with its path (`schedule-response/response/recipient`) and
    /// text.
    ///
    /// # Panics
    ///
    /// If the body is not well-formed, or an element is not in the iSchedule namespace.
    pub fn elements(&self) -> Vec<(String, String)> {
        let mut reader = NsReader::from_str(&self.body);
        let (mut open, mut elements) = (Vec::<usize>::new(), Vec::<(String, String)>::new());
        loop {
            let (namespace, event) = reader
                .read_resolved_event()
                .unwrap_or_else(|error| panic!("{error} in {self:?}"));
            let mut begin = |name: &str| {
                assert_eq!(
                    namespace,
                    ResolveResult::Bound(quick_xml::name::Namespace(ISCHEDULE)),
                    "{self:?}"
                );
                let path = match open.last() {
                    Some(&parent) => format!("{}/{name}", elements[parent].0),
                    None => name.to_owned(),
                };
                elements.push((path, String::new()));
                elements.len() - 1
            };
            match event {
                Event::Start(tag) => {
                    let place = begin(tag.local_name().as_ref());
                    open.push(place);
                }
                Event::Empty(tag) => drop(begin(tag.local_name().as_ref())),
                Event::End(_) => drop(open.pop()),
                Event::Text(text) => {
                    if let Some(&place) = open.last() {
                        elements[place].1 += &text;
                    }
                }
                Event::CData(text) => {
                    if let Some(&place) = open.last() {
                        elements[place].1 += &text;
                    }
                }
                Event::GeneralRef(reference) => {
                    let character = match &*reference {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => reference
                            .resolve_char_ref()
                            .ok()
                            .flatten()
                            .unwrap_or_else(|| panic!("an unknown reference in {self:?}")),
                    };
                    if let Some(&place) = open.last() {
                        elements[place].1.push(character);
                    }
                }
                Event::Eof => return elements,
                _ => {}
            }
        }
    }

    /// The text of the first element at `path`.
    pub fn text(&self, path: &str) -> Option<String> {
        let mut elements = self.elements().into_iter();
        elements.find(|(it, _)| it == path).map(|(_, text)| text)
    }

    /// The error element of a request refused as a whole.
    pub fn error(&self) -> Option<String> {
        if !self.body.contains("error") {
            return None;
        }
        let elements = self.elements();
        let inside = |path: &String| path.strip_prefix("error/").map(ToOwned::to_owned);
        elements
            .iter()
            .filter_map(|(path, _)| inside(path))
            .find(|name| name != "response-description")
    }

    /// The responses of a `schedule-response`, in order.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn statuses(&self) -> Vec<Status> {
        assert_eq!(self.status, 200, "{self:?}");
        let mut statuses: Vec<Status> = Vec::new();
        for (path, text) in self.elements() {
            let name = path
                .strip_prefix("schedule-response")
                .unwrap_or_else(|| panic!("{self:?}"));
            if name == "/response" {
                statuses.push(Status::default());
            } else if let Some(last) = statuses.last_mut() {
                match name {
                    "/response/recipient" => last.recipient = text,
                    "/response/request-status" => last.status = text,
                    "/response/calendar-data" => last.data = Some(text),
                    _ => {}
                }
            }
        }
        statuses
    }

    /// The codes of the responses, in order: `["2.0", "3.7"]`.
    pub fn codes(&self) -> Vec<String> {
        let code = |status: Status| {
            status
                .status
                .split(';')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        self.statuses().into_iter().map(code).collect()
    }
}
