#!/usr/bin/env python3
"""Cyrus's rows for the table of README.md: what `convoke-load` sees of Debian's Cyrus on this machine.

Needs root, the packages that tests/live/run installs, and target/release/convoke-load:

    tests/load/beside_cyrus.py [--events 2000] [--seconds 10] [--connections 16]

Neither TLS nor signatures, as Debian's Cyrus has none of its own. Its free-busy over iSchedule is always empty, so the
row to hold Convoke against is that of its CalDAV outbox, which reads calendars.
"""

import argparse
import base64
import http.client
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))
os.environ.setdefault("CONVOKE", "not run here")
from cyrus import Cyrus  # noqa: E402
from row import row  # noqa: E402
from world import Authority  # noqa: E402

LOAD = ROOT / "target/release/convoke-load"
LOGIN = "Basic " + base64.b64encode(b"bo:secret").decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--seconds", default="10")
    parser.add_argument("--connections", default="16")
    parser.add_argument("--load", type=pathlib.Path, default=LOAD, help="the load program")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convoke-cyrus-") as folder:
        folder = pathlib.Path(folder)
        authority = Authority(folder)
        cyrus = Cyrus(folder / "cyrus", *authority.issue("localhost"), ["bo"])
        try:
            fill(cyrus, given)
            measure(cyrus, given)
        finally:
            cyrus.stop()


def fill(cyrus, given):
    """Puts a calendar of so many events where free-busy looks."""
    whole = subprocess.run([given.load, "calendar", "--events", str(given.events)], check=True, capture_output=True).stdout.decode()
    begin, *events = whole.replace("END:VCALENDAR\r\n", "").split("BEGIN:VEVENT\r\n")
    assert len(events) == given.events
    connection = http.client.HTTPConnection("127.0.0.1", cyrus.http)
    headers = {"Authorization": LOGIN, "Content-Type": "text/calendar"}
    for number, event in enumerate(events):
        body = f"{begin}BEGIN:VEVENT\r\n{event}END:VCALENDAR\r\n"
        connection.request("PUT", f"/dav/calendars/user/bo/Default/{number}.ics", body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201, f"event {number}: {answer.status}"


def measure(cyrus, given):
    receiver = f"http://127.0.0.1:{cyrus.http}/ischedule"
    outbox = f"http://127.0.0.1:{cyrus.http}/dav/calendars/user/bo/Outbox/"
    stranger = ["--from", "anna@example.com", "--to", "bo@example.org"]
    person = ["--from", "bo@example.org", "--to", "bo@example.org", "--header", f"Authorization: {LOGIN}"]
    for name, url, who, message in [
        ("free-busy, CalDAV outbox", outbox, person, "free-busy"),
        ("free-busy, iSchedule (always empty)", receiver, stranger, "free-busy"),
        ("new REQUEST", receiver, stranger, "request"),
        ("update", receiver, stranger, "update"),
    ]:
        row(given.load, "Cyrus, plain", given.events, name, message, given, url, *who)


if __name__ == "__main__":
    main()
