//! `convoke-load`: puts load on an iSchedule receiver and says how it bears it.
//!
//! | module | what it does |
//! | --- | --- |
//! | `target` | where the receiver is, and connections to it |
//! | `message` | what is asked: free-busy of a month, new invitations, updates; signed or not |
//! | `plan` | how many connections, at which rate, for how long |
//! | `drive` | many connections at once: as fast as answers come, or at a given rate |
//! | `report` | what came of it: a histogram of latencies, answers by status, what it cost the server |
//! | `process` | processor time and memory of a server on this machine |
//! | `calendar` | a calendar of so many events, for a server to begin with |
//! | `floor` | the least that any such server must do: TLS, HTTP and one signature a request |
//! | `lmtp` | invitations by mail, handed over as a mail server does |
//! | `world` | a Convoke of our own, with a store and a calendar in a folder |
//! | `pair` | two of them, of which one tells and one hears of it |
//! | `queue` | how fast what waited for a receiver is delivered |
//! | `change` | how long it takes from a calendar to another host |
//! | `start` | how long a host takes to start whose ledger is long |
//! | `accounts` | what quiet CalDAV accounts cost |
//! | `caldav_server` | a CalDAV server in which nothing happens |
//! | `proxy` | what the caldav listener adds in front of a server |
//! | `relay` | the least that a proxy must do |
//! | `table` | all stores, sizes and messages beside the floor: the table of README.md |
//!
//! `run` knows nothing of Convoke: any iSchedule receiver will do, and with `--header` any scheduling outbox.

mod accounts;
mod caldav_server;
mod calendar;
mod change;
mod drive;
mod floor;
mod lmtp;
mod message;
mod pair;
mod plan;
mod process;
mod proxy;
mod queue;
mod relay;
mod report;
mod start;
mod table;
mod target;
mod world;

use clap::{Args, Parser};
use convoke_ischedule::dkim::{Lookup, PrivateKey, Signer};
use convoke_types::{CalendarAddress, Domain};
use http::{HeaderName, HeaderValue};
use message::{Kind, Messages};
use plan::Plan;
use std::{error::Error, fs, path::PathBuf, process::ExitCode, time::Duration};
use target::Target;

/// Anything that ends the program with a sentence.
pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// Put load on an iSchedule receiver
#[derive(Parser)]
#[command(version)]
enum Load {
    /// Send messages to a receiver, and say how fast it answers
    Run(Box<Run>),
    /// Serve the floor: TLS, HTTP and one signature verification a request, and a constant answer
    Floor(floor::Floor),
    /// Print a calendar of so many events, for the server to begin with
    Calendar(calendar::Print),
    /// Hand invitations over by LMTP to a Convoke, and say how fast it takes them
    Lmtp(Box<lmtp::Lmtp>),
    /// Measure Convoke with each store beside the floor, and print the table of README.md
    Table(table::Table),
    Queue(queue::Queue),
    Change(change::Change),
    Start(start::Start),
    Accounts(accounts::Accounts),
    Proxy(proxy::Proxy),
    Relay(relay::Relay),
}

const EXAMPLES: &str = "\
Examples:
  convoke-load run https://cal.example.org:8443/ischedule --from anna@example.com --to bo@example.org \\
      --sign example.com --selector is1 --key dkim.pem --connections 64 --seconds 30
  convoke-load run https://cal.example.org:8443/ischedule --message request --rate 500 …
  convoke-load run http://127.0.0.1:8080/dav/calendars/user/bo/Outbox/ --from bo@example.org --to bo@example.org \\
      --header 'Authorization: Basic Ym86c2VjcmV0'

Use it on servers that are yours: invitations and updates stay in the calendars they were sent to.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct Run {
    /// Where to POST
    url: http::Uri,
    /// What to send
    #[arg(long, value_enum, default_value_t = Kind::FreeBusy)]
    message: Kind,
    /// The Originator
    #[arg(long, value_name = "ADDR")]
    from: CalendarAddress,
    /// The Recipient
    #[arg(long, value_name = "ADDR")]
    to: CalendarAddress,
    /// Authorities to trust besides the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Sign for this domain
    #[arg(long, value_name = "DOMAIN", requires = "key")]
    sign: Option<Domain>,
    /// The selector of the key
    #[arg(long, default_value = "load")]
    selector: String,
    /// The key (PKCS#8) to sign with
    #[arg(long, value_name = "FILE", requires = "sign")]
    key: Option<PathBuf>,
    /// A further header field; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// A process on this machine whose processor time and memory are watched
    #[arg(long)]
    pid: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: How,
}

/// How much, and for how long.
#[derive(Args, Clone)]
struct How {
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Requests a second, whether or not earlier ones are answered; as fast as answers come if not given
    #[arg(long)]
    rate: Option<f64>,
    /// How long to measure
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How long to send before that
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
}

impl How {
    fn plan(&self) -> Result<Plan, Trouble> {
        let span = |seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| format!("{seconds} is no length of time in seconds"))
        };
        if self
            .rate
            .is_some_and(|rate| !(rate.is_finite() && rate > 0.0))
        {
            return Err("--rate: a number of requests a second, above 0".into());
        }
        Ok(Plan {
            connections: self.connections.max(1),
            rate: self.rate,
            warm_up: span(self.warm_up)?,
            length: span(self.seconds)?,
        })
    }
}

impl Run {
    async fn run(self) -> Result<(), Trouble> {
        let plan = self.how.plan()?;
        let target = Target::new(&self.url, self.ca.as_deref())?;
        let mut messages = Messages::new(self.message, self.from, self.to).headers(self.headers);
        if let (Some(domain), Some(key)) = (self.sign, self.key) {
            let pem = fs::read_to_string(&key).map_err(|e| format!("{}: {e}", key.display()))?;
            let key = PrivateKey::from_pem(&pem)?;
            messages = messages.signed(Signer::new(
                domain,
                &self.selector,
                key,
                vec![Lookup::DnsTxt],
            )?);
        }
        let report = drive::drive(&target, messages, &plan, self.pid).await?;
        report.tell(self.json, "requests failed")
    }
}

/// `Name: value`.
fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("it has no colon")?;
    let name = name.trim().parse().map_err(|_| "not a field name")?;
    let value = value.trim().parse().map_err(|_| "not a field value")?;
    Ok((name, value))
}

fn main() -> ExitCode {
    let load = Load::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime.map_err(Trouble::from).and_then(|runtime| {
        runtime.block_on(async {
            match load {
                Load::Run(run) => run.run().await,
                Load::Floor(floor) => floor.serve().await,
                Load::Calendar(print) => print.run(),
                Load::Lmtp(lmtp) => lmtp.run().await,
                Load::Table(table) => table.run().await,
                Load::Queue(queue) => queue.run(),
                Load::Change(change) => change.run(),
                Load::Start(start) => start.run(),
                Load::Accounts(accounts) => accounts.run().await,
                Load::Proxy(proxy) => proxy.run().await,
                Load::Relay(relay) => relay.serve().await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("convoke-load: {trouble}");
            ExitCode::FAILURE
        }
    }
}
