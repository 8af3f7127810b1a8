//! XML, as far as iSchedule needs it: elements that are read (by `convoke-xml`, within bounds), a small writer.
//!
//! An element without any namespace is read as iSchedule's; those of others are passed over.

mod read;
mod write;

pub use convoke_xml::{Limits, XmlError, parse};
pub use read::Element;
pub use write::Writer;
