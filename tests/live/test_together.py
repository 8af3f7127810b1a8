"""One calendar that six programs change at the same time, each its own part of it: nothing of anybody gets lost.

    meadow (store-vdir), khal  ->  a tree of files  <-  vdirsyncer  ->  Radicale  <-  pond (store-caldav), a phone
"""

import base64
import os
import subprocess
import threading
import unittest
import urllib.request

from caldav_servers import Radicale
from world import *

KHAL, VDIRSYNCER = os.environ["KHAL"], os.environ["VDIRSYNCER"]
ANNA = "mailto:anna@harbour.example"
DAYS = range(1, 13)


def moved(day):
    return day % 2 == 0


def removed(day):
    return day % 3 == 0


def expected(month, first, then):
    """When somebody's appointments are in the end: one a day, some moved, some removed."""
    return [f"2027-{month:02}-{day:02}T{then if moved(day) else first:02}:00:00Z" for day in DAYS if not removed(day)]


class Together(unittest.TestCase):
    def setUp(self):
        directory = folder()
        self.addCleanup(directory.cleanup)
        self.base = path(directory)
        authority = Authority(self.base)
        self.server = Radicale(self.base / "radicale", authority)
        self.addCleanup(self.server.stop)
        self.meadow = Host(self.base / "meadow", "meadow.example", authority, store="store-vdir")
        self.meadow.run("user", "add", "mailto:bo@meadow.example", "--timezone", "Europe/Berlin")
        config = "\n".join(f"config.{line}" for line in self.server.config("pond.example").splitlines())
        self.pond = Host(self.base / "pond", "pond.example", authority, store="store-caldav", store_config=config)
        for host in (self.meadow, self.pond):
            self.addCleanup(host.stop)
            host.start()

    def test_everybody_at_once(self):
        self.phone("MKCALENDAR", "")
        self.deliver(self.meadow, 4, 1)
        self.tree = next((self.meadow.folder / "calendars").rglob("*.ics")).parent
        self.configure()
        self.at_once(
            lambda day: self.meetings(self.meadow, 4, day),
            lambda day: self.meetings(self.pond, 5, day),
            self.in_khal,
            self.on_the_phone,
        )
        for _ in range(2):
            self.assertEqual(self.vdirsyncer("sync"), 0, (self.base / "vdirsyncer.log").read_text())

        parts = {"store-vdir": expected(4, 10, 12), "store-caldav": expected(5, 10, 12), "khal": expected(6, 13, 15), "phone": expected(7, 8, 9)}
        for host in (self.meadow, self.pond):
            for (whose, wanted), month in zip(parts.items(), range(4, 8)):
                with self.subTest(host=host.domain, whose=whose):
                    self.assertEqual(self.busy(host, month), wanted)
            log = (host.folder / "log").read_text().splitlines()
            # what this world is like: open to everybody, one authority for all, and as many files as the machine allows
            known = ("VERIFICATION IS OFF", 'event="client-authority"', 'event="descriptor-limit"')
            trouble = [line for line in log if ("WARN" in line or "ERROR" in line) and not any(it in line for it in known)]
            self.assertEqual(trouble, [])
        self.assertEqual(self.exported(self.meadow), self.exported(self.pond))

    def at_once(self, *parts):
        """Runs all at the same time, day by day, vdirsyncer going round and round until the others have ended."""
        failed, over, day_begins = [], threading.Event(), threading.Barrier(len(parts))

        def run(part):
            try:
                for day in DAYS:
                    day_begins.wait(timeout=60)
                    part(day)
            except BaseException as error:
                failed.append(error)
                day_begins.abort()

        def round_and_round():
            while not over.is_set():
                self.vdirsyncer("sync")  # may stumble over what changes under its feet, and then says so

        threads = [threading.Thread(target=run, args=(part,)) for part in parts]
        syncing = threading.Thread(target=round_and_round)
        for thread in (syncing, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        over.set()
        syncing.join()
        if failed:
            raise failed[0]

    def deliver(self, host, month, day, method="REQUEST", hour=10, sequence=0):
        bo, date = f"mailto:bo@{host.domain}", f"2027{month:02}{day:02}"
        message = event(method, ANNA, [bo], uid=f"{host.domain}-{day}", sequence=sequence, start=f"{date}T{hour:02}0000Z",
                        end=f"{date}T{hour + 1:02}0000Z", stamp=f"20261120T0000{sequence:02}Z")
        self.assertEqual(statuses(host.post("VEVENT", method, ANNA, bo, message)), [(bo, "2.0")])

    def meetings(self, host, month, day):
        self.deliver(host, month, day)
        if moved(day):
            self.deliver(host, month, day, hour=12, sequence=1)
        if removed(day):
            self.deliver(host, month, day, "CANCEL", hour=12 if moved(day) else 10, sequence=2)

    def in_khal(self, day):
        date = f"2027-06-{day:02}"
        self.khal("new", "-a", "mine", date, "15:00", "16:00", f"Dentist{day:02}")
        if moved(day):
            self.khal("edit", "--show-past", f"Dentist{day:02}", text=f"t\n{date} 17:00 18:00\nq\n")
        if removed(day):
            self.khal("edit", "--show-past", f"Dentist{day:02}", text="D\ny\n")

    def on_the_phone(self, day):
        name, date = f"phone-{day}.ics", f"202707{day:02}"
        entry = lambda hour: event(None, ANNA, [], uid=f"phone-{day}", start=f"{date}T{hour:02}0000Z", end=f"{date}T{hour + 1:02}0000Z")
        self.phone("PUT", name, entry(8))
        if moved(day):
            self.phone("PUT", name, entry(9))
        if removed(day):
            self.phone("DELETE", name)

    def phone(self, method, name, text=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}/bo/calendar/{name}", method=method)
        login = base64.b64encode(f"bo:{self.server.password('bo')}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        request.add_header("Content-Type", "text/calendar; charset=utf-8")
        urllib.request.urlopen(request, text and text.replace("\n", "\r\n").encode(), timeout=30).close()

    def khal(self, *command, text=None):
        done = subprocess.run([KHAL, "-c", self.base / "khal.conf", *command], capture_output=True, text=True, input=text)
        self.assertEqual(done.returncode, 0, done.stderr)

    def configure(self):
        khal_config(self.base / "khal.conf", self.tree)
        (self.base / "vdirsyncer.conf").write_text(f"""
[general]
status_path = "{self.base}/status"
[pair bo]
a = "here"
b = "there"
collections = [["bo", "{self.tree.name}", "calendar"]]
[storage here]
type = "filesystem"
path = "{self.tree.parent}"
fileext = ".ics"
[storage there]
type = "caldav"
url = "http://127.0.0.1:{self.server.port}/bo/"
username = "bo"
password = "{self.server.password("bo")}"
""")
        self.assertEqual(self.vdirsyncer("discover"), 0, (self.base / "vdirsyncer.log").read_text())

    def vdirsyncer(self, command):
        with open(self.base / "vdirsyncer.log", "w") as log:
            return subprocess.run([VDIRSYNCER, "-c", self.base / "vdirsyncer.conf", command], stdout=log, stderr=log).returncode

    def busy(self, host, month):
        asked = ("--from", f"2027-{month:02}-01T00:00:00Z", "--to", f"2027-{month:02}-20T00:00:00Z")
        [answer] = host.json("freebusy", "--as", f"mailto:cleo@{host.domain}", f"mailto:bo@{host.domain}", *asked)
        self.assertEqual(answer["status"].split(";")[0], "2.0")
        return [span["start"] for span in answer["busy"]]

    def exported(self, host):
        """(UID, start) of all that is not cancelled."""
        text = unfolded(host.run("calendar", "export", "--user", f"mailto:bo@{host.domain}").stdout)
        value = lambda part, name: next(line.split(":", 1)[1] for line in part.splitlines() if line.startswith(name))
        parts = [part for part in text.split("BEGIN:VEVENT")[1:] if "STATUS:CANCELLED" not in part]
        return sorted((value(part, "UID"), value(part, "DTSTART")) for part in parts)


if __name__ == "__main__":
    unittest.main()
