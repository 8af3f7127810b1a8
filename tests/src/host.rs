//! The real program with real plugins, in a folder of its own.

use crate::{Answer, Authority, Credentials, Peer, Post, plugin_directory, program, write_private};
use command_fds::{CommandFdExt, FdMapping};
use convoke::{
    config::Config,
    state_folder::{self, ListenerNote},
};
use convoke_plugin_host::{Plugins, StoreHandle};
use convoke_sdk::{
    CalendarAddress, CalendarUser, NewObject, NewUser, Precondition, Uid, remote::Kind,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// Longer than any wait of a test that passes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a host is to be like: `example.org` on one SQLite file, open to everybody, until a test says otherwise.
#[derive(Clone, Debug)]
pub struct Setup {
    users: Vec<String>,
    /// Tables of the configuration: (header, text).
    tables: Vec<(String, String)>,
    /// Further keys of `tls` of the receiver.
    receiver: String,
    /// Files to write beside the configuration: (name, text).
    files: Vec<(String, String)>,
    /// The same, which nobody else may read.
    private_files: Vec<(String, String)>,
    domains: Vec<String>,
    /// Further lines of `[server]`.
    server: String,
    /// Folders to make beside the configuration.
    folders: Vec<String>,
    /// Lines of the submission listener's htpasswd file.
    logins: String,
    /// Further keys of the admin listener.
    admin: String,
    /// What starts the program: a command that takes it with its arguments.
    wrapper: Vec<String>,
    /// What a service manager would have opened and passes on.
    sockets: Vec<Arc<TcpListener>>,
}

/// Becomes the program, which is told that it is the one that the sockets are for.
const AS_ACTIVATED: [&str; 4] = ["sh", "-c", "export LISTEN_PID=$$; exec \"$@\"", "sh"];
/// The first descriptor that a service manager passes.
const FIRST_PASSED: i32 = 3;

impl Setup {
    /// `example.org`, without users.
    #[allow(
        clippy::new_without_default,
        reason = "a setup is something that a test says"
    )]
    pub fn new() -> Self {
        let tables = [
            ("[verification]", "required = false"),
            (
                "[client]",
                "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"ca.pem\"",
            ),
            (
                "[[policy]]",
                "plugin = \"policy-rules\"\nconfig.rules = [{ allow = \"any\" }]",
            ),
            (
                "[[store]]",
                "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
            ),
        ];
        Self {
            users: Vec::new(),
            tables: tables
                .into_iter()
                .map(|(header, text)| (header.to_owned(), text.to_owned()))
                .collect(),
            receiver: String::new(),
            files: Vec::new(),
            private_files: Vec::new(),
            domains: vec!["example.org".to_owned()],
            server: String::new(),
            folders: Vec::new(),
            logins: String::new(),
            admin: String::new(),
            wrapper: Vec::new(),
            sockets: Vec::new(),
        }
    }

    /// Passes a socket that listens already, as systemd does (`LISTEN_FDS`); it stays open when the host ends.
    #[must_use]
    pub fn passing(mut self, socket: TcpListener) -> Self {
        self.wrapper = AS_ACTIVATED.map(str::to_owned).to_vec();
        self.sockets.push(Arc::new(socket));
        self
    }

    /// Has a program started with the sockets.
    fn pass_to(&self, command: &mut Command) {
        if self.sockets.is_empty() {
            return;
        }
        let passed = (FIRST_PASSED..).zip(&self.sockets);
        let mappings = passed.map(|(child_fd, socket)| FdMapping {
            parent_fd: OwnedFd::from(socket.try_clone().expect("there are descriptors")),
            child_fd,
        });
        let mapped = command.fd_mappings(mappings.collect());
        mapped.expect("each has a place of its own");
        command.env("LISTEN_FDS", self.sockets.len().to_string());
    }

    /// Who may hand in messages with a password: the text of an htpasswd file.
    #[must_use]
    pub fn logins(mut self, htpasswd: &str) -> Self {
        htpasswd.clone_into(&mut self.logins);
        self
    }

    /// Further keys of the admin listener: `users = "admins.htpasswd"`.
    #[must_use]
    pub fn admin(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.admin);
        self
    }

    /// A folder beside the configuration.
    #[must_use]
    pub fn folder(mut self, name: &str) -> Self {
        self.folders.push(name.to_owned());
        self
    }

    /// Starts the program through another command, which becomes it (`exec`): `["env", "A=B"]`.
    #[must_use]
    pub fn through(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Calendar users of the first store: `anna@example.org`.
    #[must_use]
    pub fn users(mut self, addresses: &[&str]) -> Self {
        self.users = addresses.iter().map(ToString::to_string).collect();
        self
    }

    /// The domains whose users are here.
    #[must_use]
    pub fn server_domains(mut self, domains: &[&str]) -> Self {
        self.domains = domains.iter().map(ToString::to_string).collect();
        self
    }

    /// Further lines of `[server]`.
    #[must_use]
    pub fn server(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.server);
        self
    }

    /// Another text for a table (`[limits]`, `[[policy]]`…), or one that was not there.
    #[must_use]
    pub fn table(mut self, header: &str, text: &str) -> Self {
        self.tables.retain(|(it, _)| it != header);
        self.tables.push((header.to_owned(), text.to_owned()));
        self
    }

    /// Rules of the policy: `[{ allow = "freebusy" }]`.
    #[must_use]
    pub fn rules(self, rules: &str) -> Self {
        self.table(
            "[[policy]]",
            &format!("plugin = \"policy-rules\"\nconfig.rules = {rules}"),
        )
    }

    /// The receiver takes client certificates of the test's authority as proof.
    #[must_use]
    pub fn client_certificates(self) -> Self {
        self.client_ca("\"ca.pem\"")
    }

    /// What the receiver takes for proof: the value of `client_ca`.
    #[must_use]
    pub fn client_ca(mut self, value: &str) -> Self {
        self.receiver = format!(", client_ca = {value}");
        self
    }

    /// A file beside the configuration.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A file beside the configuration that nobody else may read.
    #[must_use]
    pub fn private_file(mut self, name: &str, text: &str) -> Self {
        self.private_files.push((name.to_owned(), text.to_owned()));
        self
    }

    fn config(&self) -> String {
        let mut config = format!(
            "[server]\ndomains = {:?}\nstate = \"state\"\nplugins = [\"{}\"]\nadministrator = \"mailto:admin@example.org\"\n{}\n\
             [[listener]]\nrole = \"receiver\"\naddress = \"127.0.0.1:0\"\ntls = {{ certificate = \"host.pem\", key = \"host.key\"{} }}\n\
             [[listener]]\nrole = \"submission\"\naddress = \"127.0.0.1:0\"\nusers = \"users.htpasswd\"\n\
             [[listener]]\nrole = \"admin\"\naddress = \"127.0.0.1:0\"\n{}\n",
            self.domains,
            plugin_directory().display(),
            self.server,
            self.receiver,
            self.admin
        );
        for (header, text) in &self.tables {
            config.extend([header, "\n", text, "\n"]);
        }
        config
    }

    /// Makes the folder, the certificates and the users, and starts the host.
    ///
    /// # Panics
    ///
    /// If the host does not start.
    pub fn start(self) -> Host {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new();
        fs::write(folder.path().join("ca.pem"), authority.certificate())
            .expect("the folder can be written");
        authority
            .issue(&["localhost", "example.org"])
            .write(folder.path(), "host");
        fs::write(folder.path().join("convoke.toml"), self.config())
            .expect("the folder can be written");
        for name in &self.folders {
            fs::create_dir_all(folder.path().join(name)).expect("the folder can be written");
        }
        for (name, text) in &self.files {
            fs::write(folder.path().join(name), text).expect("the folder can be written");
        }
        for (name, text) in &self.private_files {
            write_private(&folder.path().join(name), text);
        }
        write_private(&folder.path().join("users.htpasswd"), &self.logins);
        let host = Host {
            running: None,
            earlier: String::new(),
            setup: self,
            folder,
            authority,
        };
        host.add_users();
        host.started()
    }
}

