//! The receiver, end to end: the real program, real plugins and stores, real TLS, and a peer that speaks raw HTTP.
//!
//! | module | what is held against the specification |
//! | --- | --- |
//! | `aliases` | people with several addresses |
//! | `authority` | who may speak for whom; delegation; whose a UID is (§5, §9) |
//! | `capabilities` | GET, OPTIONS, other methods and paths; the serial number (§4) |
//! | `checks` | what is refused, with which element, and in which order (§5, §6) |
//! | `recipients` | statuses, one for each recipient, in every form of the header (§5, §9) |
//! | `limits` | sizes and times; nothing is read that need not be (§9) |
//! | `certificates` | what a listed certificate, or authority, vouches for (§6, §9) |
//! | `login` | who hands in messages proves who they are; guessing is slow |
//! | `memory` | what is announced costs nothing; who is slow loses to others |
//! | `http2` | the same limits on HTTP/2; GOAWAY; `100 Continue` |
//! | `answers` | what every answer carries, and when it ends the connection |
//! | `identity` | client certificates, signatures, replays (§6, §7, §9) |
//! | `keys` | keys from DNS and web servers that are slow, huge, looping, down (§7) |
//! | `delivery` | what is on disk when an answer is there: two writers at once, a killed host, a store that is down |
//! | `work` | what asks for more work than others may pay for (§9) |
//! | `log` | texts of strangers in the log |
//! | `pace` | who comes too often is told when to come back (§5) |
//! | `process` | HTTP/2, SIGTERM, SIGHUP, the admin listener |

mod aliases;
mod answers;
mod authority;
mod capabilities;
mod certificates;
mod checks;
mod delivery;
mod http2;
mod identity;
mod keys;
mod limits;
mod log;
mod login;
mod memory;
mod pace;
mod process;
mod recipients;
mod work;

use convoke_tests::Setup;

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";
const CY: &str = "cy@example.org";

/// `example.org` with Bo and Cy, open to everybody.
fn example_org() -> Setup {
    Setup::new().users(&[BO, CY])
}
