//! How many occurrences of a series may be refused before the whole of it is.

use std::{fmt, str::FromStr};

/// How many occurrences of a series may be refused alone, because the room is taken then; with more, the whole is: `0`, a
/// number, or a share of the series such as `20%`. By default half of it.
///
/// ```
/// use convoke_scheduling::Conflicts;
///
/// let some: Conflicts = "20%".parse()?;
/// assert!(some.allow(2, 10) && !some.allow(3, 10));
/// # Ok::<(), convoke_scheduling::InvalidConflicts>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflicts {
    /// So many; with 0, one conflict refuses the whole.
    Count(u32),
    /// So many of a hundred, 100 at most.
    Percent(u8),
}

/// A text says no number of conflicts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected how many occurrences of a series may be refused alone: a number such as 0 or 3, or a share such as 20%"
)]
pub struct InvalidConflicts;

impl Conflicts {
    /// Whether so many of so many occurrences may be refused alone. Who refuses all of them refuses the whole.
    pub const fn allow(self, refused: usize, of: usize) -> bool {
        if refused >= of {
            return refused == 0;
        }
        match self {
            Self::Count(most) => refused <= most as usize,
            Self::Percent(share) => {
                refused.saturating_mul(100) <= of.saturating_mul(share as usize)
            }
        }
    }
}

impl Default for Conflicts {
    fn default() -> Self {
        Self::Percent(50)
    }
}

impl FromStr for Conflicts {
    type Err = InvalidConflicts;

    fn from_str(text: &str) -> Result<Self, InvalidConflicts> {
        let text = text.trim();
        let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
        let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
        let number: u32 = digits.parse().map_err(|_| InvalidConflicts)?;
        match u8::try_from(number) {
            _ if !is_number => Err(InvalidConflicts),
            _ if !text.ends_with('%') => Ok(Self::Count(number)),
            Ok(share) if share <= 100 => Ok(Self::Percent(share)),
            _ => Err(InvalidConflicts),
        }
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(number) => number.fmt(f),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_be_refused_alone() {
        for (text, refused, of, allowed) in [
            ("0", 0, 10, true),
            ("0", 1, 10, false),
            ("2", 2, 10, true),
            ("2", 3, 10, false),
            ("20%", 2, 10, true),
            ("20%", 3, 10, false),
            ("20%", 1, 4, false),
            ("0%", 1, 1000, false),
            ("100%", 9, 10, true),
            ("100%", 10, 10, false),
            ("10", 1, 1, false),
            ("0", 0, 0, true),
        ] {
            let conflicts: Conflicts = text.parse().unwrap();
            assert_eq!(
                conflicts.allow(refused, of),
                allowed,
                "{refused} of {of} with {text}"
            );
            assert_eq!(conflicts.to_string(), text);
        }
        assert!(Conflicts::default().allow(1, 2) && !Conflicts::default().allow(2, 3));
        for text in [
            "",
            "%",
            "-1",
            "+1",
            "101%",
            "1.5",
            "20 of 100",
            "4294967296",
            "5%%",
        ] {
            assert_eq!(text.parse::<Conflicts>(), Err(InvalidConflicts), "{text}");
        }
    }
}
