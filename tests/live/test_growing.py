"""From SQLite to PostgreSQL and back, and a host whose database goes and comes back."""

import http.client
import json
import unittest

from postgres import *
from world import *

ANNA = "mailto:anna@harbour.example"
EVENT = "\r\n".join([
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", "UID:dinner", "DTSTAMP:20260101T000000Z",
    "DTSTART:20300104T180000Z", "DTEND:20300104T200000Z", "SUMMARY:Dinner", "END:VEVENT", "END:VCALENDAR", ""])


class Growing(unittest.TestCase):
    def setUp(self):
        self.folder = folder()
        self.addCleanup(self.folder.cleanup)
        self.base = path(self.folder)
        self.cluster = Cluster(self.base / "postgres")
        self.addCleanup(self.cluster.stop, "immediate")
        self.cluster.database("convoke")
        self.authority = Authority(self.base)

    def host(self, name, password="open-sesame", store="store-sqlite", store_config='config.path = "calendars.db"', second=True):
        """A host whose state is in PostgreSQL, and a second store as well."""
        secret = self.base / f"{name}.password"
        secret.write_text(password + "\n")
        secret.chmod(0o600)
        database = f'config.url = "{self.cluster.url("convoke")}"\nconfig.password_file = "{secret}"\n'
        extra = '[[listener]]\nrole = "admin"\naddress = "127.0.0.1:0"\n'
        extra += f'[[state]]\nplugin = "state-postgres"\n{database}'
        if second:
            extra += f'[[store]]\nplugin = "store-postgres"\n{database}'
        return Host(self.base / name, "harbour.example", self.authority, store=store, store_config=store_config, extra=extra)

    def test_a_check_connects_and_writes_nothing(self):
        host = self.host("one")
        self.assertIn("state-postgres", host.run("check", "--open").stdout)
        self.assertEqual(self.cluster.sql("SELECT to_regnamespace('convoke') IS NULL", "convoke"), "t")
        wrong = self.host("other", password="wrong")
        done = wrong.run("check", "--open", ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("`config.password_file`", done.stdout)

    def test_calendars_and_state_move_there_and_back(self):
        host = self.host("one")
        host.run("user", "add", ANNA, "--name", "Anna")
        host.run("calendar", "import", "--user", ANNA, text=EVENT)
        self.assertIn("1 object", host.run("store", "copy", "--from", "store-sqlite", "--to", "store-postgres").stdout)
        self.assertEqual(self.cluster.sql("SELECT uid FROM convoke.objects", "convoke"), "dinner")
        busy = "SELECT count(*) FROM convoke.spans"
        self.assertEqual(self.cluster.sql(busy, "convoke"), "1")
        again = host.run("store", "copy", "--from", "store-postgres", "--to", "store-sqlite").stdout
        self.assertIn("1 there already", again)
        # A state with something in it.
        self.cluster.sql("INSERT INTO convoke.entries (key, value, version) VALUES ('known/a', 'x', 1), ('known/b', '', 1)", "convoke")
        to_file = ["state", "copy", "--from", "state-postgres", "--to", "state-sqlite"]
        keys = "SELECT convert_from(key, 'UTF8') FROM convoke.entries ORDER BY key"
        there = self.cluster.sql(keys, "convoke").split()
        self.assertEqual(host.json(*to_file)["copied"], len(there))
        refused = host.run(*to_file, ok=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--replace", refused.stderr)
        self.cluster.sql("DELETE FROM convoke.entries", "convoke")
        back = host.json("state", "copy", "--from", "state-sqlite", "--to", "state-postgres")
        self.assertEqual(back["copied"], len(there))
        self.assertEqual(self.cluster.sql(keys, "convoke").split(), there)
        host.start()
        self.addCleanup(host.stop)
        running = host.run(*to_file, ok=False)
        self.assertIn("end it", running.stderr, "no state is copied under a host that runs")

    def test_a_host_is_ready_as_long_as_its_database_is_there(self):
        host = self.host("one").start()
        self.addCleanup(host.stop)
        notes = json.loads((host.folder / "state" / "listeners.json").read_text())
        admin = next(note["address"] for note in notes if note["role"] == "admin")

        def status(what):
            connection = http.client.HTTPConnection(admin, timeout=30)
            connection.request("GET", f"/health/{what}")
            response = connection.getresponse()
            return response.status, response.read().decode()

        until(lambda: status("ready") == (200, "ok\n"))
        self.cluster.stop("immediate")
        until(lambda: status("ready")[0] == 503)
        self.assertEqual(status("live"), (200, "ok\n"))
        self.cluster.start()
        until(lambda: status("ready") == (200, "ok\n"))


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come")
        time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
