//! What is found by trying: whether stores answer, and whether peers find our key.

use crate::{
    instance::Instance,
    keys::{Published, published},
    trouble::Trouble,
};
use convoke_plugin_host::StoreHandle;
use convoke_types::{Error, ErrorKind, Page};

/// Tries all that can be tried without anybody noticing.
pub(crate) async fn look(instance: &Instance) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for store in instance.plugins.stores.iter() {
        if let Err(error) = answers(store).await {
            troubles.push(Trouble::of_store(store.name(), error.to_string()));
        }
    }
    troubles.extend(key_of(instance).await);
    troubles
}

/// Whether a store lists somebody, and an object of theirs: that takes whatever it needs to reach them.
async fn answers(store: &StoreHandle) -> Result<(), Error> {
    let one = Page::after(None, 1);
    let listed = async {
        let users = store.users(&one).await?;
        match users.items.first() {
            Some(user) => store.list(&user.id, &one).await.map(drop),
            None => Ok(()),
        }
    };
    match listed.await {
        // It need not list anything, and a user may be gone by now.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound) => {
            Ok(())
        }
        listed => listed,
    }
}

/// What peers find who look for the key that we sign with.
async fn key_of(instance: &Instance) -> Option<Trouble> {
    let signer = instance.signer.as_ref()?;
    let found = published(instance.dns.clone(), instance.client.clone(), signer).await;
    let mut wrong = found.into_iter().filter_map(|(lookup, found)| match found {
        // Our own name may lead nowhere from in here: `convoke check` says so.
        Published::Ours | Published::Unknown(_) => None,
        other => Some(format!("{}: {other}", lookup.as_str())),
    });
    let detail = wrong.next()?;
    Some(Trouble::new("signing", detail))
}
