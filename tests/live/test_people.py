"""People who only ever use their own calendar program: what they do there reaches others, and what others do reaches them.

    bo's program -> files, Radicale, Xandikos or SQLite -> Convoke of meadow -> Convoke of harbour (store-sqlite) -> Anna, and back
"""

import base64
import os
import re
import ssl
import subprocess
import unittest
import urllib.error
import urllib.request

from caldav_servers import SecureRadicale, Xandikos
from world import *

KHAL = os.environ["KHAL"]
ANNA, BO = "mailto:anna@harbour.example", "mailto:bo@meadow.example"
SCHEDULING = """
[scheduling]
settle = "100ms"
"""


class Khal:
    """khal on a tree of files: it imports what is written, and lists what is there."""

    def __init__(self, base, _):
        self.base = base
        self.store = {"store": "store-vdir", "extra": SCHEDULING}

    def begin(self, host):
        host.run("user", "add", BO, "--timezone", "Europe/Berlin")
        self.folder = host.folder / "calendars" / "bo@meadow.example" / "calendar"
        self.folder.mkdir()

    def khal(self, *command):
        done = subprocess.run([KHAL, "-c", khal_config(self.base / "khal.conf", self.folder), *command], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout

    def write(self, uid, text):
        file = self.base / f"{uid}.ics"
        file.write_text(text)
        self.khal("import", "--batch", "-a", "mine", str(file))

    def read(self, uid):
        texts = (file.read_text().replace("\r", "") for file in self.folder.glob("*.ics"))
        return unfolded(next((text for text in texts if f"UID:{uid}\n" in text), ""))

    def delete(self, uid):
        for file in self.folder.glob("*.ics"):
            if f"UID:{uid}\n" in file.read_text().replace("\r", ""):
                file.unlink()

    def stop(self):
        pass


class Commands:
    """A program that has no server of its own: what it writes goes into the host's own store by the command line."""

    def __init__(self, base, _):
        self.base = base
        self.store = {"store": "store-sqlite", "extra": SCHEDULING}

    def begin(self, host):
        self.host = host
        host.run("user", "add", BO, "--timezone", "Europe/Berlin")

    def write(self, uid, text):
        file = self.base / f"{uid}.ics"
        file.write_text(text)
        self.host.run("calendar", "import", "--tell", "--user", BO, str(file))

    def read(self, uid):
        return unfolded(self.host.run("calendar", "export", "--user", BO, "--uid", uid, ok=False).stdout).replace("\r", "")

    def delete(self, uid):
        self.host.run("calendar", "delete", "--user", BO, "--uid", uid)

    def stop(self):
        pass


class Dav:
    """A program that speaks CalDAV with the person's own server; Convoke believes that server by its `[client] ca`."""

    server = None
    # statuses that mean: come again
    busy = ()

    def __init__(self, base, authority):
        self.server = type(self).server(base / "server", authority)
        self.tls = ssl.create_default_context(cafile=authority.certificate)
        config = "\n".join(f"config.{line}" for line in self.server.config("meadow.example").splitlines())
        self.store = {"store": "store-caldav", "store_config": f"{config}\nconfig.poll_interval = 1", "extra": SCHEDULING}

    def begin(self, host):
        pass

    def request(self, method, path, body=None, **headers):
        url = self.server.url("bo").rstrip("/") + path
        request = urllib.request.Request(url, data=body and body.encode(), method=method, headers=headers)
        request.add_header("Content-Type", "text/calendar; charset=utf-8" if method == "PUT" else "application/xml")
        request.add_header("Authorization", "Basic " + base64.b64encode(f"bo:{self.server.password('bo')}".encode()).decode())
        for _ in range(100):
            try:
                with urllib.request.urlopen(request, timeout=30, context=self.tls) as response:
                    return response.read().decode()
            except urllib.error.HTTPError as error:
                if error.code not in self.busy:
                    raise
            time.sleep(0.05)
        raise AssertionError(f"{url} stays busy")

    def place(self, uid):
        """Where an object lies, by its UID; `None`: nowhere."""
        report = f"""<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><D:getetag/></D:prop><C:filter>
            <C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match>{uid}</C:text-match>
            </C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"""
        found = re.findall("<[^>]*href>([^<]*ics)</", self.request("REPORT", self.calendar, report, Depth="1"))
        return found[0] if found else None

    def write(self, uid, text):
        self.request("PUT", self.place(uid) or f"{self.calendar}{uid}.ics", text.replace("\r", "").replace("\n", "\r\n"))

    def read(self, uid):
        place = self.place(uid)
        return unfolded(self.request("GET", place)).replace("\r", "") if place else ""

    def delete(self, uid):
        self.request("DELETE", self.place(uid))

    def stop(self):
        self.server.stop()


class OnRadicale(Dav):
    server, calendar = SecureRadicale, "/bo/calendar/"

    def begin(self, host):
        self.request("MKCALENDAR", self.calendar)


class OnXandikos(Dav):
    server, calendar = Xandikos, "/bo/calendars/calendar/"
    # It refuses who comes while it writes for somebody else: a PUT with 423, a DELETE (its LockedError, caught by nobody) with 500.
    busy = (423, 500)


class People(unittest.TestCase):
    def test_bo_uses_khal(self):
        self.story(Khal)

    def test_bo_uses_radicale(self):
        self.story(OnRadicale)

    def test_bo_uses_xandikos(self):
        self.story(OnXandikos)

    def test_bo_uses_sqlite(self):
        self.story(Commands)

    def story(self, kind):
        directory = folder()
        self.addCleanup(directory.cleanup)
        base = path(directory)
        authority = Authority(base)
        self.program = program = kind(base, authority)
        self.addCleanup(program.stop)
        ports = {"harbour.example": free_port(), "meadow.example": free_port()}
        known = [(domain, f"https://localhost:{port}/.well-known/ischedule") for domain, port in ports.items()]
        self.harbour = Host(base / "harbour", "harbour.example", authority, required=True, discovery=known[1:], port=ports["harbour.example"], extra=SCHEDULING)
        self.meadow = Host(base / "meadow", "meadow.example", authority, required=True, discovery=known[:1], port=ports["meadow.example"], **program.store)
        self.harbour.run("user", "add", ANNA, "--name", "Anna")
        program.begin(self.meadow)
        for host in (self.harbour, self.meadow):
            self.addCleanup(host.stop)
            host.start()
        # What is there at the first look is told to nobody.
        looked = f'event="calendar-first-look" user={BO}'
        self.wait(lambda: looked in (self.meadow.folder / "log").read_text(), "the first look at Bo's calendar")

        for part in (self.she_is_invited_moved_and_called_off, self.he_answers_and_takes_it_back):
            with self.subTest(part.__name__):
                part()

    def she_is_invited_moved_and_called_off(self):
        guests = [f"PARTSTAT=ACCEPTED:{BO}", f"RSVP=TRUE:{ANNA}"]
        own = event("", BO, guests, uid="dinner", start="20270104T180000Z", end="20270104T200000Z")
        self.program.write("dinner", own)
        self.wait(lambda: "DTSTART:20270104T180000Z" in self.hers("dinner"), "Anna's copy")
        self.wait(lambda: "SCHEDULE-STATUS=2.0" in self.his("dinner", ANNA), "the status of the delivery in Bo's copy")

        self.harbour.run("reply", "--user", ANNA, "--uid", "dinner", "accept")
        self.wait(lambda: "PARTSTAT=ACCEPTED" in self.his("dinner", ANNA), "Anna's answer in Bo's copy")

        # He moves it, as programs do: all of it is written anew, and SEQUENCE is forgotten.
        self.program.write("dinner", self.program.read("dinner").replace("20270104T", "20270105T"))
        self.wait(lambda: "DTSTART:20270105T180000Z" in self.hers("dinner"), "the new time in Anna's copy")
        self.wait(lambda: "PARTSTAT=ACCEPTED" not in self.his("dinner", ANNA), "Anna to be asked anew")

        self.program.delete("dinner")
        self.wait(lambda: "STATUS:CANCELLED" in self.hers("dinner"), "the cancellation")
        self.they_heard_once(self.harbour, "dinner", ["REQUEST", "REQUEST", "CANCEL"])
        self.they_heard_once(self.meadow, "dinner", ["REPLY"])

    def he_answers_and_takes_it_back(self):
        invitation = self.harbour.folder / "lunch.ics"
        invitation.write_text(event("REQUEST", ANNA, [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{BO}"], uid="lunch", start="20270111T110000Z", end="20270111T120000Z"))
        self.harbour.run("send", str(invitation), "--as", ANNA)
        self.wait(lambda: self.program.read("lunch"), "the invitation in Bo's program")
        for said in ("ACCEPTED", "TENTATIVE"):
            self.program.write("lunch", answered(self.program.read("lunch"), said))
            self.wait(lambda: f"PARTSTAT={said}" in line(self.hers("lunch"), BO), f"{said} in Anna's copy")

        self.program.delete("lunch")
        self.wait(lambda: "PARTSTAT=DECLINED" in line(self.hers("lunch"), BO), "that he declined by deleting it")
        self.they_heard_once(self.meadow, "lunch", ["REQUEST"])
        self.they_heard_once(self.harbour, "lunch", ["REPLY", "REPLY", "REPLY"])

    def they_heard_once(self, host, uid, methods):
        """These messages about an object have come to a host, in this order, and no others."""
        for looked_at, user in ((self.meadow, BO), (self.harbour, ANNA)):
            # What was still to be told would be told by then.
            looked_at.run("changed", "--user", user)
            self.wait(lambda: not looked_at.json("queue", "list"), f"the end of the queue of {looked_at.domain}")
        decided = host.json("explain", uid)
        self.assertEqual([it["method"] for it in decided if it["event"] == "delivered"], methods, decided)

    def hers(self, uid):
        """Anna's copy."""
        return unfolded(self.harbour.run("calendar", "export", "--user", ANNA, "--uid", uid, ok=False).stdout)

    def his(self, uid, attendee):
        """Somebody's line in Bo's copy."""
        return line(self.program.read(uid), attendee)

    def wait(self, seen, what):
        deadline = time.monotonic() + 60
        while not seen():
            if time.monotonic() > deadline:
                logs = "\n".join((host.folder / "log").read_text()[-3000:] for host in (self.meadow, self.harbour))
                raise AssertionError(f"{what} did not come within a minute\n{logs}")
            time.sleep(0.05)


def line(text, attendee):
    """Somebody's line of an object."""
    return next((it for it in text.splitlines() if it.startswith("ATTENDEE") and it.lower().endswith(attendee)), "")


def answered(text, partstat):
    """The object as a program writes it when Bo answers."""
    own = line(text, BO)
    said = re.sub(";PARTSTAT=[A-Z-]*", "", own).replace("ATTENDEE", f"ATTENDEE;PARTSTAT={partstat}", 1)
    return text.replace(own, said)


if __name__ == "__main__":
    unittest.main()
