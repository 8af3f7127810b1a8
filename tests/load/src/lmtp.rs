//! Mail that comes in: a mail server that hands invitations over by LMTP, each verified by it, to a Convoke of our own.

use crate::{
    How, Trouble,
    calendar::{basic, elsewhere},
    process::{self, Usage},
    report::{Report, Tally},
    world::{ANNA, BO, Store, World},
};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Hand invitations over by LMTP to a Convoke with store-sqlite, and say how fast it takes them
#[derive(Args)]
pub(crate) struct Lmtp {
    /// The program that is measured
    #[arg(long, value_name = "FILE", default_value = "target/release/convoke")]
    program: PathBuf,
    /// Where its state and its calendars lie; a file system in memory leaves the disk out
    #[arg(long, value_name = "FOLDER", default_value = "/dev/shm")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: How,
}

/// What all connections share.
struct Run {
    address: SocketAddr,
    /// Sets this run's meetings apart from those of others.
    name: String,
    sent: AtomicU64,
    measured: Instant,
    end: Instant,
}

impl Lmtp {
    pub(crate) async fn run(self) -> Result<(), Trouble> {
        let plan = self.how.plan()?;
        if plan.rate.is_some() {
            return Err(
                "--rate: mail servers hand over the next mail when the last is taken".into(),
            );
        }
        let world = World::in_folder(&self.folder, &self.program, Store::Sqlite, 100)?;
        let host = world.serve()?;
        let address = host.lmtp.ok_or("the host has no listener for mail")?;
        let measured = Instant::now() + plan.warm_up;
        let run = Arc::new(Run {
            address,
            name: format!("{:x}", Timestamp::now().as_nanosecond()),
            sent: AtomicU64::new(0),
            measured,
            end: measured + plan.length,
        });
        let mut workers = JoinSet::new();
        for _ in 0..plan.connections {
            let run = run.clone();
            workers.spawn(async move { run.hand_over().await });
        }
        sleep_until(run.measured).await;
        let before = Usage::of(host.id());
        sleep_until(run.end).await;
        let usage = Usage::of(host.id()).zip(before);
        let usage = usage.map(|(after, before)| after.since(before));
        let memory = process::memory(host.id());
        let mut tally = Tally::default();
        while let Some(done) = workers.join_next().await {
            tally.add(&done??)?;
        }
        let report = Report::new(&tally, &plan, usage, memory);
        report.tell(self.json, "mails were not taken")
    }
}

impl Run {
    /// One mail after the other on one connection, as mail servers do; the envelope in one piece (PIPELINING).
    async fn hand_over(&self) -> io::Result<Tally> {
        let mut tally = Tally::default();
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        reply(&mut stream).await?;
        stream.write_all(b"LHLO mx.example.org\r\n").await?;
        reply(&mut stream).await?;
        let (from, to) = (bare(ANNA), bare(BO));
        let envelope = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        while Instant::now() < self.end {
            let mail = self.mail();
            let start = Instant::now();
            stream.write_all(envelope.as_bytes()).await?;
            for expected in ["250", "250", "354"] {
                let said = reply(&mut stream).await?;
                if !said.starts_with(expected) {
                    return Err(io::Error::other(said));
                }
            }
            stream.write_all(mail.as_bytes()).await?;
            let said = reply(&mut stream).await?;
            if start >= self.measured {
                tally.count_named(&name(&said), is_taken(&said), start.elapsed());
            }
        }
        Ok(tally)
    }

    /// An invitation to a meeting that is not known yet, with the dot that ends it.
    fn mail(&self) -> String {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let (from, to, run) = (bare(ANNA), bare(BO), &self.name);
        let (now, start) = (Timestamp::now(), elsewhere(number));
        let end = start + SignedDuration::from_mins(30);
        let (stamp, start, end) = (basic(now), basic(start), basic(end));
        format!(
            "Authentication-Results: mx.example.org;\r\n\tdkim=pass header.d=example.com;\r\n\tdmarc=pass header.from=example.com\r\n\
             From: Anna <{from}>\r\nTo: <{to}>\r\nSubject: Invitation: Meeting\r\nMessage-ID: <{run}-{number}@load.example>\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nAnna invites you to a meeting.\r\n\
             --b\r\nContent-Type: text/calendar; method=REQUEST; charset=UTF-8\r\n\r\n\
             BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Convoke//load//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
             UID:{run}-{number}@load.example\r\nDTSTAMP:{stamp}\r\nSEQUENCE:0\r\nDTSTART:{start}\r\nDTEND:{end}\r\n\
             SUMMARY:Meeting\r\nLOCATION:Room 7\r\nDESCRIPTION:What is to be decided.\r\nSTATUS:CONFIRMED\r\n\
             ORGANIZER:{ANNA}\r\nATTENDEE;PARTSTAT=ACCEPTED:{ANNA}\r\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{BO}\r\n\
             END:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n.\r\n"
        )
    }
}

fn bare(address: &str) -> &str {
    address.strip_prefix("mailto:").unwrap_or(address)
}

/// A mail that changes nothing is answered with 250 as well, and says so.
fn is_taken(said: &str) -> bool {
    said.starts_with("250 2.0.0 taken")
}

/// What a reply is counted as: without what is of one mail alone.
fn name(said: &str) -> String {
    if is_taken(said) {
        return "taken".to_owned();
    }
    said.trim_end().chars().take(60).collect()
}

/// The last line of the next reply.
async fn reply(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}
