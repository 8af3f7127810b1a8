//! Busy time: one index scan whose cost follows the answer, not the calendar. Spans stand in bands by their length: see
//! [`bands`].

use crate::{error::Outcome, users};
use convoke_sdk::{
    bands::{self, ceiling, floor, instant},
    prelude::*,
};
use rusqlite::{Connection, params};

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
        insert.execute(params![
            user,
            bands::band(end - start),
            start,
            end,
            kind,
            object
        ])?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database;
    use rusqlite::StatementStatus;

    /// The query counts the bands by itself.
    #[test]
    fn the_query_knows_all_bands() {
        let bands = SPANS.split("SELECT start").next().unwrap();
        let db = Connection::open_in_memory().unwrap();
        let mut query = db
            .prepare(&format!("{bands} SELECT band, length FROM bands"))
            .unwrap();
        let counted: Vec<(u16, i64)> = query
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let wanted = bands::BANDS.map(|band| (band, bands::longest(band)));
        assert_eq!(counted, wanted.collect::<Vec<_>>());
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
