//! What the caldav listener adds in front of a server: time a request, processor time for what it moves, memory of idle
//! connections. Beside it, in the same run, the least that any proxy must do (`relay`).

use crate::{
    Trouble,
    process::{Usage, memory},
    table::program,
    target::{Connection, Target},
    world::World,
};
use bytes::Bytes;
use clap::Args;
use hdrhistogram::Histogram;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::{
    convert::Infallible, env::temp_dir, future::ready, net::SocketAddr, path::PathBuf,
    time::Instant,
};
use tokio::{net::TcpListener, task::JoinSet};

/// Requests of one way before the next way has its turn, so that a machine that grows slow is slow for all.
const TURN: usize = 100;
const SMALL: usize = 1 << 10;
const LARGE: usize = 1 << 20;
/// Connections that move bytes.
const MOVERS: usize = 4;

/// Measure what the caldav listener adds in front of a CalDAV server
#[derive(Args)]
pub(crate) struct Proxy {
    /// The program to measure; by default the one beside this one
    #[arg(long)]
    convoke: Option<PathBuf>,
    /// Requests of 1 KiB on one connection, each way
    #[arg(long, default_value_t = 5000)]
    requests: usize,
    /// MiB to move, each way
    #[arg(long, default_value_t = 2048)]
    mebibytes: usize,
    /// Connections to keep idle
    #[arg(long, default_value_t = 1000)]
    idle: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One way to the server.
#[derive(Serialize)]
struct Way {
    name: &'static str,
    #[serde(skip)]
    target: Target,
    /// Who passes it on, if somebody does.
    #[serde(skip)]
    process: Option<u32>,
    #[serde(skip)]
    times: Histogram<u64>,
    /// Of a request of 1 KiB, in milliseconds.
    median: f64,
    p99: f64,
    /// Processor time a MiB, in milliseconds.
    processor: f64,
}

#[derive(Serialize)]
struct Measured {
    ways: Vec<Way>,
    idle: usize,
    /// Resident memory of Convoke without idle connections, in MiB.
    before: f64,
    /// And with them.
    with_idle: f64,
}

impl Proxy {
    pub(crate) async fn run(self) -> Result<(), Trouble> {
        let server = serve().await?;
        let config = config(server);
        let world = World::configured(&temp_dir(), &program(self.convoke.as_ref())?, &config)?;
        let host = world.serve()?;
        let relay = world.relay(server)?;
        let caldav = host.caldav.ok_or("the host has no caldav listener")?;
        let ca = world.path("host.pem");
        let secure = |address: SocketAddr| {
            let url = format!("https://localhost:{}/", address.port());
            Target::new(&url.parse()?, Some(&ca))
        };
        let direct = Target::new(&format!("http://{server}/").parse()?, None)?;
        let mut ways = vec![
            Way::new("direct, plain", direct, None)?,
            Way::new("least proxy", secure(relay.tls)?, Some(relay.id()))?,
            Way::new("convoke", secure(caldav)?, Some(host.id()))?,
        ];
        let warm_up = self.requests / 10;
        ask(&mut ways, warm_up).await?;
        for way in &mut ways {
            way.times.reset();
        }
        ask(&mut ways, self.requests).await?;
        for way in &mut ways {
            way.summarize();
            way.move_bytes(self.mebibytes).await?;
        }
        let resident = || memory(host.id()).ok_or("the system does not say what it uses");
        let before = mebibytes(resident()?);
        let idle = open(&ways[2].target, self.idle).await?;
        let measured = Measured {
            ways,
            idle: idle.len(),
            before,
            with_idle: mebibytes(resident()?),
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&measured)?);
        } else {
            measured.print();
        }
        Ok(())
    }
}

impl Way {
    fn new(name: &'static str, target: Target, process: Option<u32>) -> Result<Self, Trouble> {
        Ok(Self {
            name,
            target,
            process,
            times: Histogram::new(3)?,
            median: 0.0,
            p99: 0.0,
            processor: 0.0,
        })
    }

    fn summarize(&mut self) {
        let at = |quantile| {
            let nanoseconds = self.times.value_at_quantile(quantile);
            std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1e3
        };
        (self.median, self.p99) = (at(0.5), at(0.99));
    }

