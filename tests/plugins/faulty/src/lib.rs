//! A plugin that misbehaves in the way its configuration says.

mod calls;

use convoke_sdk::{prelude::*, tracing};
use std::{io, path::Path, time::Duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    fault: Fault,
    #[serde(default)]
    what: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Fault {
    Panic,
    PanicLater,
    PanicInTask,
    PanicInDrop,
    Hang,
    /// Answers, but much later.
    Sleep,
    /// Finds nobody, once there is a file called `what`.
    Wait,
    /// Starts threads that panic, and threads that go on.
    Threads,
    /// Answers with more than anybody asked for.
    Huge,
    Error,
    /// Says `what`: in the log, as an error, as a reason.
    Speak,
    Flood,
    OpenPanic,
    OpenError,
    OpenHang,
    /// Takes its time to close, and says when it has.
    Close,
    // What only a process of its own contains.
    /// Keeps its thread, and no processor.
    Block,
    /// Says to the host what is no message.
    Garbage,
    /// Starts threads without end.
    Crowd,
    /// Makes the system call called `what`.
    Call,
    Segfault,
    Abort,
    Exit,
    Loop,
    Allocate,
    OpenAbort,
    LogForEver,
    // What such a process may not do unless it is granted; `what` says with what.
    Read,
    Write,
    Connect,
    Run,
    Signal,
    /// Opens files without end; tells how far it came.
    Hoard,
    /// Nothing: tells what it sees of its surroundings.
    Tell,
}

struct Faulty {
    fault: Fault,
    what: String,
}

/// Panics when the future that holds it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("even dropping fails");
    }
}

impl Faulty {
    async fn new(config: Config) -> Result<Self> {
        match config.fault {
            Fault::OpenPanic => panic!("cannot even open"),
            Fault::OpenError if !config.what.is_empty() => Err(Error::invalid(config.what)),
            Fault::OpenError => Err(Error::unavailable("the database is locked")),
            Fault::OpenHang => std::future::pending().await,
            Fault::OpenAbort => std::process::abort(),
            fault => Ok(Self {
                fault,
                what: config.what,
            }),
        }
    }

    /// The address of someone about whom it answers as it should.
    fn knows(address: &CalendarAddress) -> bool {
        address.as_str().starts_with("mailto:fine@")
    }

    async fn misbehave<T>(&self) -> Result<T> {
        match self.fault {
            Fault::PanicLater => {
                tokio::task::yield_now().await;
                panic!("out of {}", "cheese");
            }
            Fault::PanicInTask => {
                let task = tokio::spawn(async { panic!("a task of mine") });
                Err(Error::internal(format!(
                    "{:?}",
                    task.await.map_err(|e| e.is_panic())
                )))
            }
            Fault::PanicInDrop => {
                let _bomb = Bomb;
                std::future::pending().await
            }
            Fault::Hang => std::future::pending().await,
            Fault::Sleep => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Err(Error::not_found("good morning"))
            }
            Fault::Threads => {
                for number in 0..50 {
                    std::thread::spawn(move || {
                        tracing::warn!("thread {number}");
                        assert!(number % 2 == 0, "a thread of mine");
                        std::thread::sleep(Duration::from_secs(1));
                    });
                }
                Err(Error::not_found("look elsewhere"))
            }
            Fault::Huge => Err(Error::not_found("x".repeat(10_000_000))),
            Fault::Error => Err(Error::unavailable("the database is locked")),
            Fault::Speak => {
                tracing::warn!(field = %self.what, "{}", self.what);
                Err(Error::unavailable(self.what.clone()))
            }
            Fault::Flood => {
                tracing::warn!("{}", "flood ".repeat(200_000));
                Err(Error::not_found("nothing"))
            }
            Fault::Segfault => loop {
                // Rust's own handler takes the first one for a stack overflow that might be.
                nix::sys::signal::raise(nix::sys::signal::SIGSEGV).map_err(io::Error::from)?;
            },
            Fault::Abort => std::process::abort(),
            Fault::Block => {
                std::thread::sleep(Duration::from_secs(3600));
                Err(Error::not_found("good morning"))
            }
            Fault::Garbage => {
                calls::garbage();
                std::future::pending().await
            }
            Fault::Crowd => {
                calls::crowd();
                std::future::pending().await
            }
            Fault::Call => tried(calls::make(&self.what)),
            Fault::Exit => std::process::exit(3),
            Fault::Loop => loop {
                std::hint::spin_loop();
            },
            Fault::Allocate => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1_u8; 1 << 20]);
                    std::hint::black_box(&hoard);
                }
            }
            Fault::LogForEver => loop {
                tracing::warn!("and another thing");
            },
            Fault::Read => tried(std::fs::read(&self.what)),
            Fault::Write => tried(std::fs::write(&self.what, "mine")),
            Fault::Connect => tried(std::net::TcpStream::connect(&self.what)),
            Fault::Run => tried(std::process::Command::new(&self.what).status()),
            Fault::Signal => {
                let process = self.what.parse().map_err(|_| Error::invalid("no number"))?;
                let process = nix::unistd::Pid::from_raw(process);
                tried(nix::sys::signal::kill(process, None).map_err(io::Error::from))
            }
            Fault::Hoard => {
                let opened = || std::fs::File::open("/dev/null");
                let mut hoard = Vec::new();
                let refused = loop {
                    match opened() {
                        Ok(file) => hoard.push(file),
                        Err(error) => break error,
                    }
                };
                Err(Error::denied(format!("{} files: {refused}", hoard.len())))
            }
            Fault::Tell => Err(Error::denied(surroundings())),
            _ => panic!("out of cheese"),
        }
    }
}

