//! All that a state holds, a page at a time.

use convoke_plugin_host::Plugins;
use convoke_scheduling::is_lease;
use convoke_sdk::{Batch, Error, KeyRange, Scan, StateEntry};

/// Entries that are read, and written, at once.
const PAGE: u32 = 200;

/// Calls `each` with what is in a range, a page at a time; leases are of hosts, not of what they keep. `read` reads the first entries of
/// a range.
pub(in crate::cli) async fn pages<E: From<Error>>(
    mut range: KeyRange,
    read: impl AsyncFn(KeyRange) -> Result<Vec<StateEntry>, Error>,
    mut each: impl AsyncFnMut(Vec<StateEntry>) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let mut page = read(range.clone()).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        range = range.after(&last.key);
        page.retain(|entry| !is_lease(&entry.key));
        each(page).await?;
    }
}

/// The same for all of a state that is open here.
pub(in crate::cli) async fn all_pages(
    plugins: &Plugins,
    each: impl AsyncFnMut(Vec<StateEntry>) -> Result<(), Error>,
) -> Result<(), Error> {
    let read = async |range| plugins.state.scan(&Scan::new(range, PAGE)).await;
    pages(KeyRange::ALL, read, each).await
}

/// How much there is.
pub(in crate::cli) async fn count(plugins: &Plugins) -> Result<usize, Error> {
    let mut count = 0;
    all_pages(plugins, async |page| {
        count += page.len();
        Ok(())
    })
    .await?;
    Ok(count)
}

/// Removes all that is there.
pub(in crate::cli) async fn clear(plugins: &Plugins) -> Result<(), Error> {
    all_pages(plugins, async |page| {
        let keys = page.into_iter().map(|entry| entry.key);
        let gone = keys.fold(Batch::new(), Batch::delete);
        plugins.state.commit(&gone).await.map(drop)
    })
    .await
}

/// Has a batch write an entry, which expires when it would have.
pub(in crate::cli) fn put(batch: Batch, entry: &StateEntry) -> Batch {
    let (key, value) = (entry.key.clone(), entry.value.clone());
    match entry.expires_in {
        Some(left) => batch.put_for(key, value, left),
        None => batch.put(key, value),
    }
}

/// `1 entry`, `2 entries`.
pub(in crate::cli) fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        more => format!("{more} entries"),
    }
}
