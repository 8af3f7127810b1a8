//! What an administrator of a running host should look at.

use super::api::{Health, Trouble};
use crate::{disk, instance::Instance};
use convoke_plugin_host::PluginState;
use convoke_types::Error;

/// Messages that failed so often are stuck: by then, an hour and a half has passed.
const STUCK: u32 = 5;

pub(super) async fn health(instance: &Instance, _: Health) -> Result<Vec<Trouble>, Error> {
    let mut troubles = Vec::new();
    let mut add = |what: String, detail: String| troubles.push(Trouble { what, detail });
    for plugin in instance.plugins.list() {
        if let PluginState::Degraded { reason } | PluginState::Skipped { reason, .. } = plugin.state
        {
            add(format!("{} {}", plugin.kind, plugin.name), reason);
        }
    }
    let look_soon = &instance.shared.look_soon;
    for (store, why) in look_soon.troubles() {
        let text = format!("what people change in it is told once it answers again: {why}");
        add(format!("store {store}"), text);
    }
    for (store, sentence) in look_soon.scheduled_by_others() {
        add(format!("store {store}"), sentence);
    }
    if let Some(text) = disk::nearly_full(&instance.config.server.state) {
        add("disk".to_owned(), text);
    }
    let entries = instance.scheduler.waiting().await;
    let held = instance.scheduler.held(None).await;
    if let Some(error) = entries.as_ref().err().or(held.as_ref().err()) {
        add("state".to_owned(), error.to_string());
    }
    let (entries, held) = (entries.unwrap_or_default(), held.unwrap_or_default());
    let stuck: Vec<_> = entries.iter().filter(|it| it.attempts >= STUCK).collect();
    if let Some(oldest) = stuck.iter().min_by_key(|it| it.created) {
        let last = oldest.last.as_deref().unwrap_or_default();
        let text = format!(
            "{} cannot be delivered; the oldest since {}, to {}: {last}; see `convoke queue list`",
            messages(stuck.len()),
            oldest.created,
            oldest.recipient.human()
        );
        add("queue".to_owned(), text);
    }
    if let Some(one) = held.iter().min_by_key(|it| it.since) {
        let text = format!(
            "changes of {} wait to be told, the first since {}, of {}; see `convoke queue list`, then `convoke queue release` \
             or `drop`",
            meetings(held.len()),
            one.since,
            one.user.human()
        );
        add("held changes".to_owned(), text);
    }
    Ok(troubles)
}

fn messages(count: usize) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} message{s}")
}

fn meetings(count: usize) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} meeting{s}")
}
