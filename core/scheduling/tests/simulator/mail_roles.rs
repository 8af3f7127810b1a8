//! Stories in which those who are sent and booked are reached by mail: rooms that answer by mail, rooms whose bookings somebody
//! approves, and attendees who send somebody to one instance.

use crate::{
    all_agree, generate, setting,
    story::{By, Deed, Response, Step, Story},
};
use fastrand::Rng;

/// The same story with mail, in which people send others, also to instances, propose other times, and book rooms, which somebody
/// may have to approve.
fn with_roles_by_mail(story: Story) -> Story {
    let mut story = generate::with_mail(generate::with_roles(story));
    let rng = &mut Rng::with_seed(story.seed.wrapping_add(4 << 32));
    let people = story.people.len();
    for person in story.people.iter_mut().filter(|it| it.room) {
        person.approver = rng.bool().then(|| rng.usize(..people));
    }
    let rooms: Vec<bool> = story.people.iter().map(|it| it.room).collect();
    let invited: Vec<Vec<usize>> = (story.steps.iter())
        .filter_map(|step| match &step.does {
            Deed::Invite { guests, .. } => Some(guests.clone()),
            _ => None,
        })
        .collect();
    for _ in 0..rng.usize(..=3) {
        let meeting = rng.usize(..invited.len());
        let guests = invited[meeting].iter().filter(|it| !rooms[**it]);
        let guests: Vec<usize> = guests.copied().collect();
        let Some(who) = rng.choice(&guests) else {
            continue;
        };
        let before = rng.usize(..story.steps.len());
        let does = Deed::Respond {
            meeting,
            who: *who,
            response: Response::DelegateInstance(rng.u32(..5), rng.usize(..people)),
            by: if rng.bool() { By::Command } else { By::Program },
        };
        let at = story.steps[before].at;
        story.steps.insert(before, Step { at, does });
    }
    story
}

#[test]
fn whoever_is_sent_or_booked_by_mail_all_copies_agree_in_the_end() {
    if setting::<String>("SIM_STORY").is_none() {
        all_agree(0..100, &[], |seed, steps| {
            with_roles_by_mail(generate::story(seed, steps))
        });
    }
}
