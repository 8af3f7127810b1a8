//! The table of README.md: each store, size and message beside the floor, all in one run on one machine.

use crate::{
    How, Trouble, drive,
    message::{Kind, Messages},
    plan::Plan,
    report::Report,
    target::Target,
    world::{ANNA, BO, Running, Store, World},
};
use clap::Args;
use convoke_types::CalendarAddress;
use std::{env, path::PathBuf};

/// Connections of the last row, which shows what memory they take.
const MANY: usize = 1000;

/// Measure Convoke with each store beside the floor
#[derive(Args)]
pub(crate) struct Table {
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    convoke: Option<PathBuf>,
    /// Stores to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Store::Sqlite, Store::Vdir])]
    stores: Vec<Store>,
    /// Events in the calendar
    #[arg(long, value_delimiter = ',', default_values_t = [100, 10_000, 100_000])]
    events: Vec<u64>,
    /// Messages to send
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::FreeBusy, Kind::Request, Kind::Update])]
    messages: Vec<Kind>,
    #[command(flatten)]
    how: How,
}

/// Where one row's messages go.
struct Way<'a> {
    world: &'a World,
    running: &'a Running,
    plain: bool,
}

impl Way<'_> {
    /// Signed over TLS, or as Cyrus has it: neither.
    async fn drive(&self, kind: Kind, plan: &Plan) -> Result<Report, Trouble> {
        let mut messages =
            Messages::new(kind, CalendarAddress::new(ANNA)?, CalendarAddress::new(BO)?);
        let url = if self.plain {
            let place = self
                .running
                .plain
                .ok_or("there is no listener without TLS")?;
            format!("http://{place}/ischedule")
        } else {
            messages = messages.signed(self.world.signer()?);
            format!("https://localhost:{}/ischedule", self.running.tls.port())
        };
        let target = Target::new(&url.parse()?, Some(&self.world.path("host.pem")))?;
        drive::drive(&target, messages, plan, Some(self.running.id())).await
    }
}

impl Table {
    pub(crate) async fn run(self) -> Result<(), Trouble> {
        let plan = self.how.plan()?;
        println!(
            "| server | events | message | rate | p50 | p99 | p99.9 | p99 at half the rate | processor | memory |\n\
             | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        );
        let mut answered = None;
        for &store in &self.stores {
            for &events in &self.events {
                let world = World::new(&program(self.convoke.as_ref())?, store, events)?;
                let running = world.serve()?;
                let way = |plain| Way {
                    world: &world,
                    running: &running,
                    plain,
                };
                for &kind in &self.messages {
                    row(&way(false), store.name(), events, kind.name(), kind, &plan).await?;
                }
                if answered.is_none() && self.messages.contains(&Kind::FreeBusy) {
                    answered = Some(());
                    let floor = world.floor(4000)?;
                    let way = Way {
                        world: &world,
                        running: &floor,
                        plain: false,
                    };
                    row(&way, "floor", 0, "constant", Kind::FreeBusy, &plan).await?;
                }
            }
        }
        self.beside_cyrus(&plan).await
    }

    /// What Cyrus can be held against: neither TLS nor signatures. And what many connections take.
    async fn beside_cyrus(&self, plan: &Plan) -> Result<(), Trouble> {
        let events = 2000;
        let world = World::new(&program(self.convoke.as_ref())?, Store::Sqlite, events)?;
        let running = world.serve()?;
        let way = Way {
            world: &world,
            running: &running,
            plain: true,
        };
        for &kind in &self.messages {
            let name = format!("{}, plain", kind.name());
            row(&way, "store-sqlite", events, &name, kind, plan).await?;
        }
        let many = Plan {
            connections: MANY,
            ..plan.clone()
        };
        let world = World::new(&program(self.convoke.as_ref())?, Store::Sqlite, events)?;
        let running = world.serve()?;
        let way = Way {
            world: &world,
            running: &running,
            plain: false,
        };
        let name = format!("free-busy, {MANY} connections");
        row(&way, "store-sqlite", events, &name, Kind::FreeBusy, &many).await
    }
}

/// The program to measure: the one that is named, or the one beside this one.
pub(crate) fn program(named: Option<&PathBuf>) -> Result<PathBuf, Trouble> {
    if let Some(program) = named {
        return Ok(program.clone());
    }
    let beside = env::current_exe()?.with_file_name("convoke");
    if beside.exists() {
        return Ok(beside);
    }
    let text = format!(
        "{} is not there: build it, or name it with --convoke",
        beside.display()
    );
    Err(text.into())
}

/// Measures twice: as fast as answers come, and at half that rate.
async fn row(
    way: &Way<'_>,
    server: &str,
    events: u64,
    name: &str,
    kind: Kind,
    plan: &Plan,
) -> Result<(), Trouble> {
    let full = way.drive(kind, plan).await?;
    let half = Plan {
        rate: Some((full.rate / 2.0).max(1.0)),
        ..plan.clone()
    };
    let half = way.drive(kind, &half).await?;
    for report in [&full, &half] {
        if report.failed() > 0 {
            eprintln!("{server}, {events} events, {name}: not all succeeded\n{report}");
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
    let memory = half
        .server_memory
        .map_or(0.0, |it| it as f64 / f64::from(1 << 20));
    println!(
        "| {server} | {events} | {name} | {:.0}/s | {:.2} ms | {:.2} ms | {:.2} ms | {:.2} ms | {:.0} µs | {memory:.0} MiB |",
        full.rate,
        full.p50,
        full.p99,
        full.p999,
        half.p99,
        full.server_cpu.unwrap_or_default(),
    );
    Ok(())
}
