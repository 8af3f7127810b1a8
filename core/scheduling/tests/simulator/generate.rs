//! Makes a story of a seed.

use crate::story::{
    Answer, By, Deed, Edit, HostTraits, MailTraits, Part, PersonTraits, Program, Response, Step,
    Story,
};
use fastrand::Rng;

/// Nothing happens before all calendars have been looked at once.
const FIRST: u64 = 60_000;

/// The story of a seed, of about so many steps.
pub(crate) fn story(seed: u64, steps: usize) -> Story {
    let rng = &mut Rng::with_seed(seed);
    let hosts = (0..rng.usize(2..=5)).map(|_| host(rng)).collect::<Vec<_>>();
    let people = (0..rng.usize(10..=30)).map(|number| PersonTraits {
        // Each host has somebody.
        host: if number < hosts.len() {
            number
        } else {
            rng.usize(..hosts.len())
        },
        program: [Program::Khal, Program::Thunderbird, Program::Forgetful][rng.usize(..3)],
        room: false,
        approver: None,
    });
    let people: Vec<PersonTraits> = people.collect();
    let mut author = Author {
        rng,
        hosts: hosts.len(),
        people: people.len(),
        organizers: Vec::new(),
        guests: Vec::new(),
    };
    let steps = author.steps(steps);
    Story {
        seed,
        hosts,
        people,
        steps,
    }
}

/// The same story, in which hosts lose their state as well.
pub(crate) fn with_losses(mut story: Story) -> Story {
    let rng = &mut Rng::with_seed(story.seed.wrapping_add(1 << 32));
    for _ in 0..rng.usize(1..=4) {
        let before = rng.usize(..story.steps.len());
        let step = Step {
            at: story.steps[before].at,
            does: Deed::LoseState {
                host: rng.usize(..story.hosts.len()),
            },
        };
        story.steps.insert(before, step);
    }
    story
}

/// The same story, in which people send others, propose other times, and book rooms.
pub(crate) fn with_roles(mut story: Story) -> Story {
    let rng = &mut Rng::with_seed(story.seed.wrapping_add(3 << 32));
    let is_invite = |step: &Step| match &step.does {
        Deed::Invite { who, guests, .. } => Some((*who, guests.clone())),
        _ => None,
    };
    let mut invited: Vec<(usize, Vec<usize>)> = story.steps.iter().filter_map(is_invite).collect();
    let mut rooms = Vec::new();
    for _ in 0..rng.usize(..=2) {
        let room = rng.usize(..story.people.len());
        if !invited.iter().any(|(who, _)| *who == room) {
            story.people[room].room = true;
            rooms.push(room);
        }
    }
    for (_, guests) in &mut invited {
        guests.retain(|it| !rooms.contains(it));
    }
    for step in &mut story.steps {
        if let (Deed::Invite { guests, .. }, Some(room)) = (&mut step.does, rng.choice(&rooms))
            && rng.bool()
            && !guests.contains(room)
        {
            guests.push(*room);
        }
    }
    // Rooms have no program.
    story.steps.retain(|step| match &step.does {
        Deed::Respond { who, .. } | Deed::Delete { who, .. } => !rooms.contains(who),
        _ => true,
    });
    for _ in 0..rng.usize(2..=8) {
        let meeting = rng.usize(..invited.len());
        let Some(who) = rng.choice(&invited[meeting].1) else {
            continue;
        };
        let response = match rng.u8(..5) {
            0..=2 => Response::Counter([-30, 30, 60, 24 * 60][rng.usize(..4)]),
            _ => Response::Delegate(rng.usize(..story.people.len())),
        };
        let by = if rng.bool() { By::Command } else { By::Program };
        let before = rng.usize(..story.steps.len());
        let step = Step {
            at: story.steps[before].at,
            does: Deed::Respond {
                meeting,
                who: *who,
                response,
                by,
            },
        };
        story.steps.insert(before, step);
    }
    story
}

/// The same story, in which people without a receiver are reached by mail.
pub(crate) fn with_mail(mut story: Story) -> Story {
    let rng = &mut Rng::with_seed(story.seed.wrapping_add(2 << 32));
    for host in &mut story.hosts {
        host.mail = Some(MailTraits {
            alone: rng.bool(),
            // So that it happens that no receiver takes something in time.
            expire_ms: rng.u64(600_000..6_000_000),
        });
    }
    for _ in 0..rng.usize(3..=10) {
        let before = rng.usize(..story.steps.len());
        let host = rng.usize(..story.hosts.len());
        let does = match rng.u8(..10) {
            0..=4 => Deed::Receiver {
                host,
                is_there: rng.bool(),
            },
            5..=7 => Deed::Post {
                percent: rng.u64(10..70),
                millis: rng.u64(..2_000_000),
            },
            _ => Deed::Break {
                host,
                part: Part::MailServer,
                millis: rng.u64(..1_000_000),
            },
        };
        let at = story.steps[before].at;
        story.steps.insert(before, Step { at, does });
    }
    story
}

fn host(rng: &mut Rng) -> HostTraits {
    HostTraits {
        ahead_ms: rng.i64(-60_000..=60_000),
        drift_ppm: rng.i64(-2_000..=2_000),
        hold: if rng.u8(..5) == 0 { 1 } else { 50 },
        holds_strangers: rng.u8(..5) == 0,
        mail: None,
    }
}

struct Author<'r> {
    rng: &'r mut Rng,
    hosts: usize,
    people: usize,
    /// By meeting.
    organizers: Vec<usize>,
    guests: Vec<Vec<usize>>,
}

