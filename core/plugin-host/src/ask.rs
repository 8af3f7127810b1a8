//! One call of a plugin, made by hand.

use super::{PluginEntry, PluginError, Setup, candidate, open_there};
use convoke_sdk::{Call, Purpose, Result};
use std::time::Duration;

/// How long the call may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the plugin of `entry`, calls `method` with `arguments` (a JSON object by name, as `sdk/PROCESS.md` has it), and
/// closes it: the answer as JSON, or the plugin's error. An error of the other kind: it does not open.
pub async fn ask(
    setup: &Setup,
    entry: &PluginEntry,
    method: &str,
    arguments: &str,
) -> Result<Result<String>, PluginError> {
    let fail = |problem| PluginError::new(entry, problem);
    let candidate = candidate(setup, entry).await.map_err(fail)?;
    let name = candidate.description.name.clone();
    let opened = open_there(setup, entry, candidate, &name).await;
    let (_, plugin) = opened.map_err(fail)?;
    let call = Call::within(PATIENCE).made_for(Purpose::Administration);
    let answer = plugin.answer(method, arguments, &call).await;
    let closed = plugin.answer("close", "{}", &call).await;
    Ok(answer.and_then(|answer| closed.map(|_| answer.get().to_owned())))
}
