#!/usr/bin/env python3
"""store-caldav's rows for the table of README.md: a host in front of CalDAV servers on this machine.

Needs root, the packages that tests/live/run installs, and target/release/convoke and convoke-load:

    tests/load/with_caldav.py [--servers radicale,xandikos,sabre,cyrus] [--events 100,2000] [--seconds 5]

Over TLS, unsigned. The calendars are filled through the host, which is why there are not 100,000 events: the servers
take from a dozen to a hundred a second.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
sys.path.insert(0, str(ROOT / "tests/live"))
os.environ.setdefault("CONVOKE", str(RELEASE / "convoke"))
from caldav_servers import SERVERS  # noqa: E402
from row import row  # noqa: E402
from world import Authority, Host  # noqa: E402

LOAD = RELEASE / "convoke-load"
MONTH = ["--from", "2027-01-01T00:00:00Z", "--to", "2027-02-01T00:00:00Z"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", default=",".join(SERVERS))
    parser.add_argument("--events", default="100,2000")
    parser.add_argument("--seconds", default="5")
    parser.add_argument("--connections", default="16")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convoke-caldav-") as folder:
        folder = pathlib.Path(folder)
        install(folder / "servers")
        authority = Authority(folder)
        for name in given.servers.split(","):
            for events in given.events.split(","):
                one(folder / f"{name}-{events}", name, events, authority, given)


def install(folder):
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "-q", "radicale", "xandikos"], check=True)
    os.environ.update(RADICALE=str(folder / "bin/radicale"), XANDIKOS=str(folder / "bin/xandikos"))


def one(folder, name, events, authority, given):
    folder.mkdir()
    server = SERVERS[name](folder / "server", authority)
    try:
        config = "\n".join(f"config.{line}" for line in server.config("example.org").splitlines())
        host = Host(folder / "host", "example.org", authority, store="store-caldav", store_config=config)
        whole = folder / "calendar.ics"
        whole.write_bytes(subprocess.run([LOAD, "calendar", "--events", events], check=True, capture_output=True).stdout)
        host.run("calendar", "import", "--user", "bo@example.org", whole)
        host.start()
        try:
            measure(host, f"store-caldav, {name}", events, given)
        finally:
            host.stop()
    finally:
        server.stop()


def measure(host, server, events, given):
    begun = time.monotonic()
    [answer] = host.json("freebusy", "--as", "mailto:cleo@example.org", "mailto:bo@example.org", *MONTH, ok=False)
    took = (time.monotonic() - begun) * 1000
    print(f"| {server} | {events} | first question | | {took:.0f} ms | | | {answer['status'].split(';')[0]}: 1 |", flush=True)
    who = ["--from", "anna@example.com", "--to", "bo@example.org", "--ca", host.authority.certificate]
    for name, message in [("free-busy", "free-busy"), ("new REQUEST", "request"), ("update", "update")]:
        row(LOAD, server, events, name, message, given, f"https://localhost:{host.port}/.well-known/ischedule", *who)


if __name__ == "__main__":
    main()
