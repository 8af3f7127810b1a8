//! Tells a story: does what its steps say, heals the world, and lets it come to rest.

use crate::{check, deeds, host, story::Story, world::World};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Why a story does not end well, and what happened in it.
pub(crate) struct Failed {
    pub(crate) complaints: Vec<String>,
    pub(crate) log: Vec<String>,
}

/// Tells a story.
pub(crate) fn tell(story: &Story, verbose: bool) -> Result<(), Failed> {
    let world = World::new(story, verbose);
    let told = catch_unwind(AssertUnwindSafe(|| through(&world, story)));
    let complaints = told.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        vec![format!("panic: {}", text.unwrap_or("of another kind"))]
    });
    let log = world.logged();
    world.finish();
    if complaints.is_empty() {
        return Ok(());
    }
    Err(Failed { complaints, log })
}

fn through(world: &Arc<World>, story: &Story) -> Vec<String> {
    start_all(world);
    for step in &story.steps {
        world.run_for(step.at.saturating_sub(world.executor.now()));
        world.log(|| step.to_string());
        deeds::perform(world, &step.does);
    }
    world.run_for(HOUR / 2);
    world.heal();
    let mut complaints = come_to_rest(world);
    complaints.append(&mut world.witness.lock().unwrap().complaints);
    // A restart tells nobody anything.
    let before = world.witness.lock().unwrap().arrivals;
    for host in 0..world.hosts.len() {
        world.end(host);
    }
    start_all(world);
    world.run_for(HOUR);
    if world.witness.lock().unwrap().arrivals != before {
        complaints.push("something is told anew after a restart".to_owned());
    }
    complaints.append(&mut world.witness.lock().unwrap().complaints);
    complaints.extend(check::all(world));
    complaints
}

fn start_all(world: &Arc<World>) {
    for host in 0..world.hosts.len() {
        host::start(world, host);
    }
}

/// Lets time pass until nothing waits any more.
fn come_to_rest(world: &Arc<World>) -> Vec<String> {
    // Mails are days under way.
    for _ in 0..24 * 7 {
        world.run_for(HOUR);
        if check::waiting(world).is_empty() {
            // What is settling, too.
            world.run_for(HOUR / 2);
            if check::waiting(world).is_empty() {
                return Vec::new();
            }
        }
    }
    check::waiting(world)
}
