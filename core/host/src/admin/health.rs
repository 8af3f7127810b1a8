//! What an administrator of a running host should look at.

use super::api::{Health, Trouble};
use crate::{health, instance::Instance};
use convoke_types::Error;

pub(super) async fn health(instance: &Instance, _: Health) -> Result<Vec<Trouble>, Error> {
    let troubles = health::troubles(instance).await.into_iter();
    let troubles = troubles.map(|it| Trouble {
        what: it.what(),
        detail: it.detail,
    });
    Ok(troubles.collect())
}
