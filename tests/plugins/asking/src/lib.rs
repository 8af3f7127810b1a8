//! A plugin that asks its host for everything it offers: who is looked up says what is asked for, and the answer comes
//! back as an attribute of a receiver.

#![forbid(unsafe_code)] // what `plugin!` writes must pass the strictest crate

use convoke_sdk::{Counter, Gauge, Histogram, Metric, prelude::*};
use std::{fs, path::PathBuf};

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    struct Config {
        /// The file of a secret.
        secret: PathBuf = "secret",
        /// What is wrong from the beginning.
        degraded: Option<String>,
    }
}

struct Asking {
    host: Host,
    secret: PathBuf,
    asked: Counter,
    last: Gauge,
    lengths: Histogram,
}

impl Discovery for Asking {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        if let Some(why) = config.degraded {
            host.degraded(why);
        }
        let lengths = Metric::new("lengths", "Letters of what was asked.").bounds([6.0, 100.0]);
        Ok(Self {
            secret: config.secret,
            asked: host.counter(&Metric::new("asked_total", "How often it was asked.")),
            last: host
                .gauge(&Metric::new("last_letters", "Of the last question.").with("of", "it")),
            lengths: host.histogram(&lengths),
            host,
        })
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        let question = address.local_part().unwrap_or_default();
        let letters = question.len();
        self.asked.add(1);
        self.last
            .set(f64::from(u32::try_from(letters).unwrap_or(u32::MAX)));
        self.lengths
            .observe(f64::from(u32::try_from(letters).unwrap_or(u32::MAX)));
        let said = self.answer(question)?;
        let mut receiver = Receiver::new(ReceiverUrl::new("https://cal.example.com/")?);
        receiver.attributes.set("said", said);
        Ok(Discovered::Receivers(vec![receiver]))
    }
}

impl Asking {
    fn answer(&self, question: &str) -> Result<String> {
        Ok(match question {
            "folder" => {
                let folder = self.host.state_folder()?;
                let notes = folder.join("notes");
                let before = fs::read_to_string(&notes).unwrap_or_default();
                fs::write(&notes, format!("{before}x"))?;
                format!("{before} in {}", folder.display())
            }
            "secret" => self.host.secret(&self.secret)?.text()?.to_owned(),
            "shown" => format!("{:?}", self.host.secret(&self.secret)?),
            "network" => format!("{:?}", self.host.network()),
            "degraded" => {
                self.host.degraded("the server is away");
                String::new()
            }
            "healthy" => {
                self.host.healthy();
                String::new()
            }
            "many" => {
                for number in 0..200 {
                    let metric = Metric::new("many_total", "Many.").with("n", number.to_string());
                    self.host.counter(&metric).add(1);
                }
                String::new()
            }
            "wrong" => {
                self.host
                    .counter(&Metric::new("wrong name", "Wrong."))
                    .add(1);
                String::new()
            }
            "end" => std::process::abort(),
            other => other.to_owned(),
        })
    }
}

convoke_sdk::plugin! { name: "test-asking", discovery: Asking }
