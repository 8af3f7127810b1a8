use super::{Occurrences, Rule};
use crate::wall;
use crate::work::{TooMuchWork, Work};
use jiff::civil::DateTime;
use proptest::prelude::*;

fn seconds(text: &str) -> i64 {
    wall::seconds(text.parse::<DateTime>().unwrap())
}

/// Up to `most` times of a rule from `from` to `last`.
fn times(
    rule: &str,
    start: i64,
    from: i64,
    last: i64,
    most: usize,
) -> Result<Vec<i64>, TooMuchWork> {
    let rule = Rule::parse(rule).unwrap();
    let until = rule.until().map(|until| wall::seconds(until.wall));
    let mut occurrences = Occurrences::new(&rule, start, until, from);
    let mut work = Work::of(5_000_000);
    let mut found = Vec::new();
    while found.len() < most {
        match occurrences.next(last, &mut work)? {
            Some(time) => found.push(time),
            None => break,
        }
    }
    Ok(found)
}

#[test]
fn wrong_rules_are_told_what_is_wrong() {
    for (rule, words) in [
        ("", "FREQ is missing"),
        ("COUNT=3", "FREQ is missing"),
        ("FREQ=OFTEN", "FREQ is `OFTEN`, expected YEARLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is `0`"),
        ("FREQ=DAILY;COUNT=-1", "COUNT is `-1`"),
        ("FREQ=DAILY;COUNT=1;COUNT=2", "COUNT stands twice"),
        ("FREQ=DAILY;UNTIL=never", "UNTIL is `never`"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH is `13`"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY is `0`"),
        ("FREQ=MONTHLY;BYDAY=1XX", "BYDAY is `1XX`"),
        ("FREQ=MONTHLY;BYDAY=é", "BYDAY is `é`"),
        ("FREQ=YEARLY;BYSETPOS=1", "BYSETPOS needs another"),
        ("FREQ=YEARLY;BYEASTER=0", "BYEASTER is not known"),
        ("FREQ=YEARLY;what", "`what` does not read"),
    ] {
        let error = Rule::parse(rule).unwrap_err();
        assert!(error.to_string().contains(words), "{rule}: {error}");
        assert!(!error.is_unsupported());
    }
    for rule in [
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=FORWARD",
    ] {
        assert!(Rule::parse(rule).unwrap_err().is_unsupported());
    }
    for fine in [
        "freq=daily;",
        "FREQ=WEEKLY;BYDAY=;BYSETPOS=",
        "RSCALE=GREGORIAN;FREQ=DAILY;SKIP=OMIT",
        "FREQ=WEEKLY;BYDAY=+1MO,su",
    ] {
        Rule::parse(fine).unwrap_or_else(|error| panic!("{fine}: {error}"));
    }
}

#[test]
fn a_rule_with_two_ends_has_the_first_of_them() {
    for (rule, found) in [
        ("FREQ=DAILY;COUNT=2;UNTIL=20270110T090000", 2),
        ("FREQ=DAILY;COUNT=9;UNTIL=20270106T090000", 3),
    ] {
        let start = seconds("2027-01-04T09:00:00");
        let last = seconds("2028-01-01T00:00:00");
        assert_eq!(times(rule, start, start, last, 100).unwrap().len(), found);
        let error = Rule::parse(rule).unwrap().check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "RRULE: COUNT and UNTIL exclude each other"
        );
    }
}

#[test]
fn a_rule_can_begin_anywhere_at_once() {
    let start = seconds("1990-01-01T09:00:00");
    let from = seconds("2027-01-04T00:00:00");
    let rule = Rule::parse("FREQ=SECONDLY;INTERVAL=7").unwrap();
    let mut work = Work::of(20);
    let mut occurrences = Occurrences::new(&rule, start, None, from);
    let first = occurrences.next(i64::MAX, &mut work).unwrap().unwrap();
    assert!((from..from + 7).contains(&first) && (first - start) % 7 == 0);
}

