//! A port that stays, before a host whose port is another one each time it starts; and a trap in it, which tells that so many
//! octets went through, and lets no more of that connection pass.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc::Sender},
    thread,
};

/// Which way octets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the host.
    There,
    /// From it.
    Back,
}

/// The port.
pub(crate) struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    host: Mutex<Option<SocketAddr>>,
    trap: Mutex<Option<Trap>>,
}

struct Trap {
    way: Way,
    /// How many octets may pass still.
    left: usize,
    sprung: Sender<()>,
}

impl Relay {
    /// One behind which nobody is yet.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let host = *serving.host.lock().unwrap();
                // Nobody is there: the connection is closed.
                let Some(Ok(there)) = host.map(TcpStream::connect) else {
                    continue;
                };
                carry(&stream, &there, &serving);
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Where the host listens now, if it does.
    pub(crate) fn leads_to(&self, host: Option<SocketAddr>) {
        *self.shared.host.lock().unwrap() = host;
    }

    /// Has it told when so many octets have passed.
    pub(crate) fn set_trap(&self, way: Way, left: usize, sprung: Sender<()>) {
        let trap = Trap { way, left, sprung };
        *self.shared.trap.lock().unwrap() = Some(trap);
    }

    /// Lets all octets pass again.
    pub(crate) fn remove_trap(&self) {
        self.shared.trap.lock().unwrap().take();
    }
}

impl Shared {
    /// How many of these octets may pass.
    fn pass(&self, way: Way, octets: usize) -> usize {
        let mut trap = self.trap.lock().unwrap();
        match &mut *trap {
            Some(set) if set.way == way && set.left <= octets => {
                let left = set.left;
                // Fails if nobody waits for it any more.
                let _ = set.sprung.send(());
                trap.take();
                left
            }
            Some(set) if set.way == way => {
                set.left -= octets;
                octets
            }
            _ => octets,
        }
    }
}

fn carry(client: &TcpStream, host: &TcpStream, shared: &Arc<Shared>) {
    for way in [Way::There, Way::Back] {
        let (Ok(client), Ok(host)) = (client.try_clone(), host.try_clone()) else {
            return;
        };
        let shared = shared.clone();
        thread::spawn(move || match way {
            Way::There => copy(client, host, way, &shared),
            Way::Back => copy(host, client, way, &shared),
        });
    }
}

/// Until one of both is closed. After a trap was sprung the connection stays open, and nothing passes any more.
fn copy(mut from: TcpStream, mut to: TcpStream, way: Way, shared: &Shared) {
    let mut buffer = [0; 256];
    let mut is_open = true;
    while let Ok(octets @ 1..) = from.read(&mut buffer) {
        if !is_open {
            continue;
        }
        let pass = shared.pass(way, octets);
        if to.write_all(&buffer[..pass]).is_err() {
            break;
        }
        is_open = pass == octets;
    }
    // Both fail only if they are closed.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
