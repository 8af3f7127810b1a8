//! REPORT: which objects match, these objects, and what changed.

use super::{
    find::{by_name, listed, read},
    inbox,
    names::Names,
    outbox, principals,
    properties::{DATA, want_octets},
    renames::Renamed,
    reply::{Answers, Refused, document},
    session::{Place, Session},
    tokens::{Rest, SyncToken},
    view,
};
use crate::calendar_view::SeenObject;
use convoke_caldav::{
    conditional::entity_tag,
    expand::expand,
    filter::Filter,
    multistatus::{About, Answer},
    path::Resource,
    precondition::Precondition,
    request::{self, Properties, Report, Sync},
};
use convoke_calendar::tree::{Calendar, Limits};
use convoke_net::http_server::{Body, Response};
use convoke_scheduling::{Environment, Home, Processor, SMALL};
use convoke_types::{Changes, Cursor, Error, ErrorKind, ObjectSummary, Uid};
use http::{Request, StatusCode};
use std::collections::HashSet;

pub(super) async fn report(
    session: &Session<'_>,
    resource: &Resource,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let document = document(session, request).await?;
    let document = document.ok_or(StatusCode::BAD_REQUEST)?;
    let report = request::report(&document.content)?;
    match report {
        Report::Principals(_) if session.place != Place::Root => {
            Err(Precondition::SupportedReport.into())
        }
        Report::Principals(search) => principals::search(session, resource, &search).await,
        Report::PrincipalProperties if *resource == Resource::Principals => {
            principals::searched(session).await
        }
        report if matches!(resource, Resource::Inbox(_)) => inbox::report(session, report).await,
        _ if !matches!(resource, Resource::Calendar(_)) => {
            Err(Precondition::SupportedReport.into())
        }
        Report::PrincipalProperties => Err(Precondition::SupportedReport.into()),
        Report::Query(asked, filter) => query(session, &asked, &filter).await,
        Report::Multiget(asked, hrefs) => multiget(session, &asked, hrefs).await,
        Report::Sync(asked) => sync(session, &asked).await,
        Report::FreeBusy(range) => outbox::own_busy(session, range).await,
    }
}

async fn query(
    session: &Session<'_>,
    asked: &Properties,
    filter: &Filter,
) -> Result<Response, Refused> {
    let current = view::current(session).await?;
    let candidates = current.objects.iter().filter_map(|(uid, seen)| {
        let decided = filter.decided_by(&seen.extent);
        (decided != Some(false)).then(|| (uid.clone(), seen.clone(), decided))
    });
    let candidates: Vec<(Uid, SeenObject, Option<bool>)> = candidates.collect();
    drop(current);
    let zone = session.zone();
    let processor = session.instance.scheduler.environment().processor();
    let mut answers = Answers::new(session);
    for (uid, seen, decided) in candidates {
        if decided == Some(true) && !want_octets(asked) {
            answers
                .extend(listed(session, &uid, seen, asked).await?)
                .await?;
            continue;
        }
        let Some(object) = session.home.get(&uid).await? else {
            continue;
        };
        let tag = entity_tag(&object.etag);
        let matches = || {
            let read = Calendar::parse_stored(&object.data, &limits());
            read.is_ok_and(|calendar| filter.matches(&calendar, &zone))
        };
        let is_as_seen = decided == Some(true) && tag == seen.tag;
        // What is short may recur without an end.
        let size = object.data.len().max(SMALL + 1);
        if is_as_seen || processor.run(size, matches).await {
            let answer = read(session, seen.name, &object, asked).await;
            answers.push(answer).await?;
        }
    }
    answers.finish(None).await
}

/// RFC 4791 §7.9: what is not there, or is somebody else's, is not found.
async fn multiget(
    session: &Session<'_>,
    asked: &Properties,
    hrefs: Vec<String>,
) -> Result<Response, Refused> {
    let mut answers = Answers::new(session);
    let mut told = HashSet::new();
    // Whoever asks for one several times is told of it once, however it is written: the scheme and the host may differ.
    for href in hrefs {
        let resource = session.named(&href);
        let href = resource.as_ref().map_or(href, ToString::to_string);
        if !told.insert(href.clone()) {
            continue;
        }
        let found = match &resource {
            Some(Resource::Object(_, name)) => by_name(session, name, asked).await?,
            _ => None,
        };
        let answer = found.unwrap_or(Answer {
            href,
            about: About::Status(404),
        });
        answers.push(answer).await?;
    }
    answers.finish(None).await
}

/// Something that a client is told of.
enum Told<'c> {
    Changed(&'c ObjectSummary),
    Removed(&'c Uid),
}

impl Told<'_> {
    const fn uid(&self) -> &Uid {
        match self {
            Self::Changed(summary) => &summary.uid,
            Self::Removed(uid) => uid,
        }
    }
}

