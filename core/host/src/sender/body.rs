//! The body of one POST.

use convoke_calendar::message::{Kind, Message};
use convoke_ischedule::Recipient;
use convoke_types::CalendarAddress;

/// The message as the recipients of one POST get it.
///
/// Spec §2: a free-busy request names in its body exactly those it is sent to, so nobody learns who else is asked.
/// Other messages go out as they are: their attendees are part of the event.
pub(super) fn for_recipients(message: &Message, recipients: &[&Recipient]) -> Vec<u8> {
    if message.kind() != Kind::FreeBusy {
        return message.calendar().write();
    }
    let sent_to =
        |attendee: &CalendarAddress| recipients.iter().any(|it| it.address.same_user(attendee));
    let mut calendar = message.calendar().clone();
    for component in &mut calendar.root_mut().components {
        component.properties.retain(|property| {
            !property.is("ATTENDEE")
                || CalendarAddress::new(&property.value).is_ok_and(|it| sent_to(&it))
        });
    }
    calendar.write()
}
