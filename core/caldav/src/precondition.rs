//! What a request must fulfil, by the element that clients know it by (RFC 4918 §16): one table.

use crate::xml::{CALDAV, DAV, Element, Name};

macro_rules! preconditions {
    ($($(#[$doc:meta])* $variant:ident = $namespace:ident $local:literal $status:literal,)*) => {
        /// A precondition that was not met.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Precondition { $($(#[$doc])* $variant,)* }

        impl Precondition {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name of its element.
            pub const fn name(self) -> Name {
                match self { $(Self::$variant => Name::new($namespace, $local),)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

preconditions! {
    /// RFC 4918 §16: a property that only the server sets.
    CannotModifyProtectedProperty = DAV "cannot-modify-protected-property" 403,
    /// RFC 4918 §16: a document with external entities, or any DOCTYPE.
    NoExternalEntities = DAV "no-external-entities" 403,
    /// RFC 3253 §3.6: a report that is not known.
    SupportedReport = DAV "supported-report" 403,
    /// RFC 6578 §3.2: a sync-token that is not known any more.
    ValidSyncToken = DAV "valid-sync-token" 403,
    /// RFC 6578 §3.2, RFC 5323 §5.17: more than what the client takes, or we give.
    NumberOfMatchesWithinLimits = DAV "number-of-matches-within-limits" 507,
    /// RFC 4918 §9.1.1: PROPFIND without a bound on its depth.
    PropfindFiniteDepth = DAV "propfind-finite-depth" 403,
    /// RFC 4791 §5.3.2.1: not `text/calendar`.
    SupportedCalendarData = CALDAV "supported-calendar-data" 415,
    /// RFC 4791 §5.3.2.1: not iCalendar.
    ValidCalendarData = CALDAV "valid-calendar-data" 403,
    /// RFC 4791 §5.3.2.1: no object of a calendar, as several UIDs or a METHOD.
    ValidCalendarObjectResource = CALDAV "valid-calendar-object-resource" 403,
    /// RFC 4791 §5.3.2.1: a component that this calendar does not take.
    SupportedCalendarComponent = CALDAV "supported-calendar-component" 403,
    /// RFC 4791 §5.3.2.1: another object has the UID.
    NoUidConflict = CALDAV "no-uid-conflict" 403,
    /// RFC 4791 §5.3.2.1: too long.
    MaxResourceSize = CALDAV "max-resource-size" 403,
    /// RFC 4791 §7.8: not a filter.
    ValidFilter = CALDAV "valid-filter" 403,
    /// RFC 4791 §7.8: a filter that is not done here.
    SupportedFilter = CALDAV "supported-filter" 403,
    /// RFC 4791 §7.5.1: a collation that is not known.
    SupportedCollation = CALDAV "supported-collation" 403,
    /// RFC 6638 §3.2.4.3: an attendee would change what is the organizer's.
    AllowedAttendeeChange = CALDAV "allowed-attendee-scheduling-object-change" 403,
    /// RFC 6638 §3.2.4.2: a meeting would become another organizer's.
    AllowedOrganizerChange = CALDAV "allowed-organizer-scheduling-object-change" 403,
    /// RFC 6638 §3.2.4.4: components of one object name different organizers.
    SameOrganizer = CALDAV "same-organizer-in-all-components" 403,
    /// RFC 6638 §5: the ORGANIZER is not who logged in.
    OrganizerAllowed = CALDAV "organizer-allowed" 403,
    /// RFC 6638 §5: no question about busy time.
    ValidSchedulingMessage = CALDAV "valid-scheduling-message" 403,
    /// RFC 4791 §5.3.2.1, §5.2.9: more people than are taken.
    MaxAttendees = CALDAV "max-attendees-per-instance" 403,
    /// RFC 4791 §5.3.2.1: a time too long ago.
    MinDateTime = CALDAV "min-date-time" 403,
    /// RFC 4791 §5.3.2.1: a time too far ahead.
    MaxDateTime = CALDAV "max-date-time" 403,
    /// RFC 4791 §5.3.1.2: calendars cannot be made here.
    CalendarCollectionLocationOk = CALDAV "calendar-collection-location-ok" 403,
}

impl Precondition {
    /// The `DAV:error` that tells it; `hrefs` name the resources that are in the way.
    pub fn error(self, hrefs: &[String]) -> Element {
        let mut element = Element::new(self.name());
        element.children = hrefs.iter().map(Element::href).collect();
        let error = Element::dav("error").with(element);
        if matches!(
            self,
            Self::AllowedAttendeeChange | Self::AllowedOrganizerChange
        ) {
            // RFC 3744 §7.1.1: by this DAVx5 sees that to send it again is in vain, and takes back what is there.
            return error.with(Element::dav("need-privileges"));
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_has_a_name_of_its_own_and_is_told_as_an_error() {
        let names: BTreeSet<Name> = Precondition::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Precondition::ALL.len());
        let error = Precondition::NoUidConflict.error(&["/a".to_owned()]);
        let href = error.child(CALDAV, "no-uid-conflict").unwrap();
        assert_eq!(href.child(DAV, "href").unwrap().text, "/a");
        for it in Precondition::ALL {
            assert!((400..600).contains(&it.status()), "{it:?}");
            assert_eq!(it.error(&[]).children[0].name, it.name());
        }
    }
}