impl Author<'_> {
    fn steps(&mut self, steps: usize) -> Vec<Step> {
        let meetings = self.rng.usize(1..=3);
        let steps = self.rng.usize(steps / 2..=steps);
        let mut at = FIRST;
        let mut told = Vec::new();
        for number in 0..steps {
            at += self.pause();
            let does = if number < meetings {
                self.invitation()
            } else {
                self.deed()
            };
            told.push(Step { at, does });
        }
        told
    }

    /// Before the next step: within a blink, before an object is quiet, or long after.
    fn pause(&mut self) -> u64 {
        match self.rng.u8(..10) {
            0 | 1 => self.rng.u64(..50),
            2..=4 => self.rng.u64(..9_000),
            5..=7 => self.rng.u64(9_000..25_000),
            8 => self.rng.u64(25_000..200_000),
            _ => self.rng.u64(200_000..2_000_000),
        }
    }

    fn invitation(&mut self) -> Deed {
        let who = self.rng.usize(..self.people);
        let guests = self.rng.usize(1..=4);
        let mut guests: Vec<usize> = (0..guests).map(|_| self.rng.usize(..self.people)).collect();
        guests.retain(|guest| *guest != who);
        guests.sort_unstable();
        guests.dedup();
        if guests.is_empty() {
            guests.push((who + 1) % self.people);
        }
        self.organizers.push(who);
        self.guests.push(guests.clone());
        Deed::Invite {
            meeting: self.organizers.len() - 1,
            who,
            guests,
            days: self.rng.u32(..20),
            zoned: self.rng.u8(..3) == 0,
            count: (self.rng.u8(..3) == 0).then(|| self.rng.u32(2..=5)),
            by: self.by(),
        }
    }

    fn by(&mut self) -> By {
        match self.rng.u8(..10) {
            0 => By::Command,
            1 => By::Message,
            _ => By::Program,
        }
    }

    fn deed(&mut self) -> Deed {
        let meeting = self.rng.usize(..self.organizers.len());
        match self.rng.u8(..100) {
            0..=34 => Deed::Edit {
                meeting,
                edit: self.edit(meeting),
                by: self.by(),
            },
            35..=66 => Deed::Respond {
                meeting,
                who: self.guest(meeting),
                response: self.response(),
                by: self.by(),
            },
            67..=69 => Deed::Delete {
                meeting,
                who: self.guest(meeting),
            },
            70 => Deed::Delete {
                meeting,
                who: self.organizers[meeting],
            },
            71..=73 => self.invitation(),
            _ => self.fault(),
        }
    }

    fn guest(&mut self, meeting: usize) -> usize {
        let guests = &self.guests[meeting];
        guests[self.rng.usize(..guests.len())]
    }

    fn edit(&mut self, meeting: usize) -> Edit {
        let instance = self.rng.u32(..5);
        let minutes = [-60, 30, 60, 24 * 60][self.rng.usize(..4)];
        let word = self.rng.u32(..4);
        match self.rng.u8(..20) {
            0..=3 => Edit::Move(minutes),
            4 | 5 => Edit::Retitle(word),
            6 | 7 => Edit::Relocate(word),
            8 | 9 => {
                let guest = self.rng.usize(..self.people);
                if guest != self.organizers[meeting] {
                    self.guests[meeting].push(guest);
                }
                Edit::Invite(guest)
            }
            10 | 11 => Edit::Uninvite(self.guest(meeting)),
            12 => Edit::Exclude(instance),
            13 => Edit::MoveInstance(instance, minutes / 2),
            14 => Edit::RetitleInstance(instance, word),
            15 => Edit::CancelInstance(instance),
            16 => match self.rng.u8(..3) {
                0 => Edit::AddDate(self.rng.u32(..3)),
                1 => Edit::InviteToInstance(instance, self.rng.usize(..self.people)),
                _ => Edit::Cancel,
            },
            17 => Edit::Save,
            _ => Edit::Own(word),
        }
    }

    fn response(&mut self) -> Response {
        let answers = [Answer::Accepted, Answer::Declined, Answer::Tentative];
        let answer = match self.rng.u8(..12) {
            0 => Answer::NeedsAction,
            _ => answers[self.rng.usize(..3)],
        };
        let instance = self.rng.u32(..5);
        match self.rng.u8(..20) {
            0..=10 => Response::Answer(answer),
            11..=13 => Response::AnswerInstance(instance, answer),
            14 => Response::Exclude(instance),
            15 => Response::Save,
            16 => Response::Refresh,
            _ => Response::Own(self.rng.u32(..4)),
        }
    }

    fn fault(&mut self) -> Deed {
        let host = self.rng.usize(..self.hosts);
        let millis = match self.rng.u8(..3) {
            0 => self.rng.u64(..5_000),
            1 => self.rng.u64(..60_000),
            _ => self.rng.u64(..1_000_000),
        };
        let parts = [Part::Store, Part::State, Part::Policies, Part::Network];
        match self.rng.u8(..20) {
            0..=8 => Deed::Crash {
                host,
                after: self.rng.u64(..60),
                down: millis.min(60_000),
            },
            9..=13 => Deed::Break {
                host,
                part: parts[self.rng.usize(..4)],
                millis,
            },
            14..=16 => Deed::Lossy {
                percent: self.rng.u64(5..60),
                millis: millis * 2,
            },
            17 => Deed::Clock {
                host,
                ahead_ms: self.rng.i64(-90_000..=90_000),
            },
            18 => Deed::ForgetChanges {
                who: self.rng.usize(..self.people),
            },
            _ => Deed::Retry { host },
        }
    }
}