    /// Moves so much, and notes what that took.
    async fn move_bytes(&mut self, mebibytes: usize) -> Result<(), Trouble> {
        let Some(process) = self.process else {
            return Ok(());
        };
        let used = || Usage::of(process).ok_or("the system does not say what it uses");
        let before = used()?;
        let mut movers = JoinSet::new();
        let each = mebibytes.div_ceil(MOVERS);
        for _ in 0..MOVERS {
            let target = self.target.clone();
            movers.spawn(async move {
                let mut connection = target.connect().await?;
                for _ in 0..each {
                    get(&mut connection, "/large", LARGE).await?;
                }
                Ok::<_, Trouble>(())
            });
        }
        while let Some(moved) = movers.join_next().await {
            moved??;
        }
        let took = used()?.since(before).as_secs_f64() * 1e3;
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let moved = (each * MOVERS) as f64;
        self.processor = took / moved;
        Ok(())
    }
}

impl Measured {
    fn print(&self) {
        println!("| way | median | p99 | added at the median | processor a MiB |");
        println!("| --- | ---: | ---: | ---: | ---: |");
        for way in &self.ways {
            println!(
                "| {} | {:.3} ms | {:.3} ms | {:.3} ms | {:.3} ms |",
                way.name,
                way.median,
                way.p99,
                way.median - self.ways[0].median,
                way.processor
            );
        }
        println!(
            "\nconvoke takes {:.2} × the processor time of the least proxy; with {} idle connections it has {:.1} MiB, {:.1} MiB \
             without",
            self.ways[2].processor / self.ways[1].processor,
            self.idle,
            self.with_idle,
            self.before
        );
    }
}

/// Sends requests each way, in turns.
async fn ask(ways: &mut [Way], requests: usize) -> Result<(), Trouble> {
    let mut connections = Vec::new();
    for way in &*ways {
        connections.push(way.target.connect().await?);
    }
    for _ in 0..requests.div_ceil(TURN) {
        for (way, connection) in ways.iter_mut().zip(&mut connections) {
            for _ in 0..TURN {
                let begun = Instant::now();
                get(connection, "/small", SMALL).await?;
                let took = u64::try_from(begun.elapsed().as_nanos())?;
                way.times.record(took)?;
            }
        }
    }
    Ok(())
}

async fn get(
    connection: &mut Connection,
    path: &'static str,
    length: usize,
) -> Result<(), Trouble> {
    let (status, got) = connection.get(path).await?;
    if status == StatusCode::OK && got == length {
        return Ok(());
    }
    Err(format!("{path}: {status}, {got} bytes").into())
}

/// Connections of which each has had an answer.
async fn open(target: &Target, count: usize) -> Result<Vec<Connection>, Trouble> {
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut connection = target.connect().await?;
        get(&mut connection, "/small", SMALL).await?;
        idle.push(connection);
    }
    Ok(idle)
}

/// A server with two resources; its tasks end with the program.
async fn serve() -> Result<SocketAddr, Trouble> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (small, large) = (
        Bytes::from(vec![b'x'; SMALL]),
        Bytes::from(vec![b'x'; LARGE]),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let (small, large) = (small.clone(), large.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let is_large = request.uri().path() == "/large";
                let body = if is_large { &large } else { &small };
                ready(Ok::<_, Infallible>(Response::new(Full::new(body.clone()))))
            });
            let connection = http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

fn config(server: SocketAddr) -> String {
    format!(
        "[server]\ndomains = [\"example.org\"]\nstate = \"state\"\nadministrator = \"mailto:admin@example.org\"\n\
         [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\n\
         tls = {{ certificate = \"host.pem\", key = \"host.key\" }}\n\
         [[listener]]\nrole = \"caldav\"\naddress = \"127.0.0.1:0\"\nupstream = \"http://{server}\"\n\
         tls = {{ certificate = \"host.pem\", key = \"host.key\" }}\n\
         [limits]\nconnections = 4000\nconnections_per_address = 4000\n\
         [[store]]\nplugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\n"
    )
}

#[allow(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
