//! Calendar objects as a lossless tree: components, properties, parameters, kept as they came and in their order.
//!
//! Nothing is interpreted here. A property that nobody knows is read and written like any other; its value stays as
//! it is on the wire (unfolded, still escaped).

use std::fmt;

/// One component: `BEGIN:name` to `END:name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// As written; compare with [`Component::is`].
    pub name: String,
    /// In the order they came.
    pub properties: Vec<Property>,
    /// In the order they came.
    pub components: Vec<Component>,
}

impl Component {
    /// An empty component.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            properties: Vec::new(),
            components: Vec::new(),
        }
    }

    /// Whether this is its name; case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first property of a name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.is(name))
    }

    /// The first property of a name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Property> {
        self.properties
            .iter_mut()
            .find(|property| property.is(name))
    }

    /// Every property of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties
            .iter()
            .filter(move |property| property.is(name))
    }

    /// Puts a property in the place of the first of its name and drops the others; appends it if there is none.
    pub fn set(&mut self, property: Property) {
        let Some(first) = self.properties.iter().position(|it| it.is(&property.name)) else {
            self.properties.push(property);
            return;
        };
        let mut at = 0;
        self.properties.retain(|it| {
            at += 1;
            at - 1 <= first || !it.is(&property.name)
        });
        self.properties[first] = property;
    }

    /// Appends a property.
    pub fn push(&mut self, property: Property) {
        self.properties.push(property);
    }

    /// Drops every property of a name; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.properties.len();
        self.properties.retain(|property| !property.is(name));
        self.properties.len() < before
    }

    /// The value of the first property of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(|property| property.value.as_str())
    }
}

/// One content line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// As written; compare with [`Property::is`].
    pub name: String,
    /// In the order they came.
    pub params: Vec<Param>,
    /// Unfolded, still escaped.
    pub value: String,
}

/// One parameter of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// As written.
    pub name: String,
    /// Without quotes, RFC 6868 undone.
    pub values: Vec<String>,
}

impl Property {
    /// A property without parameters; the value is taken as it is to stand on the wire.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            params: Vec::new(),
            value: value.into(),
        }
    }

    /// A property whose value is a text (RFC 5545 §3.3.11), which is escaped.
    pub fn text(name: impl Into<String>, text: &str) -> Self {
        let escaped = text
            .replace('\\', "\\\\")
            .replace(';', "\\;")
            .replace(',', "\\,")
            .replace("\r\n", "\\n")
            .replace('\n', "\\n");
        Self::new(name, escaped)
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with(mut self, param: &str, value: impl Into<String>) -> Self {
        self.set_param(param, value);
        self
    }

    /// Whether this is its name; case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let param = self
            .params
            .iter()
            .find(|param| param.name.eq_ignore_ascii_case(name));
        param?.values.first().map(String::as_str)
    }

    /// Gives a parameter one value.
    pub fn set_param(&mut self, name: &str, value: impl Into<String>) {
        let values = vec![value.into()];
        match self
            .params
            .iter_mut()
            .find(|param| param.name.eq_ignore_ascii_case(name))
        {
            Some(param) => param.values = values,
            None => self.params.push(Param {
                name: name.to_owned(),
                values,
            }),
        }
    }

    /// Drops a parameter; whether there was one.
    pub fn remove_param(&mut self, name: &str) -> bool {
        let before = self.params.len();
        self.params
            .retain(|param| !param.name.eq_ignore_ascii_case(name));
        self.params.len() < before
    }

    /// The value as text (RFC 5545 §3.3.11), without escapes.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut letters = self.value.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => match letters.next() {
                    Some('n' | 'N') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => text.push('\\'),
                },
                other => text.push(other),
            }
        }
        text
    }
}

/// Bounds on what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a calendar.
    pub bytes: usize,
    /// Components inside components.
    pub depth: usize,
    /// Properties and components in all.
    pub properties: usize,
    /// Octets of one unfolded line.
    pub line_length: usize,
    /// Recurrence instances.
    pub instances: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 16,
            properties: 100_000,
            line_length: 1 << 20,
            instances: 1000,
        }
    }
}

/// Octets are not one calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    problem: String,
}

impl ParseError {
    /// The line, counted from 1, folded lines each.
    pub const fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ParseError {}

/// One VCALENDAR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    root: Component,
}

