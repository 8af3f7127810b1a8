//! One certificate, from the order to its file.

use super::{
    AcmeState, Wanted, account,
    answers::{Presented, present_certificate},
    http::AuthorityClient,
    issued::examine,
};
use crate::{
    config::{Acme, Challenge},
    state_folder::write_file,
};
use convoke_net::http_client::Client;
use convoke_types::{Domain, excerpt};
use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder,
    Order, OrderStatus, Problem, RetryPolicy,
};
use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use std::{io, path::PathBuf, time::Duration};
use tokio::time::timeout;

/// How long an authority may take to validate, and how long to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(180));

/// How long all of it may take: other certificates wait meanwhile.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Letters of an authority's words that are told.
const MOST_WORDS: usize = 600;

/// What authorities say to an account that they do not know (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    /// The authority refused something.
    #[error("{authority} was asked {what} and refused: {}", words(problem))]
    Refused {
        /// Its host.
        authority: String,
        /// What it was asked.
        what: &'static str,
        /// What it says.
        problem: Box<Problem>,
    },
    /// The authority could not be asked, or its answer makes no sense.
    #[error("{authority} could not be asked {what}: {error}")]
    Failed {
        /// Its host.
        authority: String,
        /// What it was asked.
        what: &'static str,
        /// What happened.
        error: Box<Error>,
    },
    /// A name could not be validated.
    #[error(
        "{authority} could not validate {name} by {challenge}: {}",
        words(problem)
    )]
    Validation {
        /// The authority's host.
        authority: String,
        /// The name.
        name: String,
        /// How it was tried.
        challenge: &'static str,
        /// What the authority says.
        problem: Box<Problem>,
    },
    /// The authority validates this name otherwise.
    #[error(
        "{authority} does not validate {name} by {challenge}, but by {offered}; write another `challenge` if that is one of them"
    )]
    NotOffered {
        /// The authority's host.
        authority: String,
        /// The name.
        name: String,
        /// How we would.
        challenge: &'static str,
        /// How it does.
        offered: String,
    },
    /// The authority wants names validated that were not ordered, or one more than once.
    #[error("{authority} was asked to validate what was ordered, and wants {name} validated")]
    NotOrdered {
        /// The authority's host.
        authority: String,
        /// What it wants.
        name: String,
    },
    /// It went on and on.
    #[error("{authority} has issued nothing within {LONGEST:?}")]
    TooLong {
        /// The authority's host.
        authority: String,
    },
    /// What was issued is not what was ordered.
    #[error("what {authority} issued cannot be used: {reason}")]
    Unusable {
        /// The authority's host.
        authority: String,
        /// Why.
        reason: String,
    },
    /// The library did not expect what it answered.
    #[error("the authority answered something that nobody expected; the log has it as `panic`")]
    Panicked,
    /// We could not make what it takes.
    #[error("no key could be made: {0}")]
    Keys(String),
    /// The state folder.
    #[error("{}: {error}", file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl AcmeError {
    /// What came of asking an authority for something.
    pub(super) fn asking(what: &'static str, acme: &Acme, error: Error) -> Self {
        let authority = authority(acme);
        match error {
            Error::Api(problem) => Self::Refused {
                authority,
                what,
                problem: Box::new(problem),
            },
            error => Self::Failed {
                authority,
                what,
                error: Box::new(error),
            },
        }
    }

    fn is_unknown_account(&self) -> bool {
        matches!(self, Self::Refused { problem, .. } if problem.r#type.as_deref() == Some(NO_ACCOUNT))
    }
}

/// A failure, and before when the authority does not want to hear of us.
pub(crate) struct Delayed {
    pub(crate) error: AcmeError,
    pub(crate) retry_after: Option<Timestamp>,
}

impl Delayed {
    /// What the authority answered made the library panic.
    pub(crate) fn panicked() -> Self {
        Self {
            error: AcmeError::Panicked,
            retry_after: None,
        }
    }
}

/// Orders a certificate, has its names validated, and writes it to its file with its key. From when until when it is valid.
pub(crate) async fn obtain(
    wanted: &Wanted,
    client: &Client,
    state: &AcmeState,
) -> Result<(i64, i64), Delayed> {
    let http = AuthorityClient::new(client.clone(), wanted.acme.directory.origin());
    let issued = timeout(LONGEST, issue(wanted, &http, state)).await;
    let too_long = AcmeError::TooLong {
        authority: authority(&wanted.acme),
    };
    issued.unwrap_or(Err(too_long)).map_err(|error| Delayed {
        error,
        retry_after: http.retry_after(),
    })
}

async fn issue(
    wanted: &Wanted,
    http: &AuthorityClient,
    state: &AcmeState,
) -> Result<(i64, i64), AcmeError> {
    let acme = &wanted.acme;
    let account = account::open(&wanted.folder, acme, http).await?;
    let mut order = match place(&account, acme).await {
        Err(error) if error.is_unknown_account() => {
            account::forget(&wanted.folder)?;
            let account = account::open(&wanted.folder, acme, http).await?;
            place(&account, acme).await?
        }
        placed => placed?,
    };
    validate(&mut order, acme, state).await?;
    let key = KeyPair::generate().map_err(|error| AcmeError::Keys(error.to_string()))?;
    let request = request(acme, &key).map_err(|error| AcmeError::Keys(error.to_string()))?;
    let asking = |error| AcmeError::asking("to issue", acme, error);
    order.finalize_csr(&request).await.map_err(asking)?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(asking)?;
    let unusable = |reason: String| AcmeError::Unusable {
        authority: authority(acme),
        reason,
    };
    let issued = examine(&chain, (wanted, &key), Timestamp::now()).map_err(unusable)?;
    let pem = format!("{}{}", key.serialize_pem(), issued.pem);
    account::make(&wanted.folder)
        .and_then(|()| write_file(&wanted.file, pem.as_bytes()))
        .map_err(|error| AcmeError::State {
            file: wanted.file.clone(),
            error,
        })?;
    Ok(issued.dates)
}

