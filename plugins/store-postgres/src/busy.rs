//! Busy time: one index scan whose cost follows the answer, not the calendar. Spans stand in bands by their length: see
//! [`bands`].

use crate::{
    database::Database,
    row::object,
    users::{number, unknown},
};
use convoke_sdk::{
    bands::{self, ceiling, floor, instant},
    prelude::*,
};
use tokio_postgres::types::Type;

/// Spans, objects that have to be expanded, and a row for the user: one statement, so all is as it is at one instant.
///
/// `OFFSET 0` keeps the question for a band apart from those for the others, so that each is one seek in the index.
pub(crate) const BUSY: &str = "
    SELECT span.starts, span.ends, span.kind, NULL::text, NULL::text, NULL::bytea
        FROM (SELECT band::smallint, 1::bigint << (32 + 2 * band) AS longest FROM generate_series(0, 14) AS band) AS bands
        CROSS JOIN LATERAL (
            SELECT starts, ends, kind FROM convoke.spans WHERE user_id = $1 AND spans.band = bands.band
                AND starts > $2 - longest AND starts < $3 AND ends > $2 OFFSET 0
        ) AS span
    UNION ALL SELECT NULL, NULL, NULL, uid, etag, data FROM convoke.objects WHERE user_id = $1 AND open_after < $3
    UNION ALL SELECT NULL, NULL, NULL, uid, etag, data FROM convoke.objects WHERE user_id = $1 AND open_before > $2
        AND NOT coalesce(open_after < $3, false)
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL FROM convoke.users WHERE id = $1";

pub(crate) async fn busy(
    db: &Database,
    user: &UserId,
    range: TimeRange,
    call: &Call,
) -> Result<Busy> {
    let user = number(user)?;
    let (from, to) = (floor(range.start()), ceiling(range.end()));
    let values = [
        (&user as _, Type::INT8),
        (&from as _, Type::INT8),
        (&to as _, Type::INT8),
    ];
    let mut is_there = false;
    let (mut spans, mut objects) = (Vec::new(), Vec::new());
    for row in db.read(call, BUSY, &values).await? {
        if let Some(starts) = row.get(0) {
            spans.push(span(starts, row.get(1), row.get(2))?);
        } else if row.get::<_, Option<&str>>(3).is_some() {
            objects.push(object(&row, 3)?);
        } else {
            is_there = true;
        }
    }
    if is_there {
        Ok(Busy::new(spans, objects))
    } else {
        Err(unknown(user))
    }
}

fn span(starts: i64, ends: i64, kind: i16) -> Result<BusySpan> {
    let kind = match kind {
        0 => BusyType::Busy,
        1 => BusyType::BusyTentative,
        2 => BusyType::BusyUnavailable,
        _ => {
            let text = format!("the database holds busy time of type {kind}");
            return Err(Error::internal(text));
        }
    };
    let range = TimeRange::new(instant(starts), instant(ends))?;
    Ok(BusySpan::new(range, kind))
}

/// Spans, column by column.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) bands: Vec<i16>,
    pub(crate) starts: Vec<i64>,
    pub(crate) ends: Vec<i64>,
    pub(crate) kinds: Vec<i16>,
}

impl Columns {
    pub(crate) fn of(spans: &[BusySpan]) -> Self {
        let mut columns = Self::default();
        for span in spans {
            let (starts, ends) = (floor(span.range.start()), ceiling(span.range.end()));
            let band = bands::band(ends - starts);
            columns.bands.push(i16::try_from(band).unwrap_or(i16::MAX));
            columns.starts.push(starts);
            columns.ends.push(ends);
            columns.kinds.push(match span.kind {
                BusyType::BusyTentative => 1,
                BusyType::BusyUnavailable => 2,
                // And what a later SDK tells apart.
                _ => 0,
            });
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statement counts the bands by itself.
    #[test]
    fn the_statement_knows_all_bands() {
        assert_eq!(bands::BANDS, 0..15);
        assert!(BUSY.contains("generate_series(0, 14)"));
        for band in bands::BANDS {
            assert_eq!(bands::longest(band), 1 << (32 + 2 * band));
        }
    }

    #[test]
    fn a_span_is_what_it_was() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for kind in [
            BusyType::Busy,
            BusyType::BusyTentative,
            BusyType::BusyUnavailable,
        ] {
            let written = BusySpan::new(TimeRange::new(at(7), at(90_000)).unwrap(), kind);
            let columns = Columns::of(std::slice::from_ref(&written));
            let read = span(columns.starts[0], columns.ends[0], columns.kinds[0]);
            assert_eq!(read, Ok(written));
        }
        assert!(span(0, 1, 3).is_err());
    }
}
