//! A plugin that answers from memory, to see what the boundary costs: its types are called directly and through its
//! library, see `benches/boundary.rs`.

use convoke_sdk::prelude::*;

/// One receiver for one domain.
#[derive(Debug)]
pub struct Finder {
    domain: Domain,
    url: ReceiverUrl,
}

impl Discovery for Finder {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        Ok(Self {
            domain: Domain::new("example.com")?,
            url: ReceiverUrl::new("https://cal.example.com/.well-known/ischedule")?,
        })
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        Ok(match address.domain() {
            Ok(domain) if *domain == self.domain => Discovered::receiver(self.url.clone()),
            _ => Discovered::NotMine,
        })
    }
}

/// Busy time is for everybody.
#[derive(Debug)]
pub struct Judge;

impl Policy for Judge {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        Ok(Self)
    }

    async fn authorize(&self, request: &AccessRequest, _: &Call) -> Result<Decision> {
        Ok(match request.action {
            Action::FreeBusy => Decision::allow(),
            _ => Decision::Abstain,
        })
    }
}

/// One user who is never busy.
#[derive(Debug)]
pub struct Keeper(CalendarUser);

impl Store for Keeper {
    type Config = ();

    async fn open((): (), _host: Host) -> Result<Self> {
        let anna = CalendarAddress::new("anna@example.org")?;
        Ok(Self(CalendarUser::new(UserId::new("anna")?, anna)))
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        Ok(self.0.answers_to(address).then(|| self.0.clone()))
    }

    async fn get(&self, _: &UserId, _: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        Ok(None)
    }

    async fn put(&self, _: &UserId, _: &NewObject, _: &Precondition, _: &Call) -> Result<Etag> {
        Err(Error::denied("nothing is kept"))
    }

    async fn remove(&self, _: &UserId, _: &Uid, _: &Precondition, _: &Call) -> Result<()> {
        Err(Error::not_found("nothing is kept"))
    }

    async fn busy(&self, _: &UserId, _: TimeRange, _: &Call) -> Result<Busy> {
        Ok(Busy::default())
    }
}

convoke_sdk::plugin! { name: "test-quick", discovery: Finder, policy: Judge, store: Keeper }