async fn sync(session: &Session<'_>, asked: &Sync) -> Result<Response, Refused> {
    let store = session.home.store();
    let token = asked.token.as_deref();
    let token = token.map(|it| SyncToken::read(it, store).ok_or(Precondition::ValidSyncToken));
    let token = token.transpose()?;
    let rest = token.as_ref().and_then(|it| it.rest.as_ref());
    let since = match (&token, rest) {
        (_, Some(rest)) => rest.since.as_ref(),
        (Some(token), None) => Some(&token.cursor),
        (None, None) => None,
    };
    let names = Names::of(session);
    let count = names.renames().await?;
    let moved = match &token {
        Some(token) => names.renamed_since(token.renames).await?,
        None => Some(Vec::new()),
    };
    let moved = moved.ok_or(Precondition::ValidSyncToken)?;
    let mut changes = changes_since(session, since).await?;
    add_renamed(session, &mut changes, &moved).await?;
    let mut told: Vec<Told<'_>> = changes.changed.iter().map(Told::Changed).collect();
    // RFC 6578 §3.4: at the first time only what is there is told.
    if since.is_some() {
        told.extend(changes.removed.iter().map(Told::Removed));
    }
    told.sort_by(|one, other| one.uid().cmp(other.uid()));
    told.retain(|it| rest.is_none_or(|rest| *it.uid() > rest.after));
    let cursor = match (&token, rest) {
        (Some(token), Some(_)) => token.cursor.clone(),
        _ => changes.cursor.clone(),
    };
    // Those of now are told when the rest is.
    let renames = match (&token, rest, asked.limit) {
        (Some(token), _, Some(limit)) if told.len() > limit => token.renames,
        _ => count,
    };
    let next = match asked.limit {
        Some(limit) if told.len() > limit => {
            told.truncate(limit);
            let last = told
                .last()
                .ok_or(Precondition::NumberOfMatchesWithinLimits)?;
            let rest = Rest {
                since: since.cloned(),
                after: last.uid().clone(),
            };
            SyncToken {
                cursor,
                renames,
                rest: Some(rest),
            }
        }
        _ => SyncToken::all(cursor, renames),
    };
    let mut answers = tell(session, &told, &moved, &asked.properties).await?;
    if next.rest.is_some() {
        let href = Resource::Calendar(session.owner()).to_string();
        let about = About::Truncated;
        answers.push(Answer { href, about }).await?;
    }
    answers.finish(Some(next.write(store))).await
}

/// What changed since a cursor, which is the same as long as nothing does.
async fn changes_since(session: &Session<'_>, since: Option<&Cursor>) -> Result<Changes, Refused> {
    let changes: Result<Changes, Error> = session.home.changes(since).await;
    match (changes, since) {
        (Ok(mut changes), Some(since)) => {
            if changes.changed.is_empty() && changes.removed.is_empty() {
                changes.cursor = since.clone();
            }
            Ok(changes)
        }
        (Err(error), Some(_)) if error.kind() == ErrorKind::Invalid => {
            Err(Precondition::ValidSyncToken.into())
        }
        (changes, _) => Ok(changes?),
    }
}

/// Whether no object has a name any more.
async fn is_free(session: &Session<'_>, name: &str) -> Result<bool, Error> {
    let uid = Names::of(session).uid(name).await?;
    Ok(match uid {
        Some(uid) => session.home.get(&uid).await?.is_none(),
        None => true,
    })
}

/// What has another name is told of, as if it had changed.
async fn add_renamed(
    session: &Session<'_>,
    changes: &mut Changes,
    renamed: &[Renamed],
) -> Result<(), Error> {
    for it in renamed {
        if changes.changed.iter().any(|known| known.uid == it.uid) {
            continue;
        }
        if let Some(object) = session.home.get(&it.uid).await? {
            // Which component it is is found out where it is asked for.
            let summary = ObjectSummary::new(object.uid, "", object.etag);
            changes.changed.push(summary);
        }
    }
    Ok(())
}

async fn tell<'s>(
    session: &'s Session<'_>,
    told: &[Told<'_>],
    renamed: &[Renamed],
    asked: &Properties,
) -> Result<Answers<'s>, Refused> {
    let uids: Vec<&Uid> = told.iter().map(Told::uid).collect();
    let mut names = Names::of(session).names(&uids).await?;
    let mut answers = Answers::new(session);
    let gone = |name: String| Answer {
        href: Resource::Object(session.owner(), name).to_string(),
        about: About::Status(404),
    };
    for former in renamed {
        let is_told = told.iter().any(|it| *it.uid() == former.uid);
        if is_told && is_free(session, &former.before).await? {
            answers.push(gone(former.before.clone())).await?;
        }
    }
    for it in told {
        let name = names.remove(it.uid()).unwrap_or_default();
        let answer = match it {
            Told::Changed(summary) => {
                let seen = view::listed(summary, name);
                listed(session, &summary.uid, seen, asked).await?
            }
            Told::Removed(_) => Some(gone(name)),
        };
        answers.extend(answer).await?;
    }
    Ok(answers)
}

/// The octets of an object as they are wanted. One that cannot be expanded is given as it is.
pub(super) async fn wanted_data(session: &Session<'_>, data: &[u8], asked: &Properties) -> String {
    let expanded = match asked {
        Properties::Some(wanted) if wanted.names.contains(&DATA) => wanted.expand,
        _ => None,
    };
    let Some(range) = expanded else {
        return String::from_utf8_lossy(data).into_owned();
    };
    let zone = session.zone();
    let expanded = || {
        let calendar = Calendar::parse_stored(data, &limits()).ok()?;
        Some(expand(&calendar, range, &zone).ok()?.write())
    };
    let processor = session.instance.scheduler.environment().processor();
    // What is short may come often.
    let expanded = processor.run(data.len().max(SMALL + 1), expanded).await;
    String::from_utf8_lossy(expanded.as_deref().unwrap_or(data)).into_owned()
}

/// What is stored may be as long as it is.
pub(super) fn limits() -> Limits {
    Limits {
        bytes: usize::MAX,
        ..Limits::default()
    }
}
