//! When a room is taken by others than the booking at hand.

use convoke_types::{BusySpan, TimeRange};
use jiff::Timestamp;

/// When a room is taken by others: sorted, without overlaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken(Vec<TimeRange>);

impl Taken {
    /// Of all busy time that a store knows, what is left without that of one object: `own`, as the object's index has it.
    ///
    /// Stores tell spans and not whose they are. So the spans at each moment are counted: where there are more than those
    /// of the object, somebody else has the room.
    pub(super) fn by_others(all: &[BusySpan], own: &[BusySpan]) -> Self {
        let steps = |spans: &[BusySpan], by: i64| -> Vec<(Timestamp, i64)> {
            let ends = spans
                .iter()
                .flat_map(|it| [(it.range.start(), by), (it.range.end(), -by)]);
            ends.collect()
        };
        let mut steps: Vec<_> = steps(all, 1).into_iter().chain(steps(own, -1)).collect();
        steps.sort_unstable_by_key(|(at, _)| *at);
        let (mut count, mut since) = (0_i64, None);
        let mut taken = Vec::new();
        for at in steps.chunk_by(|one, next| one.0 == next.0) {
            let moment = at[0].0;
            count += at.iter().map(|(_, by)| by).sum::<i64>();
            match since {
                None if count > 0 => since = Some(moment),
                Some(begin) if count <= 0 => {
                    taken.extend(TimeRange::new(begin, moment));
                    since = None;
                }
                _ => {}
            }
        }
        Self(taken)
    }

    /// Whether somebody has the room at some time of the range.
    pub(super) fn overlaps(&self, range: &TimeRange) -> bool {
        let first = self.0.partition_point(|it| it.end() <= range.start());
        self.0.get(first).is_some_and(|it| it.overlaps(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::BusyType::{self, Busy, BusyTentative, BusyUnavailable};

    fn range((start, end): (i64, i64)) -> TimeRange {
        let at = |second| Timestamp::from_second(second).unwrap();
        TimeRange::new(at(start), at(end)).unwrap()
    }

    fn spans(of: &[(i64, i64)], kind: BusyType) -> Vec<BusySpan> {
        let spans = of.iter().map(|&it| BusySpan::new(range(it), kind));
        spans.collect()
    }

    #[test]
    fn the_own_booking_is_not_in_its_own_way() {
        type Pairs = &'static [(i64, i64)];
        let cases: [(&str, Pairs, Pairs, Pairs); 9] = [
            ("nobody", &[], &[], &[]),
            ("others", &[(0, 2), (4, 6)], &[], &[(0, 2), (4, 6)]),
            ("the own alone", &[(0, 2)], &[(0, 2)], &[]),
            (
                "the same time twice",
                &[(0, 2), (0, 2)],
                &[(0, 2)],
                &[(0, 2)],
            ),
            (
                "one after the other",
                &[(0, 2), (2, 4)],
                &[(0, 2)],
                &[(2, 4)],
            ),
            ("joined by the store", &[(0, 4)], &[(0, 2)], &[(2, 4)]),
            (
                "one within the other",
                &[(0, 9), (3, 5)],
                &[(3, 5)],
                &[(0, 9)],
            ),
            ("the own around it", &[(0, 9), (3, 5)], &[(0, 9)], &[(3, 5)]),
            ("cut off by the store", &[(5, 9)], &[(0, 9)], &[]),
        ];
        for (what, all, own, left) in cases {
            let found = Taken::by_others(&spans(all, Busy), &spans(own, Busy));
            let left = left.iter().copied().map(range).collect();
            assert_eq!(found, Taken(left), "{what}");
        }
    }

    #[test]
    fn a_room_is_taken_by_whatever_kind_of_time() {
        let all = [
            (0, 2, Busy),
            (4, 6, BusyTentative),
            (8, 10, BusyUnavailable),
        ];
        let all: Vec<BusySpan> = all
            .iter()
            .flat_map(|&(start, end, kind)| spans(&[(start, end)], kind))
            .collect();
        let taken = Taken::by_others(&all, &[]);
        for (asked, is_taken) in [
            ((0, 1), true),
            ((1, 5), true),
            ((2, 4), false),
            ((5, 6), true),
            ((6, 8), false),
            ((9, 12), true),
            ((10, 12), false),
            ((-5, 0), false),
            ((-5, 100), true),
        ] {
            assert_eq!(taken.overlaps(&range(asked)), is_taken, "{asked:?}");
        }
    }
}