async fn place(account: &Account, acme: &Acme) -> Result<Order, AcmeError> {
    let names = acme.names.iter();
    let names: Vec<_> = names.map(|it| Identifier::Dns(it.to_string())).collect();
    let placed = account.new_order(&NewOrder::new(&names)).await;
    placed.map_err(|error| AcmeError::asking("for a certificate", acme, error))
}

/// Shows the authority that the names are ours.
async fn validate(order: &mut Order, acme: &Acme, state: &AcmeState) -> Result<(), AcmeError> {
    let asking = |error| AcmeError::asking("to validate", acme, error);
    // Shown until all are validated.
    let mut shown = Vec::new();
    let mut authorizations = order.authorizations();
    let mut left = acme.names.clone();
    while let Some(authorization) = authorizations.next().await {
        let authorization = authorization.map_err(asking)?;
        let name = authorization.identifier().to_string();
        let Some(ordered) = left.iter().position(|it| it.as_str() == name) else {
            return Err(AcmeError::NotOrdered {
                authority: authority(acme),
                name: excerpt(&name, MOST_WORDS),
            });
        };
        left.swap_remove(ordered);
        if authorization.status != AuthorizationStatus::Valid {
            shown.push(show(authorization, acme, state).await?);
        }
    }
    if shown.is_empty() {
        return Ok(());
    }
    let outcome = order.poll_ready(&PATIENCE).await;
    if matches!(outcome, Ok(OrderStatus::Ready)) {
        return Ok(());
    }
    // Which name, and why, stands in the authorizations.
    if let Some(error) = refused_name(order, acme).await {
        return Err(error);
    }
    Err(asking(outcome.err().unwrap_or(Error::Str(
        "the order became invalid without a reason",
    ))))
}

/// Answers the challenge of one name.
async fn show(
    mut authorization: AuthorizationHandle<'_>,
    acme: &Acme,
    state: &AcmeState,
) -> Result<Presented, AcmeError> {
    let name = authorization.identifier().to_string();
    let kind = match acme.challenge {
        Challenge::TlsAlpn => ChallengeType::TlsAlpn01,
        Challenge::Http(_) => ChallengeType::Http01,
    };
    let offered = authorization.challenges.iter();
    let offered: Vec<_> = offered.map(|it| type_of(&it.r#type)).collect();
    let offered = excerpt(&offered.join(", "), MOST_WORDS);
    let Some(mut challenge) = authorization.challenge(kind) else {
        return Err(AcmeError::NotOffered {
            authority: authority(acme),
            name,
            challenge: acme.challenge.as_str(),
            offered,
        });
    };
    let answer = challenge.key_authorization();
    let presented = match acme.challenge {
        Challenge::Http(_) => Presented::Http {
            _held: state.http.present(&challenge.token, answer.as_str()),
        },
        Challenge::TlsAlpn => {
            let name = Domain::new(&name).map_err(|error| AcmeError::Keys(error.to_string()))?;
            let held = present_certificate(&state.tls, &name, answer.digest().as_ref());
            Presented::Tls {
                _held: held.map_err(AcmeError::Keys)?,
            }
        }
    };
    let ready = challenge.set_ready().await;
    ready.map_err(|error| AcmeError::asking("to validate", acme, error))?;
    Ok(presented)
}

/// The first name that the authority could not validate, and what it says of that.
async fn refused_name(order: &mut Order, acme: &Acme) -> Option<AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        authorization.refresh().await.ok()?;
        let name = authorization.identifier().to_string();
        let problem = authorization
            .challenges
            .iter()
            .find_map(|it| it.error.clone());
        if let Some(problem) = problem {
            return Some(AcmeError::Validation {
                authority: authority(acme),
                name: excerpt(&name, MOST_WORDS),
                challenge: acme.challenge.as_str(),
                problem: Box::new(problem),
            });
        }
    }
    None
}

/// What the authority is to sign (RFC 8555 §7.4).
fn request(acme: &Acme, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let names: Vec<_> = acme.names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// The host of an authority.
fn authority(acme: &Acme) -> String {
    acme.directory.host_str().unwrap_or_default().to_owned()
}

fn type_of(kind: &ChallengeType) -> &str {
    match kind {
        ChallengeType::Http01 => "http-01",
        ChallengeType::Dns01 => "dns-01",
        ChallengeType::TlsAlpn01 => "tls-alpn-01",
        ChallengeType::DeviceAttest01 => "device-attest-01",
        ChallengeType::Unknown(name) => name,
        _ => "another one",
    }
}

/// What an authority says: its own words, and the type of the problem, which can be looked up.
fn words(problem: &Problem) -> String {
    let mut parts: Vec<String> = problem.detail.iter().cloned().collect();
    parts.extend(problem.subproblems.iter().map(ToString::to_string));
    let text = if parts.is_empty() {
        "no reason is given".to_owned()
    } else {
        parts.join("; ")
    };
    let text = excerpt(&text, MOST_WORDS);
    match &problem.r#type {
        Some(kind) => format!("{text} ({})", excerpt(kind, MOST_WORDS)),
        None => text,
    }
}