/// `NotFound` if it worked, as a store that was asked for nobody; what the system said otherwise.
fn tried<T, R>(outcome: io::Result<R>) -> Result<T> {
    match outcome {
        Ok(_) => Err(Error::not_found("it worked")),
        Err(error) => Err(Error::denied(error.to_string())),
    }
}

/// The environment, the arguments, and where the open descriptors lead.
fn surroundings() -> String {
    let variables: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
    let open: Vec<_> = (0..200)
        .filter_map(|descriptor| std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok())
        .collect();
    let arguments: Vec<_> = std::env::args().collect();
    format!("{variables:?} {arguments:?} {open:?}")
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if self.fault == Fault::Close {
            std::thread::sleep(Duration::from_millis(300));
            tracing::warn!("closed at leisure");
        }
    }
}

struct Finder(Faulty);

impl Discovery for Finder {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        Faulty::new(config).await.map(Self)
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        if Faulty::knows(address) {
            return Ok(Discovered::NoService);
        }
        if self.0.fault == Fault::Huge {
            let url = ReceiverUrl::new("https://cal.example.com/")?;
            return Ok(Discovered::Receivers(vec![Receiver::new(url); 10_000]));
        }
        self.0.misbehave().await
    }
}

struct Judge(Faulty);

impl Policy for Judge {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        Faulty::new(config).await.map(Self)
    }

    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        if Faulty::knows(&request.recipient) {
            return Ok(Decision::allow());
        }
        if self.0.fault == Fault::Huge {
            return Ok(Decision::deny("x".repeat(10_000_000)));
        }
        if self.0.fault == Fault::Speak {
            return Ok(Decision::deny(self.0.what.clone()));
        }
        self.0.misbehave().await
    }
}

struct Keeper(Faulty);

impl Store for Keeper {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        Faulty::new(config).await.map(Self)
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        if Faulty::knows(address) {
            return Ok(None);
        }
        if self.0.fault == Fault::Wait {
            tracing::info!("it waits");
            while !Path::new(&self.0.what).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            return Ok(None);
        }
        self.0.misbehave().await
    }

    async fn get(&self, _: &UserId, _: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        self.0.misbehave().await
    }

    async fn put(&self, _: &UserId, _: &NewObject, _: &Precondition, _: &Call) -> Result<Etag> {
        self.0.misbehave().await
    }

    async fn remove(&self, _: &UserId, _: &Uid, _: &Precondition, _: &Call) -> Result<()> {
        self.0.misbehave().await
    }

    async fn busy(&self, _: &UserId, _: TimeRange, _: &Call) -> Result<Busy> {
        self.0.misbehave().await
    }

    async fn add_user(&self, _: &NewUser, _: &Call) -> Result<UserId> {
        self.0.misbehave().await
    }

    async fn update_user(&self, _: &CalendarUser, _: &Call) -> Result<()> {
        self.0.misbehave().await
    }

    async fn inbox_list(&self, _: &UserId, _: &Page, _: &Call) -> Result<Listing<InboxEntry>> {
        self.0.misbehave().await
    }

    async fn inbox_take(&self, _: &UserId, _: &MessageId, _: &Call) -> Result<InboxMessage> {
        self.0.misbehave().await
    }

    async fn remove_user(&self, _: &UserId, _: &Call) -> Result<()> {
        self.0.misbehave().await
    }

    async fn users(&self, _: &Page, _: &Call) -> Result<Listing<CalendarUser>> {
        self.0.misbehave().await
    }

    async fn list(&self, _: &UserId, _: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        if self.0.fault == Fault::Huge {
            let component = "x".repeat(1000);
            let summary = ObjectSummary::new(Uid::new("u")?, component, Etag::new("e")?);
            let next = Cursor::new("x".repeat(10_000_000));
            return Ok(Listing::new(vec![summary; 10_000], Some(next)));
        }
        self.0.misbehave().await
    }

    async fn changes(&self, _: &UserId, _: Option<&Cursor>, _: &Call) -> Result<Changes> {
        self.0.misbehave().await
    }

    async fn inbox_add(&self, _: &UserId, _: &InboxMessage, _: &Call) -> Result<MessageId> {
        self.0.misbehave().await
    }

    async fn deliver(&self, _: &UserId, _: &InboxMessage, _: &Call) -> Result<Delivery> {
        self.0.misbehave().await
    }
}

convoke_sdk::plugin! { name: "test-faulty", discovery: Finder, policy: Judge, store: Keeper }
