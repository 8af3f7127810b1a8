//! Every method of every kind, once.
//!
//! A method is its declaration in the trait (with the documentation, and a default if it may be left out), its form
//! on the wire (`convoke-abi`, and how its values are written and read, in `wire`), and a line here. From this table are
//! made the plugin's side (`guest::open`), the host's side in one process and across two (`remote`), and what the host
//! calls with deadline and breaker (`remote::Client`).
//!
//! A line holds the arguments, each lent as [`lent!`] says, the answer, and
//!
//! | key | what it says |
//! | --- | --- |
//! | `about` | what the call is about, a text: failures are counted by it |
//! | `again` | whether the call may be made again when a process ended under it: `Harmless` if it changes nothing, or changes what it finds in one state only; or if doing it twice is no worse than what is done otherwise |
//! | `limit` | how many items the answer may hold, if it is a page |
//! | `otherwise` | what its default does, if that is anything else than to answer `unsupported`: a process that leaves it out has no defaults of ours |

/// Hands the methods of a trait to the macro `$make`.
macro_rules! methods_of {
    (Discovery, $make:ident) => { $make! { Discovery DiscoveryPlugin RemoteDiscovery:
        // What breaks at one address of a domain breaks at the next.
        discover(address: CalendarAddress) -> Discovered {
            about: address.domain().map_or("", Domain::as_str), again: Harmless
        }
        close() -> () { about: "", again: Harmful }
    }};
    (Policy, $make:ident) => { $make! { Policy PolicyPlugin RemotePolicy:
        authorize(request: AccessRequest) -> Decision {
            about: request.recipient.as_str(), again: Harmless
        }
        close() -> () { about: "", again: Harmful }
    }};
    (Store, $make:ident) => { $make! { Store StorePlugin RemoteStore:
        find(address: CalendarAddress) -> Option<CalendarUser> {
            about: address.as_str(), again: Harmless
        }
        get(user: UserId, uid: Uid) -> Option<StoredObject> { about: user.as_str(), again: Harmless }
        // If the first was made all the same, the second is a conflict, and whoever put the object reads it again and
        // finds its change there. What is put whatever is there could undo what somebody else did meanwhile.
        put(user: UserId, object: NewObject, when: Precondition) -> Etag {
            about: user.as_str(), again: if *when == Precondition::Any { Harmful } else { Harmless }
        }
        remove(user: UserId, uid: Uid, when: Precondition) -> () {
            about: user.as_str(), again: Harmful
        }
        busy(user: UserId, range: TimeRange) -> Busy { about: user.as_str(), again: Harmless }
        add_user(user: NewUser) -> UserId { about: user.address.as_str(), again: Harmful }
        update_user(user: CalendarUser) -> () { about: user.id.as_str(), again: Harmless }
        remove_user(user: UserId) -> () { about: user.as_str(), again: Harmful }
        users(page: Page) -> Listing<CalendarUser> { about: "", again: Harmless, limit: page.len() }
        list(user: UserId, page: Page) -> Listing<ObjectSummary> {
            about: user.as_str(), again: Harmless, limit: page.len()
        }
        changes(user: UserId, since: OptionalCursor) -> Changes {
            about: user.as_str(), again: Harmless
        }
        await_changes(watch: Watch) -> Changed {
            about: "", again: Harmless,
            otherwise: |store, call| $crate::store::poll_changes(store, watch, call).await
        }
        // The later of two takes the place of the earlier.
        inbox_add(user: UserId, message: InboxMessage) -> MessageId {
            about: user.as_str(), again: Harmless
        }
        inbox_list(user: UserId, page: Page) -> Listing<InboxEntry> {
            about: user.as_str(), again: Harmless, limit: page.len()
        }
        inbox_take(user: UserId, id: MessageId) -> InboxMessage {
            about: user.as_str(), again: Harmful
        }
        // The sender would be told 5.1, and send it again.
        deliver(user: UserId, message: InboxMessage) -> Delivery {
            about: user.as_str(), again: Harmless,
            otherwise: |_store, _call| Ok(Delivery::Unhandled)
        }
        close() -> () { about: "", again: Harmful }
    }};
    (State, $make:ident) => { $make! { State StatePlugin RemoteState:
        get(key: Key) -> Option<StateEntry> { about: "", again: Harmless }
        scan(scan: Scan) -> Vec<StateEntry> { about: "", again: Harmless, limit: scan.limit.max(1) as usize }
        // If the first was made all the same, its conditions do not hold any more.
        commit(batch: Batch) -> Committed {
            about: "", again: if batch.conditions.is_empty() { Harmful } else { Harmless }
        }
        await_changes(range: KeyRange) -> () {
            about: "", again: Harmless,
            otherwise: |_state, call| $crate::state::wait(call).await
        }
        close() -> () { about: "", again: Harmful }
    }};
}

/// The type in which an argument is handed to a method: a reference, but for what is as small as one.
macro_rules! lent {
    ($life:lifetime TimeRange) => { $crate::TimeRange };
    ($life:lifetime OptionalCursor) => { Option<&$life $crate::Cursor> };
    ($life:lifetime Key) => { &$life [u8] };
    ($life:lifetime $type:ident) => { &$life $crate::$type };
}

/// The type in which an argument crosses: what is large is lent, and not moved.
macro_rules! sent {
    (AccessRequest) => {
        &convoke_abi::policy::AccessRequest<'_>
    };
    ($type:ident) => {
        <lent!('_ $type) as Write>::Sent
    };
}

/// An argument, with what is to be lent in another form.
#[cfg(feature = "host")]
macro_rules! stage {
    (AccessRequest $it:ident) => {
        $crate::wire::Staged::new($it)
    };
    ($type:ident $it:ident) => {
        $it
    };
}

/// It, written.
#[cfg(feature = "host")]
macro_rules! written {
    (AccessRequest $it:ident) => {
        (&$it).write()
    };
    ($type:ident $it:ident) => {
        $it.write()
    };
}

/// An argument that was written, as it crosses.
#[cfg(feature = "host")]
macro_rules! send {
    (AccessRequest $it:ident) => {
        &$it
    };
    ($type:ident $it:ident) => {
        $it
    };
}

/// An argument that was read, handed to a method.
macro_rules! lend {
    (TimeRange $it:ident) => {
        *$it
    };
    (OptionalCursor $it:ident) => {
        $it.as_ref()
    };
    (Key $it:ident) => {
        $it.as_slice()
    };
    ($type:ident $it:ident) => {
        $it
    };
}

/// Reads an argument: those of the calls that are made most into the memory of one before.
macro_rules! hold {
    (AccessRequest $it:ident) => {
        spare::read::<$crate::AccessRequest, _>($it)
    };
    (CalendarAddress $it:ident) => {
        spare::read::<$crate::CalendarAddress, _>($it)
    };
    (UserId $it:ident) => {
        spare::read::<$crate::UserId, _>($it)
    };
    (Uid $it:ident) => {
        spare::read::<$crate::Uid, _>($it)
    };
    ($type:ident $it:ident) => {
        read::<owned!($type), _>($it)
    };
}

/// The type in which an argument is read.
macro_rules! owned {
    (OptionalCursor) => { Option<$crate::Cursor> };
    (Key) => { Vec<u8> };
    ($type:ident) => { $crate::$type };
}

pub(crate) use {hold, lend, lent, methods_of, owned, sent};
#[cfg(feature = "host")]
pub(crate) use {send, stage, written};
