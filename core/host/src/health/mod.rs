//! What an administrator should look at: `/health`, `convoke check`, metrics and the console say the same.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `look` | what is found by trying: whether stores answer, and whether peers find our key |
//!
//! The rest is found when somebody asks: what plugins say, what waits, how full the disk is, when certificates end.

mod look;

pub(crate) use look::look;

#[cfg(feature = "acme")]
use crate::certificates::Certificate;
use crate::{certificates, disk, instance::Instance, trouble::Trouble};
use convoke_plugin_host::PluginState;
use convoke_scheduling::Entry;
use convoke_types::Error;
use jiff::Timestamp;

/// Messages that failed so often are stuck: by then, an hour and a half has passed.
const STUCK: u32 = 5;

/// All that is known now.
pub(crate) async fn troubles(instance: &Instance) -> Vec<Trouble> {
    all(instance, instance.scheduler.waiting().await).await
}

/// How much of that there is, for who asks again and again: of what waits, as far as this host has it in memory.
pub(crate) async fn count(instance: &Instance) -> usize {
    let here = instance.scheduler.shared().outbox.entries();
    all(instance, Ok(here)).await.len()
}

async fn all(instance: &Instance, waiting: Result<Vec<Entry>, Error>) -> Vec<Trouble> {
    let mut troubles = of_plugins(instance);
    // A store that says so itself knows better than who tried.
    let mut tried = instance.shared.looks.troubles();
    tried.retain(|it| !troubles.iter().any(|known| known.what() == it.what()));
    troubles.extend(tried);
    troubles.extend(of_watching(instance));
    if let Some(text) = disk::nearly_full(&instance.config.server.state) {
        troubles.push(Trouble::new("disk", text));
    }
    troubles.extend(of_certificates(instance));
    troubles.extend(of_what_waits(instance, waiting).await);
    troubles
}

fn of_plugins(instance: &Instance) -> Vec<Trouble> {
    let plugins = instance.plugins.list().into_iter();
    let troubles = plugins.filter_map(|plugin| match plugin.state {
        PluginState::Degraded { reason } | PluginState::Skipped { reason, .. } => Some(
            Trouble::of_plugin(&plugin.kind.to_string(), &plugin.name, reason),
        ),
        PluginState::Ready => None,
    });
    troubles.collect()
}

/// Stores that cannot be watched, and those behind which somebody else schedules.
fn of_watching(instance: &Instance) -> Vec<Trouble> {
    let look_soon = &instance.shared.look_soon;
    let mut troubles = Vec::new();
    for (store, why) in look_soon.troubles() {
        let text = format!("what people change in it is told once it answers again: {why}");
        troubles.push(Trouble::of_store(&store, text));
    }
    for (store, sentence) in look_soon.scheduled_by_others() {
        troubles.push(Trouble::of_store(&store, sentence));
    }
    troubles
}

fn of_certificates(instance: &Instance) -> Vec<Trouble> {
    let now = Timestamp::now().as_second();
    let all = certificates::of(&instance.config).into_iter();
    let troubles = all.filter_map(|it| {
        let file = it.file.display();
        let text = match it.until {
            #[cfg(feature = "acme")]
            _ if it.acme.is_some() => by_acme(instance, &it, now)?,
            None => format!(
                "{file}: the certificate cannot be read; what is in use stays until the host ends"
            ),
            Some(until) if until.as_second() < now => {
                format!("{file} has expired at {until}; renew it")
            }
            Some(until) if it.is_near_end => {
                format!("{file} expires at {until}; renew it")
            }
            Some(_) => return None,
        };
        Some(Trouble::new(&format!("certificate of {}", it.of), text))
    });
    troubles.collect()
}

/// What is wrong with a certificate that an authority issues by itself.
#[cfg(feature = "acme")]
fn by_acme(instance: &Instance, certificate: &Certificate, now: i64) -> Option<String> {
    let failure = instance.shared.acme.progress.failure(&certificate.file);
    let lack = match certificate.until {
        None => "there is no certificate yet, so that connections are refused".to_owned(),
        Some(until) if until.as_second() < now => format!("the certificate has expired at {until}"),
        Some(until) if certificate.is_near_end => {
            format!("the certificate expires at {until} and could not be renewed")
        }
        // It may fail, as long as there is time.
        Some(_) => return None,
    };
    Some(match failure {
        None => format!("{lack}; one is being ordered"),
        Some(failure) => format!(
            "{lack}: {}; it is tried again at {:.0}, and by `convoke reload`",
            failure.why, failure.next
        ),
    })
}

/// What is stuck, what is held, and whether that can be asked at all.
async fn of_what_waits(instance: &Instance, entries: Result<Vec<Entry>, Error>) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let held = instance.scheduler.held(None).await;
    let put_back = instance.scheduler.held_since_restored().await;
    let errors = [
        entries.as_ref().err(),
        held.as_ref().err(),
        put_back.as_ref().err(),
    ];
    if let Some(error) = errors.into_iter().flatten().next() {
        troubles.push(Trouble::new("state", error.to_string()));
    }
    let (entries, held) = (entries.unwrap_or_default(), held.unwrap_or_default());
    let put_back = put_back.unwrap_or_default();
    let stuck: Vec<_> = entries.iter().filter(|it| it.attempts >= STUCK).collect();
    if let Some(oldest) = stuck.iter().min_by_key(|it| it.created) {
        let last = oldest.last.as_deref().unwrap_or_default();
        let text = format!(
            "{} cannot be delivered; the oldest since {}, to {}: {last}; see `convoke queue list`",
            counted(stuck.len(), "message"),
            oldest.created,
            oldest.recipient.human()
        );
        troubles.push(Trouble::new("queue", text));
    }
    if let Some(one) = held.iter().min_by_key(|it| it.since) {
        let text = format!(
            "changes of {} wait to be told, the first since {}, of {}; see `convoke queue list`, then `convoke queue release` \
             or `drop`",
            counted(held.len(), "meeting"),
            one.since,
            one.user.human()
        );
        troubles.push(Trouble::new("held changes", text));
    }
    if !put_back.is_empty() {
        let text = format!(
            "{} waited when the backup was made that was restored, and may have been delivered since; see `convoke queue list`, \
             then `convoke queue release` or `drop`",
            counted(put_back.len(), "message")
        );
        troubles.push(Trouble::new("held messages", text));
    }
    troubles
}

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
