"""Two hosts of one domain on one PostgreSQL: each sees what the other wrote, and what a host leaves that is killed, the other sends."""

import json
import signal
import unittest

from postgres import *
from world import *

ANNA, BO = "mailto:anna@harbour.example", "mailto:bo@bay.example"
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
METHOD:REQUEST
BEGIN:VEVENT
UID:dinner
DTSTAMP:20260101T000000Z
DTSTART:20300104T180000Z
DTEND:20300104T200000Z
SUMMARY:Dinner
ORGANIZER:mailto:anna@harbour.example
ATTENDEE:mailto:bo@bay.example
END:VEVENT
END:VCALENDAR
"""


class SeveralHosts(unittest.TestCase):
    def setUp(self):
        self.folder = folder()
        self.addCleanup(self.folder.cleanup)
        base = path(self.folder)
        self.cluster = Cluster(base / "postgres")
        self.addCleanup(self.cluster.stop, "immediate")
        self.cluster.database("convoke")
        authority = Authority(base)
        bay_port = free_port()
        secret = base / "db.password"
        secret.write_text("open-sesame\n")
        secret.chmod(0o600)
        database = f'config.url = "{self.cluster.url("convoke")}"\nconfig.password_file = "{secret}"'
        admin = '[[listener]]\nrole = "admin"\naddress = "127.0.0.1:0"\n'
        bay = [("bay.example", f"https://localhost:{bay_port}/.well-known/ischedule")]
        self.hosts = [Host(base / name, "harbour.example", authority, store="store-postgres", store_config=database, discovery=bay,
                           extra=f'[[state]]\nplugin = "state-postgres"\n{database}\n{admin}') for name in ("one", "two")]
        self.bay = Host(base / "bay", "bay.example", authority, port=bay_port)
        self.bay.run("user", "add", BO)
        for host in self.hosts:
            self.assertIn("state-postgres", host.run("check", "--open").stdout)
        self.assertEqual(self.cluster.sql("SELECT to_regnamespace('convoke') IS NULL", "convoke"), "t", "check writes nothing")
        for host in self.hosts:
            host.start()
            self.addCleanup(host.stop)
        self.hosts[0].run("user", "add", ANNA)

    def queue(self, host):
        return host.json("queue", "list")

    def test_what_a_killed_host_leaves_is_sent_by_the_other(self):
        one, two = self.hosts
        self.assertEqual([user["address"] for user in two.json("user", "list")], [ANNA], "what one wrote, the other sees")
        file = path(self.folder) / "dinner.ics"
        file.write_text(EVENT)
        one.run("send", file, "--as", ANNA, ok=False)  # nobody answers there yet
        until(lambda: len(self.queue(one)) == 1)
        one.stop(signal.SIGKILL)
        self.bay.start()
        self.addCleanup(self.bay.stop)
        until(lambda: [event["uid"] for event in self.bay.json("calendar", "list", "--user", BO)] == ["dinner"])
        until(lambda: self.queue(two) == [])
        count = "SELECT count(*) FROM convoke.entries WHERE key >= 'outbox/' AND key < 'outbox0'"
        self.assertEqual(self.cluster.sql(count, "convoke"), "0")

    def test_health_says_whether_a_host_is_ready(self):
        one = self.hosts[0]
        notes = json.loads((one.folder / "state" / "listeners.json").read_text())
        admin = next(note["address"] for note in notes if note["role"] == "admin")

        def status(what):
            connection = http.client.HTTPConnection(admin, timeout=30)
            connection.request("GET", f"/health/{what}")
            response = connection.getresponse()
            response.read()
            return response.status

        until(lambda: status("ready") == 200)
        self.cluster.stop("immediate")
        until(lambda: status("ready") == 503)
        self.assertEqual(status("live"), 200)
        self.cluster.start()
        until(lambda: status("ready") == 200)


def until(condition):
    deadline = time.monotonic() + 180
    while True:
        try:
            if condition():
                return
        except (AssertionError, OSError):
            pass
        if time.monotonic() > deadline:
            raise AssertionError("it did not come")
        time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
