//! Our account with an authority, in the state folder.

use super::{http::AuthorityClient, order::AcmeError};
use crate::{config::Acme, state_folder::write_file};
use instant_acme::{Account, NewAccount};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_slice, from_value, to_value};
use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What is remembered of an account, with its private key.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Whom the authority knows to turn to.
    contact: String,
    /// As the library writes them, which takes them when it reads them.
    credentials: Value,
}

/// The account that is there, or a new one.
pub(super) async fn open(
    folder: &Path,
    acme: &Acme,
    http: &AuthorityClient,
) -> Result<Account, AcmeError> {
    let file = file(folder);
    let unusable = |error: io::Error| AcmeError::State {
        file: file.clone(),
        error,
    };
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return create(folder, acme, http).await;
        }
        Err(error) => return Err(unusable(error)),
    };
    let mut stored: Stored = from_slice(&bytes).map_err(|error| unusable(error.into()))?;
    let credentials = from_value(stored.credentials.clone());
    let credentials = credentials.map_err(|error| unusable(error.into()))?;
    let account = Account::builder_with_http(Box::new(http.clone()))
        .from_credentials(credentials)
        .await
        .map_err(|error| AcmeError::asking("for its directory", acme, error))?;
    if stored.contact != acme.contact {
        account
            .update_contacts(&[&acme.contact])
            .await
            .map_err(|error| AcmeError::asking("for another contact", acme, error))?;
        stored.contact.clone_from(&acme.contact);
        write(folder, &stored).map_err(unusable)?;
    }
    Ok(account)
}

/// Forgets an account that the authority does not know any more.
pub(super) fn forget(folder: &Path) -> Result<(), AcmeError> {
    let file = file(folder);
    fs::remove_file(&file).map_err(|error| AcmeError::State { file, error })
}

async fn create(folder: &Path, acme: &Acme, http: &AuthorityClient) -> Result<Account, AcmeError> {
    // Who writes `tls.acme` agrees: the manual says so, and `check` where the terms are.
    let account = NewAccount {
        contact: &[&acme.contact],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = Account::builder_with_http(Box::new(http.clone()))
        .create(&account, acme.directory.to_string(), None)
        .await
        .map_err(|error| AcmeError::asking("for an account", acme, error))?;
    let unusable = |error: io::Error| AcmeError::State {
        file: file(folder),
        error,
    };
    let stored = Stored {
        contact: acme.contact.clone(),
        credentials: to_value(credentials).map_err(|error| unusable(error.into()))?,
    };
    write(folder, &stored).map_err(unusable)?;
    tracing::info!(
        event = "acme-account",
        directory = %acme.directory,
        contact = acme.contact,
        "an account was made with the certificate authority, whose terms of service are agreed to"
    );
    Ok(account)
}

fn file(folder: &Path) -> PathBuf {
    folder.join("account.json")
}

fn write(folder: &Path, stored: &Stored) -> io::Result<()> {
    make(folder)?;
    write_file(&file(folder), &serde_json::to_vec_pretty(stored)?)
}

/// Makes the folder of an authority, for the host's user only.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