impl Calendar {
    /// Reads one calendar; CRLF and LF both end lines.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let fail = |line: usize, problem: &str| ParseError {
            line,
            problem: problem.to_owned(),
        };
        if bytes.len() > limits.bytes {
            return Err(fail(1, "the calendar is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| fail(1, "not UTF-8"))?;
        let text = text.trim_start_matches('\u{feff}');
        let mut open: Vec<Component> = Vec::new();
        let mut count = 0;
        let mut done = None;
        for (number, line) in unfolded(text) {
            if line.is_empty() {
                continue;
            }
            count += 1;
            if count > limits.properties || line.len() > limits.line_length {
                return Err(fail(number, "too many or too long lines"));
            }
            let property = content_line(&line).ok_or_else(|| fail(number, "not a content line"))?;
            if property.is("BEGIN") {
                if open.len() >= limits.depth || done.is_some() {
                    return Err(fail(
                        number,
                        "components are nested too deep, or follow the calendar",
                    ));
                }
                open.push(Component::new(property.value));
            } else if property.is("END") {
                let closed = open.pop().filter(|it| it.is(&property.value));
                let closed = closed.ok_or_else(|| fail(number, "END does not match BEGIN"))?;
                match open.last_mut() {
                    Some(outer) => outer.components.push(closed),
                    None => done = Some(closed),
                }
            } else {
                let inner = open
                    .last_mut()
                    .ok_or_else(|| fail(number, "outside a component"))?;
                inner.properties.push(property);
            }
        }
        let root = done.filter(|root| root.is("VCALENDAR") && open.is_empty());
        root.map(|root| Self { root })
            .ok_or_else(|| fail(1, "not one whole VCALENDAR"))
    }

    /// A calendar around a component named VCALENDAR.
    pub fn new() -> Self {
        Self {
            root: Component::new("VCALENDAR"),
        }
    }

    /// The VCALENDAR component.
    pub const fn root(&self) -> &Component {
        &self.root
    }

    /// The VCALENDAR component, to change it.
    pub const fn root_mut(&mut self) -> &mut Component {
        &mut self.root
    }

    /// The components that are not VTIMEZONE.
    pub fn main_components(&self) -> impl Iterator<Item = &Component> {
        self.root.components.iter().filter(|it| !it.is("VTIMEZONE"))
    }

    /// The VTIMEZONE components.
    pub fn zones(&self) -> impl Iterator<Item = &Component> {
        self.root.components.iter().filter(|it| it.is("VTIMEZONE"))
    }

    /// The calendar as octets: CRLF, folded at 75 octets.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_component(&self.root, &mut out);
        out
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self::new()
    }
}

fn unfolded(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ => lines.push((index + 1, line.to_owned())),
        }
    }
    lines.into_iter()
}

fn content_line(line: &str) -> Option<Property> {
    let end = line.find([';', ':'])?;
    let (name, mut rest) = line.split_at(end);
    let mut property = Property::new(name, "");
    while let Some(after) = rest.strip_prefix(';') {
        let (name, mut values) = after.split_once('=')?;
        let mut param = Param {
            name: name.to_owned(),
            values: Vec::new(),
        };
        loop {
            let (value, after) = match values.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => values.split_at(values.find([',', ';', ':'])?),
            };
            let decoded = value
                .replace("^n", "\n")
                .replace("^'", "\"")
                .replace("^^", "^");
            param.values.push(decoded);
            let Some(more) = after.strip_prefix(',') else {
                rest = after;
                break;
            };
            values = more;
        }
        property.params.push(param);
    }
    rest.strip_prefix(':')?.clone_into(&mut property.value);
    Some(property)
}

fn write_component(component: &Component, out: &mut Vec<u8>) {
    write_line(&format!("BEGIN:{}", component.name), out);
    for property in &component.properties {
        let mut line = property.name.clone();
        for param in &property.params {
            line.push(';');
            line.push_str(&param.name);
            line.push('=');
            for (index, value) in param.values.iter().enumerate() {
                if index > 0 {
                    line.push(',');
                }
                let coded = value
                    .replace('^', "^^")
                    .replace('\n', "^n")
                    .replace('"', "^'");
                if coded.contains([':', ';', ',']) {
                    line.push('"');
                    line.push_str(&coded);
                    line.push('"');
                } else {
                    line.push_str(&coded);
                }
            }
        }
        line.push(':');
        line.push_str(&property.value);
        write_line(&line, out);
    }
    for inner in &component.components {
        write_component(inner, out);
    }
    write_line(&format!("END:{}", component.name), out);
}

fn write_line(line: &str, out: &mut Vec<u8>) {
    let mut width = 0;
    for letter in line.chars() {
        if width + letter.len_utf8() > 75 {
            out.extend_from_slice(b"\r\n ");
            width = 1;
        }
        let mut buffer = [0; 4];
        out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
        width += letter.len_utf8();
    }
    out.extend_from_slice(b"\r\n");
}
