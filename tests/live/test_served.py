"""Calendar programs on what the caldav listener serves: python-caldav, and vdirsyncer with khal, over SQLite and over files."""

import base64
import datetime
import unittest

import bcrypt
import caldav

from synced import Synced
from world import *

ANNA, PASSWORD = "anna@harbour.example", "a secret: with colons"
BO = "mailto:bo@harbour.example"
LISTENER = """
[[listener]]
role = "caldav"
address = "127.0.0.1:0"
tls = { certificate = "%s", key = "%s" }
users = "users.htpasswd"
"""


def wait_until(is_so, what):
    deadline = time.monotonic() + 60
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} is not there")
        time.sleep(0.05)


def event_at(uid, start, title, more=""):
    return f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//peer//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20261120T000000Z
DTSTART:{start}
DURATION:PT1H
SUMMARY:{title}
{more}END:VEVENT
END:VCALENDAR
"""


class Served(unittest.TestCase):
    """Each test on each store."""

    def on_each(self, part):
        for store in ("store-sqlite", "store-vdir"):
            with self.subTest(store), folder() as directory:
                base = pathlib.Path(directory)
                authority = Authority(base)
                where = base / "harbour"
                files = [where / name for name in ("caldav.pem", "caldav-key.pem")]
                host = Host(where, "harbour.example", authority, store=store, extra=LISTENER % tuple(files))
                for file, of in zip(files, authority.issue("cal.harbour.example", "localhost")):
                    file.write_bytes(of.read_bytes())
                    file.chmod(0o600)
                hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
                (host.folder / "users.htpasswd").write_text(f"{ANNA}:{hashed}\n")
                host.run("user", "add", ANNA, "--name", "Anna Berg", "--timezone", "Europe/Berlin")
                host.run("user", "add", BO)
                host.start()
                try:
                    notes = json.loads((host.folder / "state" / "listeners.json").read_text())
                    port = next(note["address"] for note in notes if note["role"] == "caldav").rsplit(":", 1)[1]
                    part(host, f"https://localhost:{port}", base)
                finally:
                    host.stop()

    def test_python_caldav(self):
        self.on_each(self.python_caldav)

    def python_caldav(self, host, url, base):
        client = caldav.DAVClient(url=url, username=ANNA, password=PASSWORD, ssl_verify_cert=str(host.authority.certificate))
        principal = client.principal()
        [calendar] = principal.calendars()
        self.assertEqual(calendar.get_display_name(), "Anna Berg")

        made = calendar.save_event(event_at("tea", "20270104T100000Z", "Tea", "RRULE:FREQ=WEEKLY;COUNT=3\n"))
        self.assertIn("SUMMARY:Tea", unfolded(host.run("calendar", "export", "--user", ANNA, "--uid", "tea").stdout))
        todo = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VTODO\nUID:post\nDTSTAMP:20261120T000000Z\nSUMMARY:Post\nEND:VTODO\nEND:VCALENDAR\n"
        calendar.save_todo(todo)

        utc = datetime.timezone.utc
        week = lambda day: dict(start=datetime.datetime(2027, 1, day, tzinfo=utc), end=datetime.datetime(2027, 1, day + 7, tzinfo=utc))
        titles = lambda found: [str(one.icalendar_component["SUMMARY"]) for one in found]
        self.assertEqual(titles(calendar.search(event=True, **week(11))), ["Tea"])
        expanded = calendar.search(event=True, expand=True, start=week(4)["start"], end=week(18)["end"])
        self.assertEqual(len(expanded), 3)
        self.assertEqual(titles(calendar.search(event=True, **week(24))), [])
        self.assertEqual(titles(calendar.todos()), ["Post"])

        changes = calendar.objects_by_sync_token(load_objects=True)
        self.assertEqual(len(list(changes)), 2)
        made.data = made.data.replace("SUMMARY:Tea", "SUMMARY:Coffee")
        made.save()
        host.run("calendar", "import", "--user", ANNA, "-", text=event_at("own", "20270104T120000Z", "Own"))
        changed = calendar.objects_by_sync_token(sync_token=changes.sync_token, load_objects=True)
        self.assertEqual(sorted(titles(changed)), ["Coffee", "Own"])

        # Who read an older version does not overwrite a newer one.
        calendar.event_by_uid("own").delete()
        self.assertNotEqual(host.run("calendar", "export", "--user", ANNA, "--uid", "own", ok=False).returncode, 0)
        with self.assertRaises(caldav.lib.error.AuthorizationError):
            principal.make_calendar(name="more")

    def test_vdirsyncer_and_khal(self):
        self.on_each(self.vdirsyncer_and_khal)

    def vdirsyncer_and_khal(self, host, url, base):
        own = Synced(base, f"{url}/", ANNA, PASSWORD, host.authority)
        sync, khal = own.sync, own.khal
        host.run("calendar", "import", "--user", ANNA, "-", text=event_at("tea", "20270104T100000Z", "Tea"))
        sync()
        listed = lambda: khal("list", "--format", "{title} {start-time}", "2027-01-04", "1d")
        self.assertIn("Tea 11:00", listed())

        khal("new", "-a", "mine", "2027-01-04", "15:00", "16:00", "Bread")
        sync()
        rows = host.json("calendar", "list", "--user", ANNA)
        self.assertEqual(sorted(row["summary"] for row in rows), ["Bread", "Tea"])
        [bread] = [row["uid"] for row in rows if row["summary"] == "Bread"]
        host.run("calendar", "delete", "--user", ANNA, "--uid", bread)
        text = event_at("tea", "20270104T120000Z", "Late tea")
        host.run("calendar", "import", "--user", ANNA, "-", text=text)
        sync()
        self.assertEqual(listed().split("\n")[1:-1], ["Late tea 13:00"])

        # Who is invited has it once it is saved, and the next sync shows that.
        guests = [f"PARTSTAT=ACCEPTED:mailto:{ANNA}", f"RSVP=TRUE:{BO}"]
        file = base / "dinner.ics"
        file.write_text(event("", f"mailto:{ANNA}", guests, uid="dinner"))
        khal("import", "--batch", "-a", "mine", str(file))
        sync()
        wait_until(lambda: host.run("calendar", "export", "--user", BO, "--uid", "dinner", ok=False).returncode == 0, "Bo's copy")
        stored = lambda: unfolded(host.run("calendar", "export", "--user", ANNA, "--uid", "dinner").stdout)
        wait_until(lambda: "SCHEDULE-STATUS=2.0" in stored(), "the status in Anna's copy")
        sync()
        files = [unfolded(file.read_text()) for file in own.files.glob("*.ics")]
        [dinner] = [text for text in files if "UID:dinner" in text]
        self.assertIn("SCHEDULE-STATUS=2.0", dinner)


if __name__ == "__main__":
    unittest.main()
