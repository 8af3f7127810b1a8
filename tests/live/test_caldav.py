"""store-caldav against real servers: the conformance kit on each, and a story that a person sees in khal."""

import json
import os
import pathlib
import subprocess
import unittest

from caldav_servers import SCHEDULING, SERVERS
from world import *

KIT, KHAL, VDIRSYNCER = (os.environ[name] for name in ("CONVOKE_CALDAV_KIT", "KHAL", "VDIRSYNCER"))
ANNA = "mailto:anna@harbour.example"


class CalDav(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        base = path(cls.folder)
        cls.authority = Authority(base)
        cls.started = []
        cls.servers = {}
        cls.hosts = {}
        try:
            cls.begin(base)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def begin(cls, base):
        harbour_port = free_port()
        receiver = lambda port: f"https://localhost:{port}/.well-known/ischedule"
        for name, kind in SERVERS.items():
            cls.servers[name] = kind(base / f"server-{name}", cls.authority)
            cls.started.append(cls.servers[name])
            config = "\n".join(f"config.{line}" for line in cls.servers[name].config(f"{name}.example").splitlines())
            cls.hosts[name] = Host(base / name, f"{name}.example", cls.authority, store="store-caldav", required=True,
                                   discovery=[("harbour.example", receiver(harbour_port))], store_config=config)
            cls.started.append(cls.hosts[name].start())
        known = [(f"{name}.example", receiver(host.port)) for name, host in cls.hosts.items()]
        cls.harbour = Host(base / "harbour", "harbour.example", cls.authority, required=True, discovery=known, port=harbour_port)
        cls.harbour.run("user", "add", ANNA, "--name", "Anna")
        cls.started.append(cls.harbour.start())

    @classmethod
    def tearDownClass(cls):
        for one in reversed(cls.started):
            one.stop()
        cls.folder.cleanup()

    def test_conformance(self):
        """All at once: the servers are slow, and each waits for its own."""
        kits = {}
        for name, kind in SERVERS.items():
            # servers of their own: the kit removes all objects
            server = kind(path(self.folder) / f"kit-{name}", self.authority)
            self.addCleanup(server.stop)
            config = server.folder / "config.toml"
            config.write_text("timeout = 60\n" + server.config("kit.example"))  # they share the machine
            kits[name] = subprocess.Popen([KIT, config, "bo@kit.example", "cleo@kit.example"], stdout=subprocess.PIPE, text=True)
        for name, kit in kits.items():
            report, _ = kit.communicate()
            with self.subTest(name):
                broken = {line.removeprefix("BROKEN").strip().split(":")[0] for line in report.splitlines() if line.startswith("BROKEN")}
                self.assertEqual(broken, SERVERS[name].broken, report)
                self.assertGreaterEqual(report.count("kept    "), 18, report)

    def test_servers_that_schedule_by_themselves_are_noticed(self):
        """The host is told what to switch off; nothing is said of a server that could, and does not."""
        plugin = pathlib.Path(CONVOKE).parent / "libconvoke_store_caldav.so"
        servers = [(f"{name} that schedules", kind(path(self.folder) / f"scheduling-{name}", self.authority), True) for name, kind in SCHEDULING.items()]
        for _, server, _ in servers:
            self.addCleanup(server.stop)
        servers += [(name, server, False) for name, server in self.servers.items()]
        for name, server, does in servers:
            with self.subTest(name):
                config = server.folder / "scheduling.toml"
                config.write_text(server.config("scheduling.example"))
                asked = subprocess.run([CONVOKE, "plugin", "ask", plugin, "find", "bo@scheduling.example", "--config", config], capture_output=True, text=True)
                self.assertEqual(asked.returncode, 0, asked.stderr)
                attributes = json.loads(asked.stdout)["attributes"]
                self.assertEqual("schedules-itself" in attributes, does, attributes)

    def test_invited_seen_answered_cancelled(self):
        for name in SERVERS:
            with self.subTest(name):
                try:
                    self.story(name)
                except AssertionError as error:
                    error.add_note((self.hosts[name].folder / "log").read_text()[-5000:])
                    raise

    def story(self, name):
        server, host = self.servers[name], self.hosts[name]
        bo, uid = f"mailto:bo@{name}.example", f"story-{name}"
        look_up = lambda: self.harbour.json("freebusy", "--as", ANNA, bo, "--from", "2027-01-04T00:00:00Z", "--to", "2027-01-05T00:00:00Z")[0]
        taken = [{"start": "2027-01-04T10:00:00Z", "end": "2027-01-04T11:00:00Z", "type": "BUSY"}]
        self.assertEqual((look_up()["status"], look_up()["busy"]), ("2.0;Success", []))

        message = path(self.folder) / f"{uid}.ics"
        message.write_text(event("REQUEST", ANNA, [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{bo}"], uid=uid))
        self.assertEqual(self.harbour.json("send", str(message), "--as", ANNA)[0]["status"], "2.0;Success")
        self.assertIn("Planning 11:00", self.khal(server, name))

        answered = host.json("reply", "--user", bo, "--uid", uid, "accept")
        self.assertEqual([(one["recipient"], one["status"]) for one in answered], [(ANNA, "2.0;Success")])
        own = unfolded(self.harbour.run("calendar", "export", "--user", ANNA, "--uid", uid).stdout)
        self.assertRegex(own, rf"ATTENDEE[^\n]*PARTSTAT=ACCEPTED[^\n]*:{bo}")
        self.assertEqual(look_up()["busy"], taken)
        self.assertIn("PARTSTAT=ACCEPTED", unfolded(self.synchronised(server, name, uid)))

        # servers count what was declined as busy; Convoke does not
        host.json("reply", "--user", bo, "--uid", uid, "decline")
        self.assertEqual(look_up()["busy"], [])
        host.json("reply", "--user", bo, "--uid", uid, "accept")
        self.assertEqual(look_up()["busy"], taken)

        # what bo does in khal is seen, too
        self.khal(server, name, "new", "-a", "mine", "2027-01-04", "15:00", "16:00", "Dentist")
        self.assertEqual([span["start"] for span in look_up()["busy"]], ["2027-01-04T10:00:00Z", "2027-01-04T14:00:00Z"])

        message.write_text(event("CANCEL", ANNA, [bo], uid=uid, sequence=1, stamp="20261122T000000Z"))
        self.assertEqual(self.harbour.json("send", str(message), "--as", ANNA)[0]["status"], "2.0;Success")
        self.assertEqual([span["start"] for span in look_up()["busy"]], ["2027-01-04T14:00:00Z"])
        self.assertIn("STATUS:CANCELLED", self.synchronised(server, name, uid))

    def khal(self, server, name, *command):
        """Synchronises, runs khal on what is there, synchronises again; what khal printed."""
        self.synchronise(server, name)
        config = khal_config(path(self.folder) / f"khal-{name}.conf", self.calendar(name))
        command = command or ("list", "--format", "{title} {start-time}", "2027-01-04", "1d")
        done = subprocess.run([KHAL, "-c", config, *command], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.synchronise(server, name)
        return done.stdout

    def calendar(self, name):
        """Where bo's calendar lies on bo's own machine."""
        calendars = {file.parent for file in (path(self.folder) / f"vdir-{name}").rglob("*.ics")}
        self.assertEqual(len(calendars), 1, calendars)
        return calendars.pop()

    def synchronised(self, server, name, uid):
        self.synchronise(server, name)
        texts = [file.read_text() for file in self.calendar(name).glob("*.ics")]
        return next(text for text in texts if f"UID:{uid}" in text)

    def synchronise(self, server, name):
        base = path(self.folder)
        config = base / f"vdirsyncer-{name}.conf"
        login = f'username = "bo"\npassword = "{server.password("bo")}"' if server.login else ""
        config.write_text(f"""
[general]
status_path = "{base}/status-{name}"
[pair bo]
a = "here"
b = "there"
collections = ["from b"]
[storage here]
type = "filesystem"
path = "{base}/vdir-{name}"
fileext = ".ics"
[storage there]
type = "caldav"
url = "{server.url("bo")}"
{login}
{'auth = "digest"' if server.digest else ''}
""")
        for command, answer in (("discover", "y\n" * 20), ("sync", "")):
            done = subprocess.run([VDIRSYNCER, "-c", config, command], input=answer, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