#[test]
fn expensive_rules_terminate() {
    let (start, century) = (
        seconds("1990-01-01T00:00:00"),
        seconds("2090-01-01T00:00:00"),
    );
    for rule in [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYHOUR=3;BYMONTHDAY=31;BYMONTH=4",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;INTERVAL=4294967295",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
    ] {
        let found = times(rule, start, start, century, usize::MAX);
        assert!(
            found.is_err() || found.is_ok_and(|found| found.is_empty()),
            "{rule}"
        );
    }
    assert_eq!(
        times("FREQ=SECONDLY;BYDAY=MO", start, start, century, usize::MAX),
        Err(TooMuchWork)
    );
    // every second of a year in one period
    let all = |most: i64| {
        (0..most)
            .map(|it| it.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let rule = format!(
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={};BYSECOND={}",
        all(24),
        all(60),
        all(60)
    );
    let from = seconds("2027-06-01T12:00:00");
    assert_eq!(
        times(&rule, start, from, century, 2).unwrap(),
        [from, from + 1]
    );
    let rule = format!("{rule};BYSETPOS=-1");
    assert_eq!(
        times(&rule, start, from, century, 1).unwrap(),
        [seconds("2027-12-31T23:59:59")]
    );
}

/// 500 random rules as python-dateutil 2.9 reads them, up to eight times within twelve years (`oracle/generate.py`).
#[test]
fn rules_mean_what_python_dateutil_reads() {
    let wall = |text: &str| wall::seconds(crate::stamp::basic_date_time(text).unwrap());
    for line in include_str!("oracle/dateutil.txt").lines() {
        let mut words = line.split(' ');
        let (rule, start) = (words.next().unwrap(), wall(words.next().unwrap()));
        if takes_whole_weeks(rule) {
            continue;
        }
        let expected: Vec<i64> = words.map(wall).collect();
        let found = times(rule, start, start, start + 366 * 12 * wall::DAY, 8);
        assert_eq!(found, Ok(expected), "{line}");
    }
}

/// Of a week without a day, the others take all seven; the RFC derives the weekday from DTSTART.
fn takes_whole_weeks(rule: &str) -> bool {
    let names = ["BYDAY", "BYMONTHDAY", "BYYEARDAY"];
    rule.contains("BYWEEKNO") && !names.iter().any(|name| rule.contains(name))
}

#[test]
fn rule_parts_default_to_those_of_dtstart() {
    let start = seconds("2013-01-08T09:00:00"); // a Tuesday
    let found = times(
        "FREQ=YEARLY;BYWEEKNO=1,2",
        start,
        start,
        start + 366 * 3 * wall::DAY,
        5,
    );
    let expected = [
        "2013-01-08T09:00:00",
        "2013-12-31T09:00:00",
        "2014-01-07T09:00:00",
        "2014-12-30T09:00:00",
        "2015-01-06T09:00:00",
    ];
    assert_eq!(found.unwrap(), expected.map(seconds));
}

/// Rules within what RFC 5545 allows and the `rrule` crate takes.
fn some_rule(frequencies: usize) -> impl Strategy<Value = String> {
    fn some<T: std::fmt::Debug + ToString + Clone + 'static>(
        name: &'static str,
        one: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<String> {
        let list = prop::collection::vec(one, 1..4).prop_map(move |list| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            format!(";{name}={}", list.join(","))
        });
        prop_oneof![3 => Just(String::new()), 1 => list].boxed()
    }
    let signed =
        |most: i64| (1..=most, any::<bool>()).prop_map(|(n, minus)| if minus { -n } else { n });
    let weekday = || prop::sample::select(vec!["MO", "TU", "WE", "TH", "FR", "SA", "SU"]);
    let nth = (signed(4), weekday()).prop_map(|(nth, day)| format!("{nth}{day}"));
    let dates = (0usize..frequencies).prop_flat_map(move |frequency| {
        let yearly = frequency == 0;
        let short = frequency > 3;
        let weekdays = if frequency < 2 {
            prop_oneof![some("BYDAY", weekday().prop_map(str::to_owned)), some("BYDAY", nth.clone())].boxed()
        } else {
            some("BYDAY", weekday().prop_map(str::to_owned))
        };
        let none = || Just(String::new()).boxed();
        (
            Just(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"][frequency]),
            1u32..5,
            some("BYMONTH", 1i64..=12),
            weekdays,
            if frequency == 2 { none() } else { some("BYMONTHDAY", signed(31)) },
            if yearly || short { some("BYYEARDAY", signed(366)) } else { none() },
            prop_oneof![5 => Just(String::new()), 1 => weekday().prop_map(|day| format!(";WKST={day}"))],
        )
    });
    let hours = (
        some("BYHOUR", 0i64..24),
        some("BYMINUTE", 0i64..60),
        some("BYSECOND", 0i64..60),
    );
    (
        dates,
        hours,
        prop::option::of(prop_oneof![-3i64..0, 1i64..4]),
    )
        .prop_map(
            |(
                (frequency, interval, month, day, month_day, year_day, wkst),
                (hour, minute, second),
                position,
            )| {
                let by = format!("{month}{day}{month_day}{year_day}{hour}{minute}{second}");
                let position = position
                    // In the first week the crate counts positions from DTSTART on; here they are of the whole week.
                    .filter(|_| !by.is_empty() && frequency != "WEEKLY")
                    .map_or(String::new(), |it| format!(";BYSETPOS={it}"));
                format!("FREQ={frequency};INTERVAL={interval}{by}{position}{wkst}")
            },
        )
}

/// The same rule in the `rrule` crate, an independent reading of RFC 5545. Only days and longer: where BYDAY makes
/// shorter ones pause, it skips weeks (`FREQ=MINUTELY;BYDAY=MO;BYHOUR=12,1`); those are held against python-dateutil.
fn oracle(rule_text: &str, start: i64, most: u16) -> Option<Vec<i64>> {
    let start = chrono::DateTime::from_timestamp(start, 0)?.with_timezone(&rrule::Tz::UTC);
    let rule: rrule::RRule<rrule::Unvalidated> = rule_text.parse().ok()?;
    let set = rule.build(start).ok()?;
    let found = set.all(most);
    // It ends hours, minutes and seconds too early where BYDAY makes them pause for days, and gives up on rare days.
    let is_short = ["HOURLY", "MINUTELY", "SECONDLY"]
        .iter()
        .any(|it| rule_text.contains(it));
    if (found.limited || is_short) && found.dates.len() < usize::from(most) {
        return None;
    }
    Some(
        found
            .dates
            .iter()
            .map(chrono::DateTime::timestamp)
            .collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn rules_mean_what_the_rrule_crate_reads(rule in some_rule(4), day in 0i64..20_000, hour in 0i64..24) {
        let start = day * wall::DAY + hour * 3600 + 1800;
        if let Some(expected) = oracle(&rule, start, 20) {
            let last = expected.last().copied().unwrap_or(start + 10 * 366 * wall::DAY);
            if let Ok(found) = times(&rule, start, start, last, 20) {
                prop_assert_eq!(found, expected, "{}", rule);
            }
        }
    }

    #[test]
    fn beginning_late_gives_the_rest(rule in some_rule(7), day in 0i64..5000, later in 0i64..400) {
        let start = day * wall::DAY + 36_000;
        let from = start + later * wall::DAY;
        let last = from + 400 * wall::DAY;
        if let Ok(all) = times(&rule, start, start, last, 5000) {
            let expected: Vec<i64> = all.iter().copied().filter(|time| *time >= from).take(50).collect();
            if all.len() < 5000 {
                prop_assert_eq!(times(&rule, start, from, last, 50), Ok(expected), "{}", rule);
            }
        }
    }
}
