//! What policies are told of a message, whether it comes in or leaves.

use convoke_scheduling::Letter;
use convoke_sdk::AccessRequest;
use convoke_types::{CalendarAddress, Proof};

/// What policies are told of a message and one of its recipients.
pub(crate) fn access_request(
    letter: &Letter<'_>,
    proofs: Vec<Proof>,
    recipient: &CalendarAddress,
) -> AccessRequest {
    let message = letter.message;
    let mut request = AccessRequest::new(
        message.method().as_str(),
        message.kind().as_str(),
        letter.originator.clone(),
        recipient.clone(),
    );
    request.proofs = proofs;
    request.organizer = message.organizer().cloned();
    request.uid = Some(message.uid().clone());
    request.size = Some(letter.data.len() as u64);
    request.peer = letter.transport.address;
    request.message_id = letter.transport.message_id.map(str::to_owned);
    request
}
