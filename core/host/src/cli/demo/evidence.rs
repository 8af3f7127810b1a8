//! What the steps are checked against: calendars, read independently of the hosts that wrote them.

use super::{failure, people::Person, story::address, world::World};
use crate::{
    cli::{context::open_config, output::Failure},
    instance,
};
use convoke_calendar::tree::{Calendar, Limits};
use convoke_plugin_host::Plugins;
use convoke_sdk::{StoredObject, remote::Kind};
use convoke_types::{CalendarAddress, Uid};
use std::path::PathBuf;

/// Bo's file of the meeting.
pub(super) fn file_of_bo(world: &World, uid: &Uid) -> Result<(PathBuf, String), Failure> {
    let mut folders = vec![world.meadow.folder.join("calendars")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failure)? {
            let path = entry.map_err(failure)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains("bo@")
                && let Ok(text) = std::fs::read_to_string(&path)
                && text.contains(uid.as_str())
            {
                return Ok((path, text));
            }
        }
    }
    Err(failure("bo has no file of the invitation in meadow's vdir"))
}

/// A person's copy of the meeting, read through the store plugin.
pub(super) async fn copy(
    world: &World,
    person: &Person,
    uid: &Uid,
) -> Result<StoredObject, Failure> {
    let address = address(person)?;
    let houses = [&world.harbour, &world.meadow];
    let house = houses
        .into_iter()
        .find(|house| address.domain() == Ok(&house.domain));
    let house = house.ok_or_else(|| failure("a person of neither domain"))?;
    let config = open_config(&house.config_file())?;
    let plugins = Plugins::open(&instance::setup(&config).without(Kind::State))
        .await
        .map_err(failure)?;
    let store = plugins.stores.for_address(&address);
    let store = store.ok_or_else(|| failure("no store serves the demo's domain"))?;
    let user = store.find(&address).await.map_err(failure)?;
    let user = user.ok_or_else(|| failure(format!("{address} is gone")))?;
    let copy = store.get(&user.id, uid).await.map_err(failure)?;
    copy.ok_or_else(|| failure(format!("{address} has no copy of the meeting")))
}

/// What a copy says of a person's answer.
pub(super) fn answer_in(copy: &StoredObject, person: &Person) -> Result<String, Failure> {
    let who = address(person)?;
    let calendar = Calendar::parse_stored(&copy.data, &Limits::default()).map_err(failure)?;
    let event = calendar.main_components().next();
    let lines = event.into_iter().flat_map(|event| event.all("ATTENDEE"));
    let mut its =
        lines.filter(|line| CalendarAddress::new(&line.value).is_ok_and(|it| it.same_user(&who)));
    let line = its
        .next()
        .ok_or_else(|| failure(format!("{who} is not invited")))?;
    Ok(line.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_owned())
}
