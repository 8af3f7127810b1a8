#!/usr/bin/env python3
"""What calendar programs wait for at a CalDAV server, with the caldav listener in front of it and without.

Needs the packages that tests/live/run installs, and target/release/convoke:

    tests/load/behind_caldav.py [--servers radicale,xandikos] [--objects 1000] [--rounds 50]

Each kind of request goes both ways in turns, on connections that are kept; the median of all rounds is shown.
"""

import argparse
import base64
import http.client
import os
import pathlib
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
sys.path.insert(0, str(ROOT / "tests/live"))
os.environ.setdefault("CONVOKE", str(RELEASE / "convoke"))
from caldav_servers import SERVERS  # noqa: E402
from test_upstream import listener, port_of  # noqa: E402
from world import Authority, Host  # noqa: E402

XML = {"Content-Type": "application/xml", "Depth": "1"}
FIND = '<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>'
SYNC = '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", default="radicale,xandikos")
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args()
    print("| server | request | without | with | added |\n| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="convoke-behind-") as folder:
        folder = pathlib.Path(folder)
        if "RADICALE" not in os.environ or "XANDIKOS" not in os.environ:
            subprocess.run([sys.executable, "-m", "venv", folder / "servers"], check=True)
            subprocess.run([folder / "servers/bin/pip", "install", "-q", "radicale", "xandikos"], check=True)
            os.environ.update({name.upper(): str(folder / "servers/bin" / name) for name in ("radicale", "xandikos")})
        authority = Authority(folder)
        for name in given.servers.split(","):
            one(folder / name, name, authority, given)


def one(folder, name, authority, given):
    folder.mkdir()
    server = SERVERS[name](folder / "server", authority)
    try:
        config = "\n".join(f"config.{line}" for line in [*server.config("example.org").splitlines(), "poll_interval = 3600"] if line)
        host = Host(folder / "host", "example.org", authority, store="store-caldav", store_config=config,
                    extra=listener(folder / "host", authority, f'upstream = "http://127.0.0.1:{server.port}"'))
        host.start()
        try:
            measure(name, server, host, authority, given)
        finally:
            host.stop()
    finally:
        server.stop()


def measure(name, server, host, authority, given):
    context = ssl.create_default_context(cafile=authority.certificate)
    login = base64.b64encode(f"bo:{server.password('bo')}".encode()).decode()
    ways = [Way(http.client.HTTPConnection("127.0.0.1", server.port, timeout=120), login),
            Way(http.client.HTTPSConnection("localhost", port_of(host, "caldav"), context=context, timeout=120), login)]
    direct = ways[0]
    calendar = "/bo/load/" if name == "radicale" else "/bo/calendars/load/"
    direct.ask("MKCALENDAR", calendar)
    hrefs = [f"{calendar}{number}.ics" for number in range(given.objects)]
    for number, href in enumerate(hrefs):
        direct.ask("PUT", href, event(number, 0), {"Content-Type": "text/calendar"})
    multiget = ('<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>'
                + "".join(f"<href>{href}</href>" for href in hrefs[:100]) + "</C:calendar-multiget>")
    token = lambda answer: re.search(r"<(?:\w+:)?sync-token>([^<]*)<", answer).group(1)
    report(name, "PROPFIND of the calendar", ways, given.rounds, lambda way, _: way.ask("PROPFIND", calendar, FIND, XML))
    report(name, "multiget of 100", ways, given.rounds, lambda way, _: way.ask("REPORT", calendar, multiget, XML))
    known = token(direct.ask("REPORT", calendar, SYNC.format(""), XML))

    def change(number):
        nonlocal known
        known = token(direct.ask("REPORT", calendar, SYNC.format(known), XML))
        direct.ask("PUT", hrefs[0], event(0, number + 1), {"Content-Type": "text/calendar"})

    report(name, "sync after one change", ways, given.rounds, lambda way, _: way.ask("REPORT", calendar, SYNC.format(known), XML), change)


def report(server, what, ways, rounds, ask, before=lambda number: None):
    times = [[] for _ in ways]
    for number in range(rounds):
        before(number)
        # Whoever comes second finds the server's caches warm.
        for place in (0, 1) if number % 2 else (1, 0):
            begun = time.perf_counter()
            ask(ways[place], number)
            times[place].append((time.perf_counter() - begun) * 1000)
    without, with_it = (statistics.median(each) for each in times)
    print(f"| {server} | {what} | {without:.2f} ms | {with_it:.2f} ms | {with_it - without:.2f} ms |", flush=True)


class Way:
    """A kept connection of somebody who logs in."""

    def __init__(self, connection, login):
        self.connection, self.login = connection, login

    def ask(self, method, path, body=None, headers=()):
        self.connection.request(method, path, body=body, headers={"Authorization": f"Basic {self.login}", **dict(headers)})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        assert answer.status < 300, (method, path, answer.status, text)
        return text


def event(number, version):
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//load//EN\r\nBEGIN:VEVENT\r\nUID:load-{number}\r\nDTSTAMP:20261120T000000Z\r\n"
            f"DTSTART:202701{number % 28 + 1:02}T100000Z\r\nDURATION:PT1H\r\nSUMMARY:Event {number} {version}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")


if __name__ == "__main__":
    main()
