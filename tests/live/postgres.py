"""PostgreSQL of a test's own: a cluster under a temporary folder, PgBouncer before it, and a way there that can be cut."""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time

from world import free_port

BIN = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda it: int(it.parent.name))


def as_postgres():
    """PostgreSQL refuses to run as root; the package makes a user for it."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]


def give(folder):
    """Gives a folder to the user that runs PostgreSQL."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        postgres = pwd.getpwnam("postgres")
        os.chown(folder, postgres.pw_uid, postgres.pw_gid)
        # It must be able to get there.
        for parent in folder.parents[:-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


class Cluster:
    """A PostgreSQL that runs. Its superuser is `postgres`; passwords are asked for over TCP."""

    def __init__(self, folder):
        self.folder = give(folder)
        self.data, self.port = folder / "data", free_port()
        self.call("initdb", "--pgdata", self.data, "--username", "postgres", "--auth-local", "trust", "--auth-host",
                  "scram-sha-256", "--encoding", "UTF8", "--no-sync", "--locale", "C.UTF-8")
        self.set(listen_addresses="127.0.0.1", port=self.port, unix_socket_directories=folder, fsync="off",
                 max_connections=60, log_min_messages="fatal", deadlock_timeout="200ms")
        self.start()

    def set(self, **settings):
        with open(self.data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def call(self, program, *args):
        done = subprocess.run([*as_postgres(), BIN / program, *args], capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")

    def start(self):
        self.call("pg_ctl", "start", "--wait", "--pgdata", self.data, "--log", self.folder / "log")

    def stop(self, mode="fast"):
        if not (self.data / "postmaster.pid").exists():
            return  # it was killed
        self.call("pg_ctl", "stop", "--wait", "--mode", mode, "--pgdata", self.data)

    def kill(self):
        """`kill -9` of all of it, as when the machine goes."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
        for one in [pid, *map(int, children)]:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for left in [self.data / "postmaster.pid", self.folder / f".s.PGSQL.{self.port}.lock"]:
            left.unlink(missing_ok=True)

    def sql(self, statement, database="postgres"):
        """The answer, a line for each row, columns separated by bars."""
        done = subprocess.run(["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U",
                               "postgres", "-c", statement, database], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def holding(self, statement, database):
        """A session that keeps what a statement locks, until its input is closed."""
        session = subprocess.Popen(["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "postgres",
                                    database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        session.stdin.write(f"BEGIN; {statement}; SELECT 'held';\n")
        session.stdin.flush()
        while session.stdout.readline().strip() != "held":
            pass
        return session

    def database(self, name, password="open-sesame"):
        """A database of that name, of a user of that name."""
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self.sql(f"CREATE DATABASE {name} OWNER {name}")
        return name

    def url(self, name, more="", port=None):
        return f"postgres://{name}@127.0.0.1:{port or self.port}/{name}{more}"


class Standby(Cluster):
    """Follows a primary; it is named in the primary's `synchronous_standby_names` if it is synchronous."""

    def __init__(self, folder, primary, synchronous):
        self.folder = give(folder)
        self.data, self.port = folder / "data", free_port()
        self.call("pg_basebackup", "--pgdata", self.data, "--checkpoint", "fast", "--write-recovery-conf", "--no-sync", "--dbname",
                  f"host={primary.folder} port={primary.port} user=postgres application_name=standby")
        self.set(port=self.port, unix_socket_directories=folder)
        self.start()
        if synchronous:
            # Later than the copy: it would wait for itself once it is promoted.
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.sql("SELECT pg_reload_conf()")
        state = "sync" if synchronous else "async"
        while primary.sql("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") != state:
            time.sleep(0.05)

    def promote(self):
        self.call("pg_ctl", "promote", "--wait", "--pgdata", self.data)


class PgBouncer:
    """Pools transactions, as most of them do that run."""

    def __init__(self, folder, cluster, user, password):
        give(folder)
        self.port = free_port()
        (folder / "users.txt").write_text(f'"{user}" "{password}"\n')
        (folder / "pgbouncer.ini").write_text(f"""
[databases]
* = host=127.0.0.1 port={cluster.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder / "users.txt"}
pool_mode = transaction
default_pool_size = 4
""")
        self.process = subprocess.Popen([*as_postgres(), shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "-q",
                                         folder / "pgbouncer.ini"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        reached(self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def reached(port):
    """Waits until somebody listens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Way:
    """A way to a port. Once somebody has logged in it cuts the connection now and then: before what is asked gets there, and before
    the answer comes back."""

    def __init__(self, to, every):
        self.to, self.every, self.passed, self.cuts = to, every, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                ends = [near, socket.create_connection(("127.0.0.1", self.to))]
            except OSError:
                return
            logged_in = threading.Event()
            for one, other in (ends, ends[::-1]):
                threading.Thread(target=self.pass_on, args=(one, other, logged_in), daemon=True).start()

    def pass_on(self, one, other, logged_in):
        try:
            while octets := one.recv(65536):
                if logged_in.is_set() and self.is_cut():
                    break
                if octets.endswith(b"Z\x00\x00\x00\x05I"):  # "ready for query", idle
                    logged_in.set()
                other.sendall(octets)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def is_cut(self):
        with self.lock:
            self.passed += 1
            cut = self.passed % self.every == 0
            self.cuts += cut
            return cut

    def stop(self):
        self.listener.close()
