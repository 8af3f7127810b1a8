//! Who must match what: the table of spec §5, RFC 5546 §1.4.

use super::{Kind, Message, MessageError, Method, Party, Problem};
use convoke_types::CalendarAddress;

impl Message {
    /// Whether `originator` may send this message.
    ///
    /// Besides the ORGANIZER, or an ATTENDEE, that is who acts for it by SENT-BY in the same domain (its server
    /// vouches for both), and for a REQUEST an attendee who delegates (RFC 5546 §3.2.2.3).
    pub fn check_originator(&self, originator: &CalendarAddress) -> Result<(), MessageError> {
        let fine = if self.is_from_organizer() {
            self.organizer_speaks_as(originator) || self.is_delegation_by(originator)
        } else {
            self.attendee_speaking_as(originator).is_some()
        };
        let expected = if self.is_from_organizer() {
            "its ORGANIZER"
        } else {
            "one of its ATTENDEEs"
        };
        let method = self.method;
        fine.then_some(())
            .ok_or_else(|| Problem::Originator { method, expected }.into())
    }

    /// Whether the METHOD addresses `recipient`.
    pub fn check_recipient(&self, recipient: &CalendarAddress) -> Result<(), MessageError> {
        let (fine, expected) = if self.is_from_organizer() {
            let listed = self
                .attendees
                .iter()
                .any(|attendee| attendee.same_user(recipient));
            // RFC 5546 §3.2.4, §3.2.5: ADD and CANCEL may leave the attendees out.
            let unlisted = matches!(self.method, Method::Add | Method::Cancel);
            (
                listed || (unlisted && self.attendees.is_empty()),
                "one of its ATTENDEEs",
            )
        } else {
            // A reply about a to-do may have no ORGANIZER: the stored object then tells.
            let organizer = self.organizer();
            (
                organizer.is_none_or(|address| address.same_user(recipient)),
                "its ORGANIZER",
            )
        };
        let method = self.method;
        fine.then_some(())
            .ok_or_else(|| Problem::Recipient { method, expected }.into())
    }

    /// A VFREEBUSY is asked by its ORGANIZER and answered by an ATTENDEE, like the other kinds.
    fn is_from_organizer(&self) -> bool {
        self.method.is_from_organizer()
    }

    /// Whether `originator` is the ORGANIZER or acts for it.
    pub(crate) fn organizer_speaks_as(&self, originator: &CalendarAddress) -> bool {
        self.organizer
            .as_ref()
            .is_some_and(|party| party.speaks_as(originator))
    }

    /// The ATTENDEE as whom `originator` sends: itself, or the one it is SENT-BY for.
    pub(crate) fn attendee_speaking_as(
        &self,
        originator: &CalendarAddress,
    ) -> Option<CalendarAddress> {
        let properties = || {
            self.components()
                .flat_map(|component| component.all("ATTENDEE"))
        };
        let own = self
            .attendees
            .iter()
            .find(|attendee| attendee.same_user(originator));
        own.cloned().or_else(|| {
            let mut parties = properties().filter_map(Party::read);
            parties
                .find(|party| party.speaks_as(originator))
                .map(|party| party.address)
        })
    }

    /// Whether `originator` hands an invitation on to a delegate with this REQUEST.
    pub(crate) fn is_delegation_by(&self, originator: &CalendarAddress) -> bool {
        self.method == Method::Request
            && self.kind != Kind::FreeBusy
            && self
                .components()
                .flat_map(|one| one.all("ATTENDEE"))
                .any(|attendee| {
                    attendee
                        .param("PARTSTAT")
                        .is_some_and(|it| it.eq_ignore_ascii_case("DELEGATED"))
                        && attendee.param("DELEGATED-TO").is_some()
                        && CalendarAddress::new(&attendee.value)
                            .is_ok_and(|address| address.same_user(originator))
                })
    }
}

impl Party {
    fn read(property: &crate::tree::Property) -> Option<Self> {
        let sent_by = property.param("SENT-BY");
        Some(Self {
            address: CalendarAddress::new(&property.value).ok()?,
            sent_by: sent_by.and_then(|text| CalendarAddress::new(text).ok()),
        })
    }

    fn speaks_as(&self, originator: &CalendarAddress) -> bool {
        if self.address.same_user(originator) {
            return true;
        }
        // RFC 5546 §6.1.1: SENT-BY is the sender's own claim. It counts where one domain answers for both.
        let acts = self
            .sent_by
            .as_ref()
            .is_some_and(|agent| agent.same_user(originator));
        acts && originator.domain().is_ok()
            && originator.domain().ok() == self.address.domain().ok()
    }
}
