//! Busy time: one index scan whose cost follows the answer, not the calendar.
//!
//! A span overlaps `from..to` if `start < to` and `end > from`. An index on `start` alone would read all the past,
//! as a span from years ago might be long. So spans stand in bands by their length, each band four times as long
//! as the one before: in a band whose spans last at most `L`, only those that start after `from - L` can overlap.
//! A query is one seek in each of the fifteen bands, and reads little more than it answers with.

use crate::{error::Outcome, users};
use convoke_sdk::prelude::*;
use rusqlite::{Connection, params};

/// Spans of band 0 last up to 2³² µs, 71 minutes: most meetings.
const FIRST_BAND: u32 = 32;
/// 2⁶⁰ µs are 36,000 years, more than a [`Timestamp`] can be apart.
const LAST_BAND: u32 = 60;

const SPANS: &str = "
    WITH RECURSIVE bands (band, length) AS (
        VALUES (0, 1 << 32) UNION ALL SELECT band + 1, length * 4 FROM bands WHERE band < 14
    )
    SELECT start, end, kind FROM bands CROSS JOIN spans
    WHERE user = ?1 AND spans.band = bands.band AND start > ?2 - length AND start < ?3 AND end > ?2";

const OPEN: &str = "
    SELECT uid, etag, data FROM objects WHERE id IN (
        SELECT id FROM objects WHERE user = ?1 AND open_after IS NOT NULL AND open_after < ?3
        UNION
        SELECT id FROM objects WHERE user = ?1 AND open_before IS NOT NULL AND open_before > ?2
    )";

pub(crate) fn busy(db: &Connection, user: i64, range: TimeRange) -> Outcome<Busy> {
    users::must_exist(db, user)?;
    let asked = [user, floor(range.start()), ceiling(range.end())];
    let spans = db
        .prepare_cached(SPANS)?
        .query_map(asked, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .map(|row| row.map(span).map_err(Into::into).and_then(|span| span))
        .collect::<Outcome<_>>()?;
    let objects = db
        .prepare_cached(OPEN)?
        .query_map(asked, |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get(2)?,
            ))
        })?
        .map(|row| {
            let (uid, etag, data) = row?;
            Ok(StoredObject::new(Uid::new(uid)?, Etag::new(etag)?, data))
        })
        .collect::<Outcome<_>>()?;
    Ok(Busy::new(spans, objects))
}

/// Makes `spans` the spans of the object.
pub(crate) fn replace(db: &Connection, user: i64, object: i64, spans: &[BusySpan]) -> Outcome<()> {
    db.prepare_cached("DELETE FROM spans WHERE object = ?1")?
        .execute([object])?;
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO spans (user, band, start, end, kind, object)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for span in spans {
        let (start, end) = (floor(span.range.start()), ceiling(span.range.end()));
        let kind = match span.kind {
            BusyType::BusyTentative => 1,
            BusyType::BusyUnavailable => 2,
            // And what a later SDK tells apart.
            _ => 0,
        };
        insert.execute(params![user, band(end - start), start, end, kind, object])?;
    }
    Ok(())
}

/// The first band whose longest span lasts `length` or more.
fn band(length: i64) -> u32 {
    let mut bands = (FIRST_BAND..=LAST_BAND).step_by(2).zip(0..);
    bands
        .find(|(exponent, _)| length <= 1 << exponent)
        .map_or(14, |(_, band)| band)
}

fn span((start, end, kind): (i64, i64, i64)) -> Outcome<BusySpan> {
    let kind = match kind {
        0 => BusyType::Busy,
        1 => BusyType::BusyTentative,
        2 => BusyType::BusyUnavailable,
        _ => {
            return Err(
                Error::internal(format!("the database holds busy time of type {kind}")).into(),
            );
        }
    };
    let range = TimeRange::new(instant(start), instant(end)).map_err(Error::from)?;
    Ok(BusySpan::new(range, kind))
}

