//! Line numbers of the parts of a calendar. They are found by a second pass over the octets, so that parsing a correct calendar
//! does not pay for them.

use super::{Limits, Reading, content_line::as_stored, lines::Lines};

/// Line numbers of a component, in the order of its parts.
#[derive(Debug, Default)]
pub(crate) struct LineNumbers {
    /// Of its BEGIN.
    pub(crate) begin: usize,
    /// Of its properties.
    pub(crate) properties: Vec<usize>,
    /// Of the components in it.
    pub(crate) components: Vec<LineNumbers>,
}

impl LineNumbers {
    /// The lines of the first VCALENDAR in `octets`, which must be a calendar that was read already.
    pub(crate) fn of(octets: &[u8]) -> Option<Self> {
        let any = Limits {
            bytes: usize::MAX,
            line_length: usize::MAX,
            ..Limits::default()
        };
        let mut lines = Lines::new(octets, &any, Reading::Stored).ok()?;
        let mut open: Vec<Self> = Vec::new();
        while let Some((line, text)) = lines.next().ok()? {
            let property = as_stored(text);
            if property.is("BEGIN") {
                open.push(Self {
                    begin: line,
                    ..Self::default()
                });
            } else if property.is("END") {
                let closed = open.pop()?;
                match open.last_mut() {
                    Some(outer) => outer.components.push(closed),
                    None => return Some(closed),
                }
            } else {
                open.last_mut()?.properties.push(line);
            }
        }
        None
    }
}
