//! What rows hold.

use convoke_sdk::prelude::*;
use tokio_postgres::Row;

/// An object whose columns begin at `first`: UID, tag, octets.
pub(crate) fn object(row: &Row, first: usize) -> Result<StoredObject> {
    let (uid, etag): (&str, &str) = (row.get(first), row.get(first + 1));
    let data = row.get(first + 2);
    Ok(StoredObject::new(Uid::new(uid)?, Etag::new(etag)?, data))
}
