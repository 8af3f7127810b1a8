//! Checking Originator and Recipient against the message (the table of spec §5, RFC 5546 §1.4).

use super::{Kind, Message, MessageError, Method, Party, Problem};
use crate::tree::Property;
use convoke_types::{CalendarAddress, Domain};

/// How a message came here, and how far what its sender proved goes.
#[derive(Clone, Copy, Debug)]
pub enum Provenance<'a> {
    /// From another server.
    Peer {
        /// The domains that it proved to speak for, each with those below it. Empty where nothing was proven, or no more
        /// than the Originator's own domain.
        proven: &'a [Domain],
    },
    /// By mail from the Originator, and from nobody else: what vouches for a mail speaks of a whole domain, of which anybody
    /// may be a customer (gmail.com).
    Mail,
    /// From one of our own people, who has logged in.
    Submission,
}

impl Provenance<'_> {
    /// Whether what was proven of `agent` holds for `principal` too: both are of one domain, or lie within one that was
    /// proven.
    ///
    /// RFC 5546 §6.1.1: SENT-BY is the sender's own claim. It counts where one server answers for both.
    fn covers_both(&self, agent: &CalendarAddress, principal: &CalendarAddress) -> bool {
        let proven: &[Domain] = match self {
            Self::Peer { proven } => proven,
            Self::Mail => return false,
            Self::Submission => &[],
        };
        let (Ok(agent), Ok(principal)) = (agent.domain(), principal.domain()) else {
            return false;
        };
        agent == principal
            || proven
                .iter()
                .any(|domain| agent.is_within(domain) && principal.is_within(domain))
    }
}

impl Message {
    /// Whether `originator` may send this message, and for whom it speaks.
    ///
    /// Besides the ORGANIZER, or an ATTENDEE, that is who acts for it by SENT-BY within the same proven domain. One of
    /// our own people may also hand a REQUEST on to whom it delegates (RFC 5546 §3.2.2.3): who has logged in is known,
    /// while nothing shows that what a stranger forwards comes from its ORGANIZER.
    pub fn check_originator(
        &self,
        originator: &CalendarAddress,
        from: Provenance,
    ) -> Result<CalendarAddress, MessageError> {
        let (principal, expected) = if self.is_from_organizer() {
            let organizer = self.organizer_spoken_for(originator, from).cloned();
            let delegator = || {
                let may = matches!(from, Provenance::Submission);
                (may && self.is_delegation_by(originator)).then(|| originator.clone())
            };
            (organizer.or_else(delegator), "its ORGANIZER")
        } else {
            let attendee = self.attendee_spoken_for(originator, from);
            (attendee, "one of its ATTENDEEs")
        };
        let method = self.method;
        principal.ok_or_else(|| Problem::Originator { method, expected }.into())
    }

    /// Whether the METHOD addresses `recipient`.
    pub fn check_recipient(&self, recipient: &CalendarAddress) -> Result<(), MessageError> {
        let (fine, expected) = if self.is_from_organizer() {
            let listed = self
                .attendees
                .iter()
                .any(|attendee| attendee.same_user(recipient))
                || self.names_mailbox(recipient);
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

    /// Whether an ATTENDEE is named by what only its own server understands, and has this mailbox.
    fn names_mailbox(&self, recipient: &CalendarAddress) -> bool {
        let lines = self.components().flat_map(|it| it.all("ATTENDEE"));
        let mut mailboxes = lines.filter_map(mailbox_of);
        mailboxes.any(|mailbox| mailbox.same_user(recipient))
    }

    /// A VFREEBUSY is asked by its ORGANIZER and answered by an ATTENDEE, like the other kinds.
    fn is_from_organizer(&self) -> bool {
        self.method.is_from_organizer()
    }

    /// The ORGANIZER, if `originator` is it or acts for it.
    pub(crate) fn organizer_spoken_for(
        &self,
        originator: &CalendarAddress,
        from: Provenance,
    ) -> Option<&CalendarAddress> {
        let party = self.organizer.as_ref();
        party
            .filter(|party| party.speaks_as(originator, from))
            .map(|party| &party.address)
    }

    /// The ATTENDEE as whom `originator` sends: itself, or the one it is SENT-BY for.
    pub(crate) fn attendee_spoken_for(
        &self,
        originator: &CalendarAddress,
        from: Provenance,
    ) -> Option<CalendarAddress> {
        let properties = || {
            self.components()
                .flat_map(|component| component.all("ATTENDEE"))
        };
        let own = self
            .attendees
            .iter()
            .find(|attendee| attendee.same_user(originator));
        // Whom only another server knows speaks by its mailbox, and for that alone: whose line it is on the organizer's
        // list, that list says. What the message itself puts beside a name proves nothing.
        let by_mailbox = || self.names_mailbox(originator).then(|| originator.clone());
        own.cloned().or_else(by_mailbox).or_else(|| {
            let mut parties = properties().filter_map(Party::read);
            parties
                .find(|party| party.speaks_as(originator, from))
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

    fn speaks_as(&self, originator: &CalendarAddress, from: Provenance) -> bool {
        if self.address.same_user(originator) {
            return true;
        }
        let acts = self
            .sent_by
            .as_ref()
            .is_some_and(|agent| agent.same_user(originator));
        acts && from.covers_both(originator, &self.address)
    }
}

/// The mailbox beside an ATTENDEE that is named by what only its own server understands, such as `urn:uuid:` (EMAIL,
/// RFC 7986 §6.2). Not of an ORGANIZER: whoever writes that line would choose whose meeting it is.
pub(crate) fn mailbox_of(line: &Property) -> Option<CalendarAddress> {
    let scheme = line.value.trim_start().get(..7);
    if !line.is("ATTENDEE") || scheme.is_some_and(|it| it.eq_ignore_ascii_case("mailto:")) {
        return None;
    }
    CalendarAddress::new(line.param("EMAIL")?).ok()
}
