//! What mails say, a file a language, chosen by the LANGUAGE of the recipient's line in the calendar (RFC 5545 §3.2.10).

mod de;
mod en;
mod es;
mod fr;

use jiff::civil::Date;

/// A language that mails are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, which also stands for every language that is not here.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

/// All that is said in one language. `{name}` stands for what is put in.
pub(crate) struct Phrases {
    pub subjects: Sentences,
    pub sentences: Sentences,
    pub labels: Labels,
    pub repeats: Repeats,
    pub notices: Notices,
    pub all_day: &'static str,
    pub was: &'static str,
    pub no_title: &'static str,
    pub no_place: &'static str,
    pub and_more: &'static str,
    pub answer: &'static str,
    /// That an answer in words arrives too.
    pub write_back: &'static str,
    /// Said where a mail is about one instance of a series.
    pub one_of_series: &'static str,
    /// What stands between a label and its value.
    pub colon: &'static str,
    pub weekdays: [&'static str; 7],
    pub months: [&'static str; 12],
    pub date: fn(weekday: &str, day: i8, month: &str, year: i16) -> String,
}

/// One for each occasion.
pub(crate) struct Sentences {
    pub invitation: &'static str,
    pub update: &'static str,
    pub cancellation: &'static str,
    /// The recipient is not invited any more; the meeting goes on.
    pub uninvited: &'static str,
    pub accepted: &'static str,
    pub tentative: &'static str,
    pub declined: &'static str,
    pub delegated: &'static str,
    pub answered: &'static str,
    pub proposal: &'static str,
    pub proposal_declined: &'static str,
    pub refresh: &'static str,
}

/// What stands before a value.
pub(crate) struct Labels {
    pub title: &'static str,
    pub when: &'static str,
    pub repeats: &'static str,
    pub place: &'static str,
    pub organizer: &'static str,
    pub guests: &'static str,
    pub description: &'static str,
    pub comment: &'static str,
    pub instance: &'static str,
}

/// How often a series takes place: one, and several units.
pub(crate) struct Repeats {
    pub daily: [&'static str; 2],
    pub weekly: [&'static str; 2],
    pub monthly: [&'static str; 2],
    pub yearly: [&'static str; 2],
    pub other: &'static str,
    pub until: &'static str,
    pub times: &'static str,
}

/// Mails to our own people: subject and text of each.
pub(crate) struct Notices {
    pub undeliverable: [&'static str; 2],
    pub proposal: [&'static str; 2],
    pub held: [&'static str; 2],
    pub accepted: [&'static str; 2],
    pub tentative: [&'static str; 2],
    pub declined: [&'static str; 2],
    pub answered: [&'static str; 2],
    pub reason: &'static str,
    pub footer: &'static str,
}

impl Language {
    /// Every language.
    pub const ALL: &'static [Self] = &[Self::English, Self::German, Self::French, Self::Spanish];

    /// The language of a tag such as `de-CH` (RFC 5646); English where there is none, or another one.
    ///
    /// ```
    /// use convoke_imip::Language;
    /// assert_eq!(Language::of_tag("DE-ch"), Language::German);
    /// assert_eq!(Language::of_tag("tlh"), Language::English);
    /// ```
    pub fn of_tag(tag: &str) -> Self {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        let mut all = Self::ALL.iter().copied();
        all.find(|language| language.tag().eq_ignore_ascii_case(primary))
            .unwrap_or_default()
    }

    /// Its tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
        }
    }

    pub(crate) const fn phrases(self) -> &'static Phrases {
        match self {
            Self::English => &en::PHRASES,
            Self::German => &de::PHRASES,
            Self::French => &fr::PHRASES,
            Self::Spanish => &es::PHRASES,
        }
    }
}

impl Phrases {
    pub(crate) fn day(&self, date: Date) -> String {
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
        let month = usize::try_from(date.month() - 1).unwrap_or_default();
        (self.date)(
            self.weekdays[weekday],
            date.day(),
            self.months[month],
            date.year(),
        )
    }
}

/// A phrase with what is put in. What is put in is not looked at again, so a title of `{who}` stays one.
pub(crate) fn fill(phrase: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(phrase.len() + 64);
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after
            .split_once('}')
            .expect("phrases close what they open: tested for each language");
        filled.push_str(before);
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is put into phrases.
    const NAMES: [&str; 7] = ["who", "title", "value", "n", "date", "reason", ""];

    #[test]
    fn phrases_name_what_is_put_in() {
        let files = [
            include_str!("en.rs"),
            include_str!("de.rs"),
            include_str!("fr.rs"),
            include_str!("es.rs"),
        ];
        for (language, file) in Language::ALL.iter().zip(files) {
            let literals = file.split('"').skip(1).step_by(2);
            for literal in literals.filter(|literal| !literal.contains("weekday")) {
                for rest in literal.replace("\\u{a0}", "").split('{').skip(1) {
                    let (name, _) = rest.split_once('}').expect("closed");
                    assert!(NAMES.contains(&name), "{language:?}: {literal}");
                }
            }
        }
    }

    #[test]
    fn what_is_put_in_is_not_read_again() {
        let filled = fill("{who}: {title}!", &[("who", "{title}"), ("title", "{x")]);
        assert_eq!(filled, "{title}: {x!");
    }

    #[test]
    fn dates_are_written_as_the_language_has_them() {
        let date = jiff::civil::date(2027, 5, 1);
        for (language, expected) in [
            (Language::English, "Saturday, 1 May 2027"),
            (Language::German, "Samstag, 1. Mai 2027"),
            (Language::French, "samedi 1er mai 2027"),
            (Language::Spanish, "sábado, 1 de mayo de 2027"),
        ] {
            assert_eq!(language.phrases().day(date), expected);
        }
    }
}
