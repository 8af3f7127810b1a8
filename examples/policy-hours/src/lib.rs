//! People outside may send invitations in office hours only; at other times they may try again later.
use convoke_sdk::{jiff, prelude::*};
use jiff::{civil::Time, tz::TimeZone};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

convoke_sdk::config! {
    /// What the administrator writes under `config`; `convoke plugin inspect` shows these lines.
    struct Config {
        /// Where the office is, by the name that the IANA gives to its time zone.
        timezone: String = "UTC",
        /// When it opens.
        opens: Time as "time such as \"08:30\"" = "08:00",
        /// When it closes.
        closes: Time as "time such as \"17:00\"" = "18:00",
        /// On which days: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
        days: Vec<String> = ["mon", "tue", "wed", "thu", "fri"],
    }
}

/// An opened policy, asked from many threads at once.
struct Hours {
    timezone: TimeZone,
    opens: Time,
    closes: Time,
    days: Vec<String>,
}

impl Hours {
    /// The clock is an argument, so that it can be tested.
    fn is_open(&self, now: Timestamp) -> bool {
        let now = now.to_zoned_datetime(self.timezone.clone());
        let today = DAYS[now.weekday().to_monday_zero_offset() as usize];
        self.days.iter().any(|day| day == today)
            && self.opens <= now.time()
            && now.time() < self.closes
    }
}

impl Policy for Hours {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        let wrong = |error: jiff::Error| Error::invalid(format!("`config.timezone`: {error}"));
        if let Some(day) = (config.days.iter()).find(|day| !DAYS.contains(&day.as_str())) {
            return Err(Error::invalid(format!("`config.days`: `{day}` is no day")));
        }
        Ok(Self {
            timezone: TimeZone::get(&config.timezone).map_err(wrong)?,
            opens: config.opens,
            closes: config.closes,
            days: config.days,
        })
    }

    /// Abstaining leaves it to the others: this policy forbids, and allows nothing by itself.
    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        let ours = |proof: &Proof| matches!(proof, Proof::Submission(_));
        let may = request.action != Action::Schedule || request.proofs.iter().any(ours);
        Ok(match may || self.is_open(Timestamp::now()) {
            true => Decision::Abstain,
            false => Decision::deny("the office is closed"),
        })
    }
}

convoke_sdk::plugin! { name: "policy-hours", policy: Hours }

#[cfg(test)] // everything that the host relies on, in one line
convoke_sdk::conformance! { policy: Hours, config: "timezone = 'Europe/Vienna'" }

#[test]
fn it_is_open_in_office_hours() {
    let hours = Hours {
        timezone: TimeZone::get("Europe/Vienna").unwrap(),
        opens: Time::constant(8, 0, 0, 0),
        closes: Time::constant(18, 0, 0, 0),
        days: vec!["mon".to_owned()],
    };
    for (now, open) in [
        ("07T07:00Z", true),
        ("07T17:00Z", false),
        ("08T09:00Z", false),
    ] {
        assert_eq!(
            hours.is_open(format!("2026-12-{now}").parse().unwrap()),
            open,
            "{now}"
        );
    }
}
