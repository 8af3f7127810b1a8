//! Reading a filter.

use super::{
    ALARM, Collation, ComponentFilter, ComponentTest, FilterError, MAX_CONDITIONS, MAX_RANGES,
    ParameterFilter, PropertyFilter, PropertyTest, TIMED, Test, TextMatch,
};
use crate::xml::{CALDAV, Element};
use convoke_types::TimeRange;
use jiff::{Timestamp, civil, tz::TimeZone};

/// What a filter may hold yet.
struct Budget {
    conditions: usize,
    ranges: usize,
}

/// The outermost part of a `C:filter`: that of VCALENDAR.
pub(super) fn root(element: &Element) -> Result<ComponentFilter, FilterError> {
    let mut budget = Budget {
        conditions: MAX_CONDITIONS,
        ranges: MAX_RANGES,
    };
    let mut filters = named(element, "comp-filter");
    let (Some(root), None) = (filters.next(), filters.next()) else {
        return Err(FilterError::Invalid("a filter holds one comp-filter"));
    };
    let root = ComponentFilter::read(root, &mut budget)?;
    if !root.name.eq_ignore_ascii_case("VCALENDAR") {
        return Err(FilterError::Invalid(
            "the outermost comp-filter is that of VCALENDAR",
        ));
    }
    Ok(root)
}

impl ComponentFilter {
    fn read(element: &Element, budget: &mut Budget) -> Result<Self, FilterError> {
        let name = name(element, budget)?;
        if is_not_defined(element) {
            let test = Test::IsNotDefined;
            return Ok(Self { name, test });
        }
        let range = range(element)?;
        if range.is_some() {
            if !TIMED.contains(&&*name) && name != ALARM {
                return Err(FilterError::Unsupported(
                    "a time-range is that of VEVENT, VTODO, VJOURNAL or VALARM here",
                ));
            }
            budget.ranges = (budget.ranges)
                .checked_sub(1)
                .ok_or(FilterError::Unsupported(
                    "the filter has too many time ranges",
                ))?;
        }
        let properties = named(element, "prop-filter");
        let properties = properties.map(|it| PropertyFilter::read(it, budget));
        let properties = properties.collect::<Result<_, _>>()?;
        let components = named(element, "comp-filter");
        let components = components.map(|it| Self::read(it, budget));
        let test = ComponentTest {
            range,
            properties,
            components: components.collect::<Result<_, _>>()?,
        };
        Ok(Self {
            name,
            test: Test::Has(test),
        })
    }
}

impl PropertyFilter {
    fn read(element: &Element, budget: &mut Budget) -> Result<Self, FilterError> {
        let name = name(element, budget)?;
        if is_not_defined(element) {
            let test = Test::IsNotDefined;
            return Ok(Self { name, test });
        }
        let parameters = named(element, "param-filter");
        let parameters = parameters.map(|it| ParameterFilter::read(it, budget));
        let test = PropertyTest {
            range: range(element)?,
            text: text_match(element)?,
            parameters: parameters.collect::<Result<_, _>>()?,
        };
        Ok(Self {
            name,
            test: Test::Has(test),
        })
    }
}

impl ParameterFilter {
    fn read(element: &Element, budget: &mut Budget) -> Result<Self, FilterError> {
        let name = name(element, budget)?;
        let test = if is_not_defined(element) {
            Test::IsNotDefined
        } else {
            Test::Has(text_match(element)?)
        };
        Ok(Self { name, test })
    }
}

fn named<'e>(element: &'e Element, local: &'static str) -> impl Iterator<Item = &'e Element> {
    let children = element.children.iter();
    children.filter(move |it| it.is(CALDAV, local))
}

/// The name that a filter is about; counts it.
fn name(element: &Element, budget: &mut Budget) -> Result<String, FilterError> {
    budget.conditions = (budget.conditions)
        .checked_sub(1)
        .ok_or(FilterError::Unsupported("the filter has too many parts"))?;
    let name = element.attribute("name").filter(|it| !it.is_empty());
    let name = name.ok_or(FilterError::Invalid("each part of a filter has a name"))?;
    Ok(name.to_ascii_uppercase())
}

fn is_not_defined(element: &Element) -> bool {
    element.child(CALDAV, "is-not-defined").is_some()
}

fn range(element: &Element) -> Result<Option<TimeRange>, FilterError> {
    let range = element.child(CALDAV, "time-range");
    range.map(time_range).transpose()
}

/// The range of an element's `start` and `end`, at least one of which it has (RFC 4791 §9.9).
pub(crate) fn time_range(element: &Element) -> Result<TimeRange, FilterError> {
    let at = |name| element.attribute(name).map(utc).transpose();
    let (start, end) = (at("start")?, at("end")?);
    if start.is_none() && end.is_none() {
        return Err(FilterError::Invalid("a time-range has a start or an end"));
    }
    let start = start.unwrap_or(TimeRange::ALL.start());
    let end = end.unwrap_or(TimeRange::ALL.end());
    TimeRange::new(start, end)
        .map_err(|_| FilterError::Invalid("a time-range ends after its start"))
}

fn utc(text: &str) -> Result<Timestamp, FilterError> {
    const EXPECTED: FilterError =
        FilterError::Invalid("a time is in UTC and looks like 20270104T100000Z");
    if text.len() != 16 || !text.is_ascii() {
        return Err(EXPECTED);
    }
    let wall = civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).map_err(|_| EXPECTED)?;
    let at = TimeZone::UTC.to_timestamp(wall);
    at.map_err(|_| EXPECTED)
}

fn text_match(element: &Element) -> Result<Option<TextMatch>, FilterError> {
    let Some(found) = element.child(CALDAV, "text-match") else {
        return Ok(None);
    };
    let collation = match found.attribute("collation") {
        None | Some("i;ascii-casemap" | "default") => Collation::AsciiCasemap,
        Some("i;octet") => Collation::Octet,
        Some(other) => return Err(FilterError::Collation(other.to_owned())),
    };
    Ok(Some(TextMatch {
        needle: match collation {
            Collation::Octet => found.text.clone(),
            Collation::AsciiCasemap => found.text.to_ascii_lowercase(),
        },
        collation,
        negated: found.attribute("negate-condition") == Some("yes"),
    }))
}
