//! A plugin that misbehaves in the way its configuration says.

use convoke_sdk::{prelude::*, tracing};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    fault: Fault,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Fault {
    Panic,
    PanicLater,
    PanicInTask,
    PanicInDrop,
    Hang,
    Error,
    Flood,
    OpenPanic,
    OpenError,
    OpenHang,
}

struct Faulty(Fault);

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
            Fault::OpenError => Err(Error::unavailable("the database is locked")),
            Fault::OpenHang => std::future::pending().await,
            fault => Ok(Self(fault)),
        }
    }

    async fn misbehave<T>(&self) -> Result<T> {
        match self.0 {
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
            Fault::Error => Err(Error::unavailable("the database is locked")),
            Fault::Flood => {
                tracing::warn!("{}", "flood ".repeat(200_000));
                Err(Error::not_found("nothing"))
            }
            _ => panic!("out of cheese"),
        }
    }
}

struct Finder(Faulty);

impl Discovery for Finder {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        Faulty::new(config).await.map(Self)
    }

    async fn discover(&self, _address: &CalendarAddress) -> Result<Discovered> {
        self.0.misbehave().await
    }
}

struct Judge(Faulty);

impl Policy for Judge {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        Faulty::new(config).await.map(Self)
    }

    async fn authorize(&self, _request: &AccessRequest) -> Result<Decision> {
        self.0.misbehave().await
    }
}

struct Keeper(Faulty);

impl Store for Keeper {
    type Config = Config;

    async fn open(config: Config, _host: Host) -> Result<Self> {
        Faulty::new(config).await.map(Self)
    }

    async fn find(&self, _: &CalendarAddress) -> Result<Option<CalendarUser>> {
        self.0.misbehave().await
    }

    async fn get(&self, _: &UserId, _: &Uid) -> Result<Option<StoredObject>> {
        self.0.misbehave().await
    }

    async fn put(&self, _: &UserId, _: NewObject, _: Precondition) -> Result<Etag> {
        self.0.misbehave().await
    }

    async fn remove(&self, _: &UserId, _: &Uid, _: Precondition) -> Result<()> {
        self.0.misbehave().await
    }

    async fn busy(&self, _: &UserId, _: TimeRange) -> Result<Busy> {
        self.0.misbehave().await
    }

    async fn add_user(&self, _: NewUser) -> Result<UserId> {
        self.0.misbehave().await
    }

    async fn remove_user(&self, _: &UserId) -> Result<()> {
        self.0.misbehave().await
    }

    async fn users(&self, _: Page) -> Result<Listing<CalendarUser>> {
        self.0.misbehave().await
    }

    async fn list(&self, _: &UserId, _: Page) -> Result<Listing<ObjectSummary>> {
        self.0.misbehave().await
    }

    async fn changes(&self, _: &UserId, _: Option<Cursor>) -> Result<Changes> {
        self.0.misbehave().await
    }

    async fn keep(&self, _: &UserId, _: KeptMessage) -> Result<()> {
        self.0.misbehave().await
    }

    async fn deliver(&self, _: &UserId, _: &KeptMessage) -> Result<Delivery> {
        self.0.misbehave().await
    }
}

convoke_sdk::plugin! { name: "test-faulty", discovery: Finder, policy: Judge, store: Keeper }
