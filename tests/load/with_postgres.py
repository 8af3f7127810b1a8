#!/usr/bin/env python3
"""store-postgres' rows for the table of README.md: one host and several on a PostgreSQL of their own on this machine.

Needs root, the packages that tests/live/run installs, and target/release/convoke and convoke-load:

    tests/load/with_postgres.py [--hosts 1,3] [--events 100,100000] [--seconds 5]

Over TLS, unsigned, every commit synced to the disk (synchronous_commit = on). Where there are several hosts, each has its share of
the connections. Processor time is told for each part, as the hosts, PostgreSQL and who asks share the processors of one machine.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
sys.path.insert(0, str(ROOT / "tests/live"))
os.environ.setdefault("CONVOKE", str(RELEASE / "convoke"))
from postgres import Cluster  # noqa: E402
from world import Authority, Host  # noqa: E402

LOAD = RELEASE / "convoke-load"
PASSWORD = "open-sesame"
TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", default="1,3")
    parser.add_argument("--events", default="100,100000")
    parser.add_argument("--seconds", default="5")
    parser.add_argument("--connections", type=int, default=18)
    given = parser.parse_args()
    print("| hosts | events | message | rate | p50 | p99 | processor of hosts | of PostgreSQL | answers |")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |", flush=True)
    for events in given.events.split(","):
        for hosts in given.hosts.split(","):
            with tempfile.TemporaryDirectory(prefix="convoke-postgres-") as folder:
                one(pathlib.Path(folder), int(hosts), events, given)


def one(folder, many, events, given):
    folder.chmod(0o755)
    cluster = Cluster(folder / "postgres")
    try:
        cluster.sql("ALTER SYSTEM SET fsync = on")
        cluster.sql("ALTER SYSTEM SET synchronous_commit = on")
        cluster.sql("ALTER SYSTEM SET shared_buffers = '512MB'")
        cluster.stop()
        cluster.start()
        cluster.database("convoke", PASSWORD)
        authority = Authority(folder)
        hosts = [host(folder, f"host{number}", cluster, authority) for number in range(many)]
        whole = folder / "calendar.ics"
        whole.write_bytes(subprocess.run([LOAD, "calendar", "--events", events], check=True, capture_output=True).stdout)
        hosts[0].run("user", "add", "bo@example.org")
        hosts[0].run("calendar", "import", "--user", "bo@example.org", whole)
        cluster.sql("VACUUM ANALYZE", "convoke")
        try:
            for running in hosts:
                running.start()
            for name, message in [("free-busy", "free-busy"), ("new REQUEST", "request"), ("update", "update")]:
                row(cluster, hosts, events, name, message, given)
        finally:
            for running in hosts:
                running.stop()
    finally:
        cluster.stop("immediate")


def host(folder, name, cluster, authority):
    secret = folder / "db.password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    database = f'config.url = "{cluster.url("convoke")}"\nconfig.password_file = "{secret}"'
    state = f'[[state]]\nplugin = "state-postgres"\n{database}\n'
    return Host(folder / name, "example.org", authority, store="store-postgres", store_config=database, extra=state)


def row(cluster, hosts, events, name, message, given):
    share = str(max(given.connections // len(hosts), 1))
    before = (sum(map(used, pids(hosts))), database(cluster))
    asking = [ask(one, message, share, given) for one in hosts]
    reports = [json.loads(one.communicate()[0]) for one in asking]
    after = (sum(map(used, pids(hosts))), database(cluster))
    # Those before the measured time count as well in what was used: the share of the measured ones is all that is known.
    rate = sum(it["rate"] for it in reports)
    answers = {}
    for code, count in (pair for it in reports for pair in it["answers"].items()):
        answers[code] = answers.get(code, 0) + count
    done = rate * (float(given.seconds) + WARM_UP)
    of_hosts, of_database = ((late - early) * TICK / done for early, late in zip(before, after))
    p50, p99 = (f"{max(it[key] for it in reports):.2f} ms" for key in ("p50", "p99"))
    told = ", ".join(f"{code}: {count}" for code, count in answers.items())
    print(f"| {len(hosts)} | {events} | {name} | {rate:.0f}/s | {p50} | {p99} | {of_hosts:.0f} µs | {of_database:.0f} µs | {told} |", flush=True)


WARM_UP = 2.0


def ask(host, message, connections, given):
    who = ["--from", "anna@example.com", "--to", "bo@example.org", "--ca", host.authority.certificate]
    how = ["--message", message, "--seconds", given.seconds, "--warm-up", str(WARM_UP), "--connections", connections, "--json"]
    url = f"https://localhost:{host.port}/.well-known/ischedule"
    return subprocess.Popen([LOAD, "run", url, *who, *how], stdout=subprocess.PIPE, text=True)


def pids(hosts):
    return [one.process.pid for one in hosts]


def used(pid):
    """Processor time of a process and of its children that have ended, in ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15]))


def database(cluster):
    """That of all of PostgreSQL."""
    main = int((cluster.data / "postmaster.pid").read_text().split()[0])
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(main)], capture_output=True, text=True).stdout.split()
    total = used(main)
    for child in map(int, children):
        try:
            total += used(child)
        except FileNotFoundError:
            pass  # it has ended, and counts with those that have
    return total


if __name__ == "__main__":
    main()
