//! What an invitation asks of a room anew, and what the room has answered already and stands by.

use convoke_calendar::itip::{Occurrence, Occurrences, PartStat};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An invitation as the room is asked by it. What is over is not asked for, unless all of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Occurrences that are new, at another time than before, or asked for again after a refusal.
    pub(super) anew: Vec<Occurrence>,
    /// Occurrences at the time at which they were, with what was answered then.
    pub(super) standing: Vec<Occurrence>,
    /// What was answered to the whole, if that stands; without it the whole is answered by what is asked anew.
    pub(super) whole: Option<PartStat>,
    /// Whether there is a whole: a series, or one event, and not single instances of a series alone.
    pub(super) has_whole: bool,
    /// Whether it goes on for ever.
    pub(super) is_endless: bool,
}

impl Asked {
    /// What is asked at `now`, where the room's copy had `before`, and would have `after` by iTIP alone.
    ///
    /// The answers in `after` are whatever the organizer says of them, so they count only where the room has given the
    /// same one: nobody books a room by saying that it has accepted.
    pub(super) fn of(before: &Occurrences, after: &Occurrences, now: Timestamp) -> Self {
        let known: BTreeMap<_, _> = before
            .each
            .iter()
            .map(|it| (place(it), it.answer))
            .collect();
        let lies_ahead = |it: &&Occurrence| it.end > now || it.start >= now;
        let mut ahead: Vec<&Occurrence> = after.each.iter().filter(lies_ahead).collect();
        if ahead.is_empty() {
            ahead = after.each.iter().collect();
        }
        let mut asked = Self {
            has_whole: after.whole.is_some(),
            is_endless: after.is_endless,
            ..Self::default()
        };
        for &occurrence in ahead {
            let answer = known.get(&place(&occurrence)).copied();
            let stands = match answer {
                // The room has the time already, whoever asks how often.
                Some(PartStat::Accepted | PartStat::Tentative) => true,
                Some(PartStat::Declined) => occurrence.answer == PartStat::Declined,
                _ => false,
            };
            match answer.filter(|_| stands) {
                Some(answer) => asked.standing.push(Occurrence {
                    answer,
                    ..occurrence
                }),
                None => asked.anew.push(occurrence),
            }
        }
        if !asked.standing.is_empty() {
            let answered = before.whole.filter(|it| *it != PartStat::NeedsAction);
            asked.whole = answered.filter(|_| asked.has_whole);
        }
        asked
    }

    /// Whether a refusal stands.
    pub(super) fn has_refusals(&self) -> bool {
        self.standing
            .iter()
            .any(|it| it.answer == PartStat::Declined)
    }

    /// The same, where refusals do not stand, but for those that somebody has made by hand and that were not `told` yet.
    pub(super) fn without_refusals(mut self, told: Option<&Occurrences>) -> Self {
        let told = told.map(|told| {
            let refused = told
                .each
                .iter()
                .filter(|it| it.answer == PartStat::Declined);
            refused.map(place).collect::<BTreeSet<_>>()
        });
        let is_told = |it: &Occurrence| told.as_ref().is_none_or(|told| told.contains(&place(it)));
        let is_refusal = |it: &Occurrence| it.answer == PartStat::Declined && is_told(it);
        let (refused, standing) = self.standing.into_iter().partition(is_refusal);
        self.standing = standing;
        self.anew.extend::<Vec<_>>(refused);
        self.whole = self.whole.filter(|_| !self.standing.is_empty());
        self
    }

    /// The same, as if nothing had been answered.
    pub(super) fn asked_anew(mut self) -> Self {
        self.anew.append(&mut self.standing);
        self.whole = None;
        self
    }

    /// Whether the answer to the whole depends on what is asked anew.
    pub(super) const fn is_about_whole(&self) -> bool {
        self.has_whole && self.whole.is_none()
    }
}

