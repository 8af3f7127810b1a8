"""Convoke sends to Cyrus: redirects, statuses without a space, empty capabilities, all as Cyrus has them."""

import pathlib
import unittest

from cyrus import Cyrus
from world import *

ANNA, MIKE, NOBODY = "mailto:anna@harbour.example", "mailto:mike@example.org", "mailto:nobody@example.org"


class ToCyrus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        base = path(cls.folder)
        authority = Authority(base)
        cls.cyrus = Cyrus(base / "cyrus", *authority.issue("cal.example.org", "localhost"), users=["mike"])
        url = f"https://localhost:{cls.cyrus.https}/.well-known/ischedule"
        cls.host = Host(base / "harbour", "harbour.example", authority, discovery=[("example.org", url)])
        cls.host.run("user", "add", ANNA)
        cls.host.start()

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        cls.cyrus.stop()
        cls.folder.cleanup()

    def test_invite_and_cancel(self):
        message = path(self.folder) / "message.ics"
        message.write_text(event("REQUEST", ANNA, [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{MIKE}", NOBODY], uid="to-cyrus"))
        sent = self.host.json("send", str(message), "--as", ANNA, ok=False)
        self.assertEqual([(one["recipient"], one["status"][:3]) for one in sent], [(MIKE, "2.0"), (NOBODY, "3.7")])
        report = """<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><C:calendar-data/></D:prop>
            <C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>"""
        stored = self.cyrus.dav("mike", "REPORT", "/dav/calendars/user/mike/Default/", "-H", "Depth: 1", "-H", "Content-Type: application/xml", "-d", report)
        self.assertIn("to-cyrus", stored)
        self.assertIn("SUMMARY:Planning", stored)

    def test_free_busy(self):
        # Cyrus answers every free-busy question over iSchedule with nothing busy; that it answers is what is seen here.
        answers = self.host.json("freebusy", "--as", ANNA, MIKE, NOBODY, "--from", "2027-01-04", "--to", "2027-01-05", ok=False)
        self.assertEqual([(one["recipient"], one["status"][:3]) for one in answers], [(MIKE, "2.0"), (NOBODY, "3.7")])


class FromCyrus(unittest.TestCase):
    """What Cyrus sends, byte for byte but for the addresses, as it was recorded."""

    def test_its_requests_are_taken(self):
        with folder() as directory:
            base = pathlib.Path(directory)
            host = Host(base / "host", "meadow.example", Authority(base))
            host.run("user", "add", "mailto:wilfredo@meadow.example")
            host.start()
            try:
                for name, expected in (("vevent-request", b"2.0;Success"), ("vfreebusy-request", b"METHOD:REPLY")):
                    head, body = (pathlib.Path(__file__).parent / "data" / f"{name}.raw").read_bytes().split(b"\r\n\r\n", 1)
                    body = body.replace(b"wilfredo@example.org", b"wilfredo@meadow.example")
                    head = head.replace(b"wilfredo@example.org", b"wilfredo@meadow.example")
                    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
                    head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n"
                    connection = host.connect()
                    connection.connect()
                    connection.sock.sendall(head)
                    # it waits for this before it sends the body
                    self.assertTrue(connection.sock.recv(1000).startswith(b"HTTP/1.1 100"))
                    connection.sock.sendall(body)
                    answer = b""
                    while b"</schedule-response>" not in answer and b"</error>" not in answer:
                        more = connection.sock.recv(65536)
                        self.assertTrue(more, answer)
                        answer += more
                    self.assertIn(expected, answer)
                    connection.close()
            finally:
                host.stop()


if __name__ == "__main__":
    unittest.main()
