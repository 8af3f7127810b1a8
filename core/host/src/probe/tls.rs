//! The handshake, and the certificate that the receiver shows.

use super::{Notes, Place, Verdict};
use convoke_net::http_client::Client;
use convoke_tls::certificate;
use jiff::Timestamp;

const STEP: &str = "tls";
const SECTION: &str = "§3";

/// A certificate that ends within this many seconds is worth a word.
const SOON: i64 = 14 * 24 * 3600;

/// Whether the receiver can be talked to.
pub(super) async fn look(client: &Client, place: &Place, notes: &mut Notes) -> bool {
    let session = match client.handshake(&place.url, &place.policy).await {
        Ok(session) => session,
        Err(error) => {
            notes.add(STEP, Verdict::Fail, SECTION, error.to_string());
            return false;
        }
    };
    let text = format!(
        "{}: {}, {}",
        session.address, session.version, session.protocol
    );
    notes.add(STEP, Verdict::Pass, SECTION, text);
    let names = certificate::names(&session.certificate).join(", ");
    let Some((_, until)) = certificate::validity(&session.certificate) else {
        return true;
    };
    let day = Timestamp::from_second(until)
        .map_or_else(|_| "?".to_owned(), |it| it.strftime("%Y-%m-%d").to_string());
    let (verdict, text) = if until < Timestamp::now().as_second() + SOON {
        (
            Verdict::Deviation,
            format!("its certificate expires on {day}"),
        )
    } else {
        (
            Verdict::Pass,
            format!("certificate for {names}, until {day}"),
        )
    };
    notes.add(STEP, verdict, SECTION, text);
    true
}
