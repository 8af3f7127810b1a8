//! The caldav listener, end to end: the real program, real plugins and stores, and a calendar program that speaks raw HTTP
//! over TLS.
//!
//! | module | what is held against the specifications |
//! | --- | --- |
//! | `access` | log-ins, other people's resources, pages from elsewhere, what cannot be configured |
//! | `busy_url` | busy time by URL, for whom policy lets know |
//! | `discovery` | from `/.well-known/caldav` to the calendar (RFC 6764, RFC 4791 §6) |
//! | `hostile` | what people send who mean no good |
//! | `inbox` | messages as they came, and what is decided by storing (RFC 6638 §2.2) |
//! | `principals` | searching for principals (RFC 3744 §9.4) |
//! | `programs` | what Apple's Calendar and DAVx5 send, as their sources and traces have it |
//! | `objects` | GET, PUT, DELETE, their conditions and preconditions (RFC 4791 §5.3) |
//! | `page` | the page for people |
//! | `relocate` | MOVE, COPY, and two names for one new object |
//! | `scheduling` | what is written is told at once, or refused; questions about busy time (RFC 6638) |
//! | `reports` | calendar-query, calendar-multiget, sync-collection (RFC 4791 §7, RFC 6578) |

mod access;
mod busy_url;
mod discovery;
mod hostile;
mod inbox;
mod objects;
mod page;
mod principals;
mod programs;
mod relocate;
mod reports;
mod scheduling;

use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_caldav::xml::{DAV, Element, LIMITS, parse};
use convoke_tests::{Answer, Host, Peer, Setup};

const ANNA: &str = "anna@example.org";
const CALENDAR: &str = "/calendars/anna@example.org/calendar/";
const LISTENER: &str = "role = \"caldav\"\naddress = \"127.0.0.1:0\"\nusers = \"users.htpasswd\"\n\
    tls = { certificate = \"host.pem\", key = \"host.key\" }";

/// `example.org` with Anna and Bo, who log in with the password `right`.
fn example_org() -> Setup {
    let hash = bcrypt::hash("right", 4).expect("a cost that bcrypt has");
    Setup::new()
        .users(&[ANNA, "bo@example.org"])
        .logins(&format!(
            "{ANNA}:{hash}\nbo@example.org:{hash}\nnobody@example.org:{hash}\n"
        ))
        .table("[[listener]]", LISTENER)
}

/// A request of a calendar program.
struct Ask<'a> {
    line: String,
    login: Option<&'a str>,
    fields: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

impl<'a> Ask<'a> {
    /// Anna's: `GET /`.
    fn new(line: &str) -> Self {
        Self {
            line: line.to_owned(),
            login: Some(ANNA),
            fields: Vec::new(),
            body: "",
        }
    }

    fn by(mut self, login: Option<&'a str>) -> Self {
        self.login = login;
        self
    }

    fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.fields.push((name, value));
        self
    }

    fn body(mut self, body: &'a str) -> Self {
        self.body = body;
        self
    }

    fn of(self, host: &Host) -> Answer {
        let mut request = format!(
            "{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n",
            self.line,
            self.body.len()
        );
        if let Some(login) = self.login {
            let credentials = STANDARD.encode(format!("{login}:right"));
            request.extend(["Authorization: Basic ", &credentials, "\r\n"]);
        }
        for (name, value) in self.fields {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["\r\n", self.body]);
        let authority = host.authority().certificate();
        Peer::tls(host.address("caldav"), &authority, None).ask(request.as_bytes())
    }
}

/// An event of a UID on the fourth of January 2027.
fn event(uid: &str, summary: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261201T000000Z\r\n\
         DTSTART:20270104T100000Z\r\nDTEND:20270104T110000Z\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Stores an object as Anna; its entity tag.
fn store(host: &Host, name: &str, data: &str) -> String {
    let answer = Ask::new(&format!("PUT {CALENDAR}{name}"))
        .with("Content-Type", "text/calendar")
        .body(data)
        .of(host);
    assert!(matches!(answer.status, 201 | 204), "{answer:?}");
    answer
        .header("etag")
        .expect("nothing changed it afterwards")
}

/// The responses of a multistatus: path, status if it has one, and the properties that were found.
struct Multistatus {
    responses: Vec<(String, Option<String>, Vec<Element>)>,
    sync_token: Option<String>,
}

fn multistatus(answer: &Answer) -> Multistatus {
    assert_eq!(answer.status, 207, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).expect("it is XML");
    let text = |element: &Element, name: &str| element.child(DAV, name).map(|it| it.text.clone());
    let responses = root.children.iter().filter(|it| it.is(DAV, "response"));
    let responses = responses.map(|response| {
        let found = response.children.iter().filter(|it| {
            it.is(DAV, "propstat") && text(it, "status").is_some_and(|it| it.contains("200"))
        });
        let properties = found.filter_map(|it| it.child(DAV, "prop"));
        let properties = properties.flat_map(|prop| prop.children.clone());
        let href = text(response, "href").expect("it names a resource");
        (href, text(response, "status"), properties.collect())
    });
    Multistatus {
        responses: responses.collect(),
        sync_token: text(&root, "sync-token"),
    }
}

impl Multistatus {
    fn hrefs(&self) -> Vec<&str> {
        let hrefs = self.responses.iter().map(|(href, ..)| href.as_str());
        hrefs.collect()
    }

    /// A property of the first response.
    fn property(&self, namespace: &str, name: &str) -> &Element {
        let (href, _, properties) = &self.responses[0];
        let found = properties.iter().find(|it| it.is(namespace, name));
        found.unwrap_or_else(|| panic!("{href} has no {name}: {properties:?}"))
    }
}

/// The precondition that an answer names.
fn precondition(answer: &Answer) -> String {
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).expect("it is XML");
    assert!(root.is(DAV, "error"), "{answer:?}");
    root.children[0].name.local.to_string()
}
