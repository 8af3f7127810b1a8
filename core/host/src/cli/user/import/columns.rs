//! Which column of CSV, or attribute of LDIF, says what.

use super::record::Part;
use crate::cli::output::Failure;
use std::str::FromStr;

/// `--map WHAT=COLUMN`.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    part: Part,
    column: String,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (part, column) = text
            .split_once('=')
            .ok_or("expected WHAT=COLUMN, such as address=Mail")?;
        Ok(Self {
            part: part.parse()?,
            column: column.trim().to_owned(),
        })
    }
}

/// The attributes of LDIF that say something, unless `--map` names others for it. Of those for the name, the first that an entry has
/// says it.
const OF_LDIF: [(&str, &str); 5] = [
    ("address", "mail"),
    ("alias", "mailAlternateAddress"),
    ("alias", "mailLocalAddress"),
    ("name", "displayName"),
    ("name", "cn"),
];

/// Who says what.
pub(super) struct Columns {
    mapped: Vec<Mapping>,
    /// Whether other columns of CSV may be there.
    pub(super) ignores_others: bool,
}

impl Columns {
    pub(super) fn new(mapped: &[Mapping], ignores_others: bool) -> Result<Self, Failure> {
        for (index, mapping) in mapped.iter().enumerate() {
            let mut earlier = mapped[..index].iter();
            if let Some(same) = earlier.find(|it| it.column.eq_ignore_ascii_case(&mapping.column)) {
                return Err(Failure::usage(format!(
                    "--map: `{}` cannot say both {} and {}",
                    mapping.column, same.part, mapping.part
                )));
            }
        }
        Ok(Self {
            mapped: mapped.to_owned(),
            ignores_others,
        })
    }

    /// What a column of CSV says: what `--map` says, else what its name says.
    pub(super) fn of_csv(&self, column: &str) -> Option<Part> {
        self.mapped(column).or_else(|| {
            let part: Part = column.parse().ok()?;
            self.is_free(part).then_some(part)
        })
    }

    /// The columns that `--map` names, of which each has to be there.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.mapped.iter().map(|it| &*it.column)
    }

    /// The attributes of LDIF that say something, the more important ones first.
    pub(super) fn of_ldif(&self) -> Vec<(Part, &str)> {
        let mapped = self.mapped.iter().map(|it| (it.part, &*it.column));
        let usual = OF_LDIF.iter().filter_map(|(part, attribute)| {
            let part: Part = part.parse().ok()?;
            let is_taken = self.mapped(attribute).is_some();
            (self.is_free(part) && !is_taken).then_some((part, *attribute))
        });
        mapped.chain(usual).collect()
    }

    fn mapped(&self, column: &str) -> Option<Part> {
        let mut mapped = self.mapped.iter();
        let mapped = mapped.find(|it| it.column.eq_ignore_ascii_case(column))?;
        Some(mapped.part)
    }

    /// Whether `--map` does not say where it stands.
    fn is_free(&self, part: Part) -> bool {
        !self.mapped.iter().any(|it| it.part == part)
    }
}
