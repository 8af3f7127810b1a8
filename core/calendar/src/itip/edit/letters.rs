//! Messages being gathered: who gets the same gets it in one.

use super::guests::Part;
use crate::itip::outgoing::{Outgoing, compose};
use crate::message::{MessageError, Method};
use crate::tree::{Component, Property};
use crate::zone::Zones;
use convoke_types::CalendarAddress;
use std::collections::{HashMap, HashSet};

/// What a letter tells of: its method, and the parts that it holds, each with whether it is called off.
pub(super) type Matter = (Method, Vec<(Part, bool)>);

/// The letters of one edit, in the order they were first needed.
#[derive(Debug, Default)]
pub(super) struct Letters {
    letters: Vec<Letter>,
    known: HashMap<Matter, usize>,
}

#[derive(Debug)]
struct Letter {
    method: Method,
    components: Vec<Component>,
    guests: Vec<CalendarAddress>,
    known: HashSet<String>,
}

impl Letters {
    /// Tells a guest at that address; `compose` is asked for the components where nobody was told the same before.
    pub(super) fn tell(
        &mut self,
        matter: Matter,
        guest: &CalendarAddress,
        components: impl FnOnce() -> Vec<Component>,
    ) -> &mut [Component] {
        let method = matter.0;
        let at = *self.known.entry(matter).or_insert_with(|| {
            self.letters.push(Letter {
                method,
                components: components(),
                guests: Vec::new(),
                known: HashSet::new(),
            });
            self.letters.len() - 1
        });
        let letter = &mut self.letters[at];
        if letter.known.insert(guest.as_str().to_ascii_lowercase()) {
            letter.guests.push(guest.clone());
        }
        &mut letter.components
    }

    /// The messages, what is called off first: who stays in one instance of a series that it leaves is told of it after.
    pub(super) fn outgoing(
        self,
        zones: &Zones,
        organizer: &CalendarAddress,
    ) -> Result<Vec<Outgoing>, MessageError> {
        let mut letters = self.letters;
        letters.sort_by_key(|letter| letter.method != Method::Cancel);
        let outgoing = letters.into_iter().map(|letter| {
            let message = compose(letter.method, letter.components, zones)?;
            Ok(Outgoing {
                message,
                originator: organizer.clone(),
                recipients: letter.guests,
            })
        });
        outgoing.collect()
    }
}

/// Adds the line of one more guest to each component of a CANCEL (RFC 5546 §3.2.5: one may go to several).
pub(super) fn name_guest(components: &mut [Component], line: Option<&Property>) {
    for component in components {
        component.properties.extend(line.cloned());
    }
}