/// A host and its folder.
pub struct Host {
    setup: Setup,
    folder: TempDir,
    authority: Authority,
    running: Option<Running>,
    /// The logs of the times that it was [killed](Host::kill).
    earlier: String,
}

struct Running {
    child: Child,
    /// The host ends when it is closed, so not even a test that is killed leaves one behind.
    _stdin: Option<ChildStdin>,
    log: Log,
    /// Ends with the log.
    reader: Option<thread::JoinHandle<()>>,
    listeners: Vec<ListenerNote>,
}

/// What the host has written so far; waiters are told of every line.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<String>, Condvar)>);

impl Log {
    fn text(&self) -> MutexGuard<'_, String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &str) {
        let mut text = self.text();
        text.push_str(line);
        text.push('\n');
        self.0.1.notify_all();
    }
}

impl Host {
    /// Where `role` listens.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn address(&self, role: &str) -> SocketAddr {
        let mut listeners = self.running().listeners.iter();
        let note = listeners.find(|note| note.role == role);
        note.unwrap_or_else(|| panic!("no {role} listener")).address
    }

    /// A connection to the receiver.
    pub fn connect(&self) -> Peer {
        Peer::tls(
            self.address("receiver"),
            &self.authority.certificate(),
            None,
        )
    }

    /// A connection to the receiver with a client certificate.
    pub fn connect_as(&self, client: &Credentials) -> Peer {
        Peer::tls(
            self.address("receiver"),
            &self.authority.certificate(),
            Some(client),
        )
    }

    /// The authority that the host trusts.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The receiver's answer, on a connection of its own.
    pub fn ask(&self, request: &[u8]) -> Answer {
        self.connect().ask(request)
    }

    /// The receiver's answer to a message.
    pub fn post(&self, post: &Post) -> Answer {
        self.ask(&post.to_bytes())
    }

    /// The answer to a message that a service on this machine hands in.
    ///
    /// # Panics
    ///
    /// If the host keeps no token.
    pub fn submit(&self, post: &Post) -> Answer {
        self.hand_in(post).answer()
    }

    /// Hands in a message, and does not wait for the answer.
    ///
    /// # Panics
    ///
    /// If the host keeps no token.
    pub fn hand_in(&self, post: &Post) -> Peer {
        let token = state_folder::token(&self.folder().join("state")).expect("there is a token");
        let post = post
            .clone()
            .with("Authorization", &format!("Bearer {token}"));
        let mut peer = Peer::plain(self.address("submission"));
        peer.send(&post.to_bytes());
        peer
    }

    /// The answer to a GET on a listener without TLS.
    pub fn get(&self, role: &str, target: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Peer::plain(self.address(role)).ask(request.as_bytes())
    }

    /// The object of a user, as the store holds it now, unfolded.
    ///
    /// # Panics
    ///
    /// If the store cannot be asked.
    pub fn stored(&self, user: &str, uid: &str) -> Option<String> {
        let uid = Uid::new(uid).expect("a UID");
        self.with_plugins(async |plugins| {
            let (store, user) = home(&plugins, user).await;
            let object = store
                .get(&user.id, &uid)
                .await
                .expect("the store answers")?;
            let text = String::from_utf8(object.data).expect("calendars are UTF-8");
            Some(text.replace("\r\n ", ""))
        })
    }

    /// Writes an object of a user into the store, as another process does that has it open.
    ///
    /// # Panics
    ///
    /// If the store does not take it.
    pub fn put(&self, user: &str, object: &str) {
        let index = convoke::scheduling::index_service(self.config().limits.messages);
        self.with_plugins(async |plugins| {
            let (store, user) = home(&plugins, user).await;
            let index = index(Some(&user), object.as_bytes()).expect("the object is valid");
            let object = NewObject::new(object.as_bytes().to_vec(), index);
            let put = store.put(&user.id, &object, &Precondition::Any).await;
            put.expect("the store takes it");
        });
    }

    /// Removes an object of a user from the store, as another process does that has it open.
    ///
    /// # Panics
    ///
    /// If the store does not remove it.
    pub fn remove(&self, user: &str, uid: &str) {
        let uid = Uid::new(uid).expect("a UID");
        self.with_plugins(async |plugins| {
            let (store, user) = home(&plugins, user).await;
            let removed = store.remove(&user.id, &uid, &Precondition::Any).await;
            removed.expect("the store removes it");
        });
    }

    /// What the host wrote to its log.
    pub fn log(&self) -> String {
        self.running().log.text().clone()
    }

    /// What the host wrote to its log, and what it wrote each time before it was [killed](Self::kill).
    pub fn whole_log(&self) -> String {
        format!("{}{}", self.earlier, self.log())
    }

    /// The folder with the configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.running().child.id()
    }

    /// Changes the configuration's file; the running host does not know yet.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn configure(&mut self, change: impl FnOnce(Setup) -> Setup) {
        self.setup = change(self.setup.clone());
        fs::write(self.folder().join("convoke.toml"), self.setup.config())
            .expect("the file can be written");
    }

    /// Sends a signal: `"TERM"`, `"HUP"`, `"KILL"`.
    ///
    /// # Panics
    ///
    /// If there is no `kill` program.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.id().to_string()])
            .status();
        assert!(status.expect("there is a kill program").success());
    }

    /// Waits until the log holds `text`.
    ///
    /// # Panics
    ///
    /// If it does not appear.
    pub fn wait_for(&self, text: &str) {
        let log = &self.running().log;
        let waited = log
            .0
            .1
            .wait_timeout_while(log.text(), PATIENCE, |log| !log.contains(text));
        let (log, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let log = log.clone();
        assert!(
            !timeout.timed_out(),
            "`{text}` does not appear in the log:\n{log}"
        );
    }

    /// Waits until the process ends.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn wait(&mut self) -> ExitStatus {
        let running = self.running.as_mut().expect("the host runs");
        running.child.wait().expect("a child can be waited for")
    }

    /// Whether it was started, and neither killed nor waited for since.
    pub fn is_running(&mut self) -> bool {
        let running = self.running.as_mut();
        running.is_some_and(|it| matches!(it.child.try_wait(), Ok(None)))
    }

    /// Kills it at once (SIGKILL), and reads its log to the end. All its plugins must be in its own process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn kill(&mut self) {
        let running = self.running.as_mut().expect("the host runs");
        running.child.kill().expect("a child can be killed");
        running.child.wait().expect("a child can be waited for");
        let reader = running.reader.take();
        reader.map(thread::JoinHandle::join);
        let log = running.log.text().clone();
        self.earlier.push_str(&log);
        running.log.text().clear();
    }

    /// Starts it after it has ended.
    #[must_use]
    pub fn started(mut self) -> Self {
        self.start_again();
        self
    }

    /// Starts it after it has ended, in place.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start_again(&mut self) {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let log = Log::default();
        let (ready, reader) = follow(child.stderr.take().expect("it is piped"), log.clone());
        if ready.recv().is_err() {
            // The log has ended, so the process has.
            let status = child.wait();
            panic!("the host did not start ({status:?}):\n{}", log.text());
        }
        let listeners = state_folder::listener_notes(&self.folder().join("state"));
        self.running = Some(Running {
            _stdin: child.stdin.take(),
            child,
            log,
            reader: Some(reader),
            listeners,
        });
    }

    /// What it says, started after it has ended, when it does not start.
    ///
    /// # Panics
    ///
    /// If it does.
    pub fn refused(&self) -> String {
        let mut command = self.command();
        let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program can be started");
        // Held, or the host would end by itself.
        let stdin = child.stdin.take();
        let output = child.wait_with_output().expect("a child can be waited for");
        drop(stdin);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    fn command(&self) -> Command {
        let program = program();
        let mut command = match self.setup.wrapper.split_first() {
            None => Command::new(program),
            Some((wrapper, arguments)) => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(program);
                command
            }
        };
        self.setup.pass_to(&mut command);
        command
            .args(["serve", "--while-stdin-open", "--config"])
            .arg(self.folder().join("convoke.toml"))
            .current_dir(self.folder());
        command
    }

    /// Reads again where the host listens.
    pub fn note_listeners(&mut self) {
        let listeners = state_folder::listener_notes(&self.folder().join("state"));
        if let Some(running) = &mut self.running {
            running.listeners = listeners;
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the host runs")
    }

    fn add_users(&self) {
        self.with_plugins(async |plugins| {
            for user in &self.setup.users {
                let user = NewUser::new(address(user));
                let store = plugins
                    .stores
                    .for_address(&user.address)
                    .expect("a store serves the domain");
                store.add_user(&user).await.expect("the store makes users");
            }
        });
    }

    fn config(&self) -> Config {
        let config = Config::read(&self.folder().join("convoke.toml"));
        config.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Does something with the host's plugins, opened by this process as the command line opens them.
    fn with_plugins<T>(&self, work: impl AsyncFnOnce(Plugins) -> T) -> T {
        let config = self.config();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .expect("the system gives a runtime")
            .block_on(async {
                let setup = convoke_plugin_host::Setup {
                    program: program(),
                    ..convoke::instance::setup(&config).without(Kind::State)
                };
                let plugins = Plugins::open(&setup).await;
                work(plugins.unwrap_or_else(|error| panic!("{error}"))).await
            })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        // Both fail only if it has ended.
        let _ = running.child.kill();
        let _ = running.child.wait();
        if thread::panicking() {
            eprintln!("--- the host's log ---\n{}", self.log());
        }
    }
}

/// A user, and the store that it is in.
async fn home(plugins: &Plugins, user: &str) -> (Arc<StoreHandle>, CalendarUser) {
    let user = address(user);
    let store = plugins.stores.for_address(&user);
    let store = store.expect("a store serves the domain").clone();
    let found = store.find(&user).await.expect("the store answers");
    (store, found.expect("there is such a user"))
}

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).expect("an address")
}

/// Collects the log; says once when the host is ready.
fn follow(
    stderr: impl std::io::Read + Send + 'static,
    log: Log,
) -> (mpsc::Receiver<()>, thread::JoinHandle<()>) {
    let (ready, seen) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut ready = Some(ready);
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            log.add(&line);
            if line.contains("\"ready\"") {
                // Fails only if nobody waits any more.
                let _ = ready.take().map(|ready| ready.send(()));
            }
        }
    });
    (seen, reader)
}