/// Which occurrence it is, and when.
const fn place(occurrence: &Occurrence) -> (Timestamp, Timestamp, Timestamp) {
    (occurrence.id, occurrence.start, occurrence.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn answer(letter: &str) -> PartStat {
        match letter {
            "A" => PartStat::Accepted,
            "D" => PartStat::Declined,
            "T" => PartStat::Tentative,
            _ => PartStat::NeedsAction,
        }
    }

    fn letter(answer: PartStat) -> char {
        answer.as_str().chars().next().unwrap()
    }

    /// Occurrences of ten seconds: the answer to the whole (`-` if there is none), then when each would be, what is
    /// answered to it, and when it is instead.
    fn series(text: &str) -> Occurrences {
        let mut words = text.split(' ').filter(|it| !it.is_empty());
        let whole = words.next().filter(|it| *it != "-").map(answer);
        let each = words.map(|word| {
            let (id, rest) = word.split_at(word.len().min(3));
            let (said, start) = rest.split_at(1);
            let start = if start.is_empty() { id } else { start };
            let [id, start] = [id, start].map(|it| it.parse().unwrap());
            Occurrence {
                id: at(id),
                start: at(start),
                end: at(start + 10),
                answer: answer(said),
                is_apart: id != start,
            }
        });
        Occurrences {
            each: each.collect(),
            is_endless: false,
            whole,
        }
    }

    /// What is asked anew; what stands; the answer to the whole if that stands.
    fn asked(before: &str, after: &str) -> String {
        let asked = Asked::of(&series(before), &series(after), at(NOW));
        let anew = asked.anew.iter().map(|it| it.id.as_second().to_string());
        let standing = asked.standing.iter();
        let standing = standing.map(|it| format!("{}{}", it.id.as_second(), letter(it.answer)));
        let whole = asked.whole.map_or('-', letter);
        let [anew, standing] =
            [anew.collect::<Vec<_>>(), standing.collect()].map(|it| it.join(" "));
        format!("{anew} | {standing} | {whole}")
    }

    #[test]
    fn what_is_not_moved_stands() {
        for (before, after, expected) in [
            ("-", "N 200N 300N", "200 300 |  | -"),
            // That it has accepted says the organizer only.
            ("-", "A 200A 300A", "200 300 |  | -"),
            ("N 200N 300N", "A 200A 300A", "200 300 |  | -"),
            ("D 200D 300D", "A 200A 300A", "200 300 |  | -"),
            ("A 200A 300A", "A 200A 300A", " | 200A 300A | A"),
            ("A 200A 300A", "N 200N 300N", " | 200A 300A | A"),
            ("T 200T 300T", "A 200A 300A", " | 200T 300T | T"),
            ("D 200D 300D", "D 200D 300D", " | 200D 300D | D"),
            // A refusal does not stand against a question.
            ("D 200D 300D", "N 200N 300N", "200 300 |  | -"),
            ("A 200A 300D", "A 200A 300D", " | 200A 300D | A"),
            ("A 200A 300D", "A 200A 300A", "300 | 200A | A"),
            // One moved, all moved, one more, one less.
            ("A 200A 300A", "A 200A 300A350", "300 | 200A | A"),
            ("A 200A 300A", "A 201A 301A", "201 301 |  | -"),
            ("A 200A 300A", "A 200A 300A 400A", "400 | 200A 300A | A"),
            ("A 200A 300A", "A 200A", " | 200A | A"),
            // Invited to an instance, and later to the whole.
            ("-", "- 300N350", "300 |  | -"),
            ("- 300A350", "N 200N 300N350", "200 | 300A | -"),
            // A whole of which nothing was answered has no answer that stands.
            ("N 200N 300A350", "N 200N 300A350", "200 | 300A | -"),
        ] {
            assert_eq!(asked(before, after), expected, "{before} to {after}");
        }
    }

    #[test]
    fn the_whole_is_answered_unless_its_answer_stands() {
        for (before, after, is_about_whole) in [
            ("-", "N 200N", true),
            ("-", "- 200N", false),
            ("A 200A 300A", "A 200A 300N350", false),
            ("A 200A 300A", "A 201A 301A", true),
        ] {
            let asked = Asked::of(&series(before), &series(after), at(NOW));
            assert_eq!(
                asked.is_about_whole(),
                is_about_whole,
                "{before} to {after}"
            );
        }
    }

    #[test]
    fn what_is_over_is_asked_for_only_if_all_of_it_is() {
        for (after, expected) in [
            ("N 050N 095N 200N", "95 200 |  | -"),
            ("N 050N 090N", "50 90 |  | -"),
        ] {
            assert_eq!(asked("-", after), expected);
        }
    }
}
