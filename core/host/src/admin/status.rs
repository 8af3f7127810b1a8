//! How a host is, and what was decided last: what the first pages of the console show.

use super::{
    api::{Decisions, Plugin, Status},
    health,
    queue::{self, others_have_written},
};
use crate::{
    admin::api::{Health, Trouble},
    certificates::{self, Certificate},
    decisions,
    instance::Instance,
    state_folder::{self, ListenerNote},
};
use convoke_scheduling::{Decided, Environment};
use convoke_types::{Domain, Error};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Decisions that are answered at once.
const MOST: usize = 1_000;

/// How a host is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HostStatus {
    pub(crate) version: String,
    /// When it started, and what time it is there.
    pub(crate) since: Timestamp,
    pub(crate) now: Timestamp,
    /// Whose people are here.
    pub(crate) domains: Vec<Domain>,
    pub(crate) listeners: Vec<ListenerNote>,
    /// What an administrator should look at.
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) waiting: Waiting,
    pub(crate) certificates: Vec<CertificateRow>,
    /// What messages are signed with.
    pub(crate) key: Option<KeyRow>,
}

/// What waits to be delivered, one for each recipient.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) waiting: usize,
    pub(crate) retrying: usize,
    pub(crate) held: usize,
    /// How long the oldest has waited.
    pub(crate) oldest_seconds: Option<i64>,
}

/// A certificate that others are shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CertificateRow {
    /// The role of a listener, or `client`.
    #[serde(rename = "use")]
    pub(crate) of: String,
    pub(crate) file: PathBuf,
    /// When it ends; nothing if the file cannot be read.
    pub(crate) until: Option<Timestamp>,
}

impl From<Certificate> for CertificateRow {
    fn from(certificate: Certificate) -> Self {
        Self {
            of: certificate.of,
            file: certificate.file,
            until: certificate.until,
        }
    }
}

/// The key that messages are signed with. Whether peers find it is among the troubles.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyRow {
    pub(crate) domain: Domain,
    pub(crate) selector: String,
    /// Where peers look for it: `dns/txt`.
    pub(crate) lookup: Vec<String>,
}

pub(super) async fn status(instance: &Instance, _: Status) -> Result<HostStatus, Error> {
    let config = &instance.config;
    let ([(_, waiting), (_, retrying), (_, held)], oldest_seconds) = queue::counts(instance).await;
    let certificates = certificates::of(config).into_iter();
    let plugins = instance.plugins.list();
    Ok(HostStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: instance.shared.started.0,
        now: Timestamp::now(),
        domains: config.server.domains.clone(),
        listeners: state_folder::listener_notes(&config.server.state),
        troubles: health::health(instance, Health {}).await?,
        plugins: plugins.iter().map(Plugin::from).collect(),
        waiting: Waiting {
            waiting,
            retrying,
            held,
            oldest_seconds,
        },
        certificates: certificates.map(CertificateRow::from).collect(),
        key: instance.signer.as_ref().map(|signer| KeyRow {
            domain: signer.domain().clone(),
            selector: signer.selector().to_owned(),
            lookup: (signer.lookups().iter())
                .map(|lookup| lookup.as_str().to_owned())
                .collect(),
        }),
    })
}

/// What was decided last about a UID, a message or an address, or about anything; the newest first.
pub(super) async fn decisions(
    instance: &Instance,
    asked: Decisions,
) -> Result<Vec<Decided>, Error> {
    let state = instance.scheduler.environment().state();
    // What was decided a moment ago counts.
    let keep = instance.config.server.decisions;
    instance.shared.decisions.write(state, keep).await?;
    others_have_written(instance).await;
    let most = usize::try_from(asked.most).unwrap_or(MOST).min(MOST);
    decisions::last(state, asked.about.as_deref(), most).await
}
