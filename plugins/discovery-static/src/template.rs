//! URLs of busy time, with places for the parts of an address.

use convoke_sdk::prelude::*;
use std::fmt::Write;

/// What is before the `@`.
const NAME: &str = "%NAME%";
/// What is after it.
const SERVER: &str = "%SERVER%";

/// An `https` URL with `%NAME%` in its path or query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template(String);

impl TryFrom<String> for Template {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        if !text.contains(NAME) {
            return Err(Error::invalid(format!(
                "`{text}` has no %NAME%, which stands for what is before the `@` of an address"
            )));
        }
        let template = Self(text);
        let url = template.filled("name", "example.org")?;
        let other = template.filled("x", "x.example")?;
        // Who chooses an address does not choose whom we ask.
        if (url.host(), url.port()) != (other.host(), other.port()) {
            return Err(Error::invalid(format!(
                "`{}` has %NAME% or %SERVER% in the name of the server; write them in the path only",
                template.0
            )));
        }
        Ok(template)
    }
}

impl Template {
    /// The URL of an address; `None` if there is none, as of an address that is no mailbox.
    pub(crate) fn of(&self, address: &CalendarAddress) -> Option<ReceiverUrl> {
        let name = address.mailbox_name()?;
        // A segment of dots leads elsewhere, coded or not.
        if name.bytes().all(|it| it == b'.') {
            return None;
        }
        let server = address.domain().ok()?;
        self.filled(&name, server.as_str()).ok()
    }

    fn filled(&self, name: &str, server: &str) -> Result<ReceiverUrl> {
        let text = self.0.replace(SERVER, &coded(server));
        let url = ReceiverUrl::new(&text.replace(NAME, &coded(name)));
        url.map_err(|error| Error::invalid(error.to_string()))
    }
}

/// As it stands in a path or a query (RFC 3986 §2.3).
fn coded(text: &str) -> String {
    let mut coded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            coded.push(char::from(byte));
        } else {
            let _ = write!(coded, "%{byte:02X}");
        }
    }
    coded
}
