use super::{
    config,
    guard::{caught, guarded, hear_panics, inside},
    host::Instance,
};
use crate::{
    Discovery, Host, Policy, Result, Store, TimeRange,
    wire::{Garbage, Read, Write},
};
use convoke_abi::{
    ROption, RResult, RStr, RString, TD_Opaque,
    discovery::{self, DiscoveryObject, DiscoveryPlugin, DiscoveryPlugin_TO},
    policy::{self, PolicyObject, PolicyPlugin, PolicyPlugin_TO},
    root::{OpenRequest, Opening},
    services::HostObject,
    store::{self, StoreObject, StorePlugin, StorePlugin_TO},
    values::{Address, Call, Failure, Instant, call},
};
use serde::de::DeserializeOwned;
use std::{future::Future, sync::Arc};

/// Opens a discovery strategy.
pub extern "C" fn open_discovery<D: Discovery>(
    request: OpenRequest,
    host: HostObject,
) -> Opening<DiscoveryObject> {
    open(request, host, D::open, |guest| {
        DiscoveryPlugin_TO::from_value(guest, TD_Opaque)
    })
}

/// Opens a policy.
pub extern "C" fn open_policy<P: Policy>(
    request: OpenRequest,
    host: HostObject,
) -> Opening<PolicyObject> {
    open(request, host, P::open, |guest| {
        PolicyPlugin_TO::from_value(guest, TD_Opaque)
    })
}

/// Opens a store.
pub extern "C" fn open_store<S: Store>(
    request: OpenRequest,
    host: HostObject,
) -> Opening<StoreObject> {
    open(request, host, S::open, |guest| {
        StorePlugin_TO::from_value(guest, TD_Opaque)
    })
}

fn open<C, P, F, O>(
    request: OpenRequest,
    host: HostObject,
    open: fn(C, Host) -> F,
    object: fn(Guest<P>) -> O,
) -> Opening<O>
where
    C: DeserializeOwned + 'static,
    P: Send + 'static,
    F: Future<Output = Result<P>> + Send + 'static,
    O: Send + 'static,
{
    let instance = match caught(|| Instance::new(host)) {
        Ok(Ok(instance)) => Arc::new(instance),
        Ok(Err(error)) | Err(error) => return call(async move { RResult::RErr(error.write()) }),
    };
    hear_panics();
    let opened = guarded(Arc::clone(&instance), async move {
        // The configuration's failure names a key, which an `Error` cannot: both answers are values here.
        let config = match config::read(&request.config) {
            Ok(config) => config,
            Err(failure) => return Ok(Opened(Err(failure))),
        };
        let plugin = Some(open(config, instance.host()).await?);
        Ok(Opened(Ok(object(Guest { plugin, instance }))))
    });
    call(async move { opened.await.and_then(|opened| opened) })
}

struct Opened<O>(Result<O, Failure>);

impl<O> Write for Opened<O> {
    type Sent = RResult<O, Failure>;

    fn write(self) -> Self::Sent {
        self.0.into()
    }
}

/// An opened plugin.
struct Guest<P> {
    /// There until it is dropped.
    plugin: Option<P>,
    instance: Arc<Instance>,
}

impl<P> Guest<P> {
    fn plugin(&self) -> &P {
        (self.plugin.as_ref()).expect("a plugin is not called while it is dropped")
    }

    /// Sends a call of the plugin across, in its guard.
    fn call<'a, T: Write>(
        &'a self,
        future: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Call<'a, T::Sent> {
        guarded(&*self.instance, future)
    }
}

impl<P> Drop for Guest<P> {
    fn drop(&mut self) {
        // A panic here would cross the boundary; there is nobody left to tell.
        let _ = inside(&self.instance, || self.plugin = None);
    }
}

fn read<T: Read<Sent>, Sent>(sent: Sent) -> Result<T> {
    T::read(sent).map_err(Garbage::blame_host)
}

impl<D: Discovery> DiscoveryPlugin for Guest<D> {
    fn discover<'a>(&'a self, address: Address<'a>) -> Call<'a, discovery::Discovered> {
        self.call(async move { self.plugin().discover(&read(address)?).await })
    }
}

impl<P: Policy> PolicyPlugin for Guest<P> {
    fn authorize<'a>(&'a self, request: policy::AccessRequest<'a>) -> Call<'a, policy::Decision> {
        self.call(async move { self.plugin().authorize(&read(request)?).await })
    }
}

impl<S: Store> StorePlugin for Guest<S> {
    fn find<'a>(&'a self, address: Address<'a>) -> Call<'a, ROption<store::CalendarUser>> {
        self.call(async move { self.plugin().find(&read(address)?).await })
    }

    fn get<'a>(&'a self, user: RStr<'a>, uid: RStr<'a>) -> Call<'a, ROption<store::StoredObject>> {
        self.call(async move { self.plugin().get(&read(user)?, &read(uid)?).await })
    }

    fn put<'a>(
        &'a self,
        user: RStr<'a>,
        object: store::NewObject<'a>,
        when: store::Precondition<'a>,
    ) -> Call<'a, RString> {
        self.call(async move {
            let (object, when) = (read(object)?, read(when)?);
            self.plugin().put(&read(user)?, object, when).await
        })
    }

    fn remove<'a>(
        &'a self,
        user: RStr<'a>,
        uid: RStr<'a>,
        when: store::Precondition<'a>,
    ) -> Call<'a, ()> {
        self.call(async move {
            let when = read(when)?;
            self.plugin().remove(&read(user)?, &read(uid)?, when).await
        })
    }

    fn busy<'a>(&'a self, user: RStr<'a>, start: Instant, end: Instant) -> Call<'a, store::Busy> {
        self.call(async move {
            let range = TimeRange::new(read(start)?, read(end)?)?;
            self.plugin().busy(&read(user)?, range).await
        })
    }

    fn add_user(&self, user: store::NewUser) -> Call<'_, RString> {
        self.call(async move { self.plugin().add_user(read(user)?).await })
    }

    fn remove_user<'a>(&'a self, user: RStr<'a>) -> Call<'a, ()> {
        self.call(async move { self.plugin().remove_user(&read(user)?).await })
    }

    fn users<'a>(&'a self, page: store::Page<'a>) -> Call<'a, store::Users> {
        self.call(async move { self.plugin().users(read(page)?).await })
    }

    fn list<'a>(&'a self, user: RStr<'a>, page: store::Page<'a>) -> Call<'a, store::Objects> {
        self.call(async move { self.plugin().list(&read(user)?, read(page)?).await })
    }

    fn changes<'a>(&'a self, user: RStr<'a>, since: ROption<RStr<'a>>) -> Call<'a, store::Changes> {
        self.call(async move { self.plugin().changes(&read(user)?, read(since)?).await })
    }

    fn keep<'a>(&'a self, user: RStr<'a>, message: store::Message<'a>) -> Call<'a, ()> {
        self.call(async move { self.plugin().keep(&read(user)?, read(message)?).await })
    }

    fn deliver<'a>(
        &'a self,
        user: RStr<'a>,
        message: store::Message<'a>,
    ) -> Call<'a, ROption<RString>> {
        self.call(async move { self.plugin().deliver(&read(user)?, &read(message)?).await })
    }
}