fn instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(if microseconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The last whole microsecond at or before `instant`.
pub(crate) fn floor(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_nanosecond().div_euclid(1000))
        .expect("20,000 years of microseconds fit 64 bits")
}

/// The first whole microsecond at or after `instant`.
pub(crate) fn ceiling(instant: Timestamp) -> i64 {
    let before = floor(instant);
    before + i64::from(instant.as_nanosecond().rem_euclid(1000) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database;
    use rusqlite::StatementStatus;

    #[test]
    fn every_length_has_a_band_that_holds_it() {
        for exponent in 0..=LAST_BAND {
            for length in [(1_i64 << exponent) - 1, 1 << exponent, (1 << exponent) + 1] {
                let longest = 1_i64 << (FIRST_BAND + 2 * band(length));
                assert!(length <= longest || exponent == LAST_BAND, "{length}");
            }
        }
        let all = ceiling(Timestamp::MAX) - floor(Timestamp::MIN);
        assert!(all <= 1 << LAST_BAND);
    }

    #[test]
    fn instants_are_rounded_outwards_at_both_ends_of_time() {
        for nanosecond in [-1500, -1000, -1, 0, 1, 999, 1000, 1001] {
            let instant = Timestamp::from_nanosecond(nanosecond).unwrap();
            assert!(i128::from(floor(instant)) * 1000 <= nanosecond);
            assert!(i128::from(ceiling(instant)) * 1000 >= nanosecond);
        }
        assert_eq!(super::instant(ceiling(Timestamp::MAX)), Timestamp::MAX);
        assert_eq!(super::instant(floor(Timestamp::MIN)), Timestamp::MIN);
    }

    /// Counts what SQLite does instead of measuring time, which a busy machine would falsify.
    #[test]
    fn the_cost_of_an_answer_does_not_grow_with_the_calendar() {
        let steps = [100, 20_000].map(|events| {
            let db = calendar(events);
            let mut query = db.prepare(SPANS).unwrap();
            let hour = 3_600_000_000_i64;
            let middle = events / 2 * hour;
            let found = query
                .query_map([1, middle, middle + 24 * hour], |_| Ok(()))
                .unwrap()
                .count();
            assert!((25..=27).contains(&found), "{found}");
            query.get_status(StatementStatus::VmStep)
        });
        assert!(steps[1] <= steps[0] * 11 / 10, "{steps:?}");
    }

    #[test]
    fn what_is_asked_for_does_not_change_how_it_is_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let db = database::open(&folder.path().join("calendars.db"), &database::CALENDARS).unwrap();
        fill(&db, 100);
        for hour in [1, 50, 90] {
            let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
            let range = TimeRange::new(at(hour), at(hour + 5)).unwrap();
            assert_eq!(busy(&db, 1, range).unwrap().spans.len(), 6);
        }
        for query in [SPANS, OPEN] {
            let query = db.prepare_cached(query).unwrap();
            assert_eq!(query.get_status(StatementStatus::RePrepare), 0);
            assert_eq!(query.get_status(StatementStatus::Run), 3);
        }
    }

    /// One hour-long event after another, and a vacation as long as all of them.
    fn calendar(events: i64) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        fill(&db, events);
        db
    }

    fn fill(db: &Connection, events: i64) {
        db.execute_batch(
            "INSERT INTO users (id, kind) VALUES (1, 'INDIVIDUAL');
             INSERT INTO objects (id, user, uid, component, change, etag, data)
                 VALUES (1, 1, 'all', 'VEVENT', 1, '1', x'');",
        )
        .unwrap();
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let range = |from, to| TimeRange::new(at(from), at(to)).unwrap();
        let span = |from, to| BusySpan::new(range(from, to), BusyType::Busy);
        let mut spans: Vec<_> = (0..events).map(|hour| span(hour, hour + 1)).collect();
        spans.push(span(0, events));
        replace(db, 1, 1, &spans).unwrap();
    }
}
