//! What systemd is told (`Type=notify`, `WatchdogSec=`), by a socket that stands for its own.

use convoke_tests::{Host, Setup, program};
use std::{iter, os::unix::net::UnixDatagram, process::Command, time::Duration};
use tempfile::TempDir;

/// Longer than any wait of a test that passes.
const PATIENCE: Duration = Duration::from_secs(20);
const ALIVE: &str = "WATCHDOG=1\n";

/// The socket of a service manager.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { folder, socket }
    }

    /// A host that is started by it.
    fn of(&self, setup: Setup, more: &[&str]) -> Host {
        let socket = self.folder.path().join("notify");
        let socket = format!("NOTIFY_SOCKET={}", socket.display());
        let wrapper = [&["env", &socket], more].concat();
        setup.through(&wrapper).start()
    }

    /// What it is told next besides that the host is alive.
    fn told_besides(&self) -> String {
        iter::repeat_with(|| self.told())
            .find(|it| it != ALIVE)
            .unwrap()
    }

    /// What it is told next.
    fn told(&self) -> String {
        let mut message = [0; 256];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }
}

#[test]
fn it_is_told_of_the_start_each_reload_and_the_end() {
    let manager = Manager::new();
    let mut host = manager.of(Setup::new(), &[]);
    assert_eq!(manager.told(), "READY=1\n");
    let reload = |done: bool| {
        let mut reload = Command::new(program());
        let reload = reload.arg("reload").arg("--config");
        let output = reload.arg(host.folder().join("convoke.toml")).output();
        assert_eq!(output.unwrap().status.success(), done);
        let told = manager.told();
        let time = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let time: u64 = time
            .unwrap_or_else(|| panic!("{told}"))
            .trim()
            .parse()
            .unwrap();
        assert!(time > 0);
        // The old configuration serves on where the new one is refused.
        assert_eq!(manager.told(), "READY=1\n");
    };
    reload(true);
    std::fs::remove_file(host.folder().join("host.pem")).unwrap();
    reload(false);
    host.signal("TERM");
    assert_eq!(manager.told(), "STOPPING=1\n");
    assert!(host.wait().success());
}

/// Twice in the time after which it would be ended, and no more once the state says nothing: until that is mended.
#[test]
fn it_is_told_that_the_host_lives_while_the_state_answers() {
    let manager = Manager::new();
    let state = "plugin = \"state-sqlite\"\nisolation = \"process\"\nallow.write = [\"kept\"]\nconfig.path = \"kept/state.db\"";
    let setup = Setup::new().folder("kept").table("[[state]]", state);
    let host = manager.of(setup, &["WATCHDOG_USEC=100000"]);
    assert_eq!(manager.told_besides(), "READY=1\n");
    for _ in 0..3 {
        assert_eq!(manager.told(), ALIVE);
    }
    let processes = crate::isolated::processes(&host);
    let [process] = processes.as_slice() else {
        panic!("{processes:?}");
    };
    crate::isolated::send("STOP", process);
    // The host notices after seconds, and starts another process. Told meanwhile is what was asked before.
    host.wait_for("plugin-process-ended");
    manager.socket.set_nonblocking(true).unwrap();
    let told = iter::from_fn(|| manager.socket.recv(&mut [0; 256]).ok()).count();
    assert!(told < 10, "{told}, of some sixty if nobody asked the state");
    manager.socket.set_nonblocking(false).unwrap();
    assert_eq!(manager.told(), ALIVE);
}

/// A host that has a manager's watchdog for another process, or none, says nothing of being alive.
#[test]
fn a_watchdog_of_another_process_is_not_told() {
    let manager = Manager::new();
    let watchdog = ["WATCHDOG_USEC=1000", "WATCHDOG_PID=1"];
    let mut host = manager.of(Setup::new(), &watchdog);
    assert_eq!(manager.told(), "READY=1\n");
    host.signal("TERM");
    assert_eq!(manager.told(), "STOPPING=1\n");
    assert!(host.wait().success());
}
