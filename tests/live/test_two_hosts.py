"""Two domains schedule with each other; khal reads what the host wrote."""

import pathlib
import subprocess
import unittest

from world import *

KHAL = os.environ["KHAL"]
ANNA, BO = "mailto:anna@harbour.example", "mailto:bo@meadow.example"


class TwoHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        base = path(cls.folder)
        authority = Authority(base)
        ports = {"harbour.example": free_port(), "meadow.example": free_port()}
        urls = [(domain, f"https://localhost:{port}/.well-known/ischedule") for domain, port in ports.items()]
        cls.harbour = Host(base / "harbour", "harbour.example", authority, required=True, discovery=urls[1:], port=ports["harbour.example"])
        cls.meadow = Host(base / "meadow", "meadow.example", authority, store="store-vdir", required=True, discovery=urls[:1], port=ports["meadow.example"])
        cls.harbour.run("user", "add", ANNA, "--name", "Anna")
        cls.meadow.run("user", "add", BO, "--name", "Bo", "--timezone", "Europe/Berlin")
        cls.harbour.start()
        cls.meadow.start()

    @classmethod
    def tearDownClass(cls):
        cls.harbour.stop()
        cls.meadow.stop()
        cls.folder.cleanup()

    def test_look_up_invite_answer_cancel(self):
        look_up = lambda: self.harbour.json("freebusy", "--as", ANNA, BO, "--from", "2027-01-04T00:00:00Z", "--to", "2027-01-05T00:00:00Z")
        self.assertEqual([(one["recipient"], one["status"], one["busy"]) for one in look_up()], [(BO, "2.0;Success", [])])

        invitation = path(self.folder) / "invitation.ics"
        invitation.write_text(event("REQUEST", ANNA, [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{BO}"], uid="story"))
        sent = self.harbour.json("send", str(invitation), "--as", ANNA)
        self.assertEqual([(one["recipient"], one["status"]) for one in sent], [(BO, "2.0;Success")])

        answered = self.meadow.json("reply", "--user", BO, "--uid", "story", "accept")
        self.assertEqual([(one["recipient"], one["status"]) for one in answered], [(ANNA, "2.0;Success")])
        own = unfolded(self.harbour.run("calendar", "export", "--user", ANNA, "--uid", "story").stdout)
        self.assertRegex(own, r"ATTENDEE[^\n]*PARTSTAT=ACCEPTED[^\n]*:mailto:bo@meadow.example")

        busy = look_up()[0]["busy"]
        self.assertEqual(busy, [{"start": "2027-01-04T10:00:00Z", "end": "2027-01-04T11:00:00Z", "type": "BUSY"}])

        shown = self.khal("list", "--format", "{title} {start-time}", "2027-01-04", "1d")
        self.assertIn("Planning 11:00", shown)

        invitation.write_text(event("CANCEL", ANNA, [BO], uid="story", sequence=1, stamp="20261122T000000Z"))
        self.assertEqual(self.harbour.json("send", str(invitation), "--as", ANNA)[0]["status"], "2.0;Success")
        self.assertEqual(look_up()[0]["busy"], [])

    def khal(self, *args):
        calendars = [file.parent for file in (self.meadow.folder / "calendars").rglob("*.ics")]
        config = khal_config(path(self.folder) / "khal.conf", calendars[0])
        done = subprocess.run([KHAL, "-c", config, *args], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


if __name__ == "__main__":
    unittest.main()
