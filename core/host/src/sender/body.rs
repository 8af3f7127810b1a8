//! The body of one POST.

use bytes::Bytes;
use convoke_calendar::message::Kind;
use convoke_scheduling::Letter;
use convoke_types::CalendarAddress;

/// The message as the recipients of one POST get it.
///
/// Spec §2: a free-busy request names in its body exactly those it is sent to, so nobody learns who else is asked.
/// Other messages go out as they are: their attendees are part of the event.
pub(super) fn for_recipients(letter: &Letter<'_>, recipients: &[&CalendarAddress]) -> Bytes {
    let message = letter.message;
    if message.kind() != Kind::FreeBusy {
        return Bytes::copy_from_slice(letter.data);
    }
    let sent_to = |attendee: &CalendarAddress| recipients.iter().any(|it| it.same_user(attendee));
    let mut calendar = message.calendar().clone();
    for component in &mut calendar.root_mut().components {
        component.properties.retain(|property| {
            !property.is("ATTENDEE")
                || CalendarAddress::new(&property.value).is_ok_and(|it| sent_to(&it))
        });
    }
    calendar.write().into()
}
