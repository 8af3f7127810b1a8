"""The console of the admin listener, in Chromium: by keyboard, on a phone's screen, without a script, and as a picture for the documentation."""

import base64
import os
import unittest
import urllib.parse

import bcrypt

from browser import Browser
from world import *

ADMIN, PASSWORD = "anna@harbour.example", "a secret: with colons"
LISTENER = """
[[listener]]
role = "admin"
address = "127.0.0.1:0"
users = "admins.htpasswd"
"""


# Each page, and something that it says.
PAGES = [
    ("/console/", "All is well"),
    ("/console/queue", "cy@away.example"),
    ("/console/inbox", "0 wait for 0 of 1 users"),
    ("/console/decisions", "secret-meeting"),
    ("/console/peers", "Nobody has sent a message"),
    ("/console/busy?user=" + ADMIN, "The same as a list"),
    ("/console/probe", "Domain"),
    ("/console/log", "ready"),
]


class Console(unittest.TestCase):
    def setUp(self):
        base = pathlib.Path(self.enterContext(folder()))
        away = [("away.example", "https://127.0.0.1:1/ischedule")]
        self.host = host = Host(base / "harbour", "harbour.example", Authority(base), discovery=away, extra=LISTENER)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (host.folder / "admins.htpasswd").write_text(f"{ADMIN}:{hashed}\n")
        os.chmod(host.folder / "admins.htpasswd", 0o600)
        host.run("user", "add", ADMIN, "--name", "Anna Berg")
        host.start()
        self.addCleanup(host.stop)
        notes = json.loads((host.folder / "state" / "listeners.json").read_text())
        self.place = next(note["address"] for note in notes if note["role"] == "admin")
        meeting = host.folder / "meeting.ics"
        meeting.write_text(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:secret-meeting\r\nDTSTAMP:20260101T000000Z\r\n"
            "DTSTART:20270104T100000Z\r\nDTEND:20270104T110000Z\r\nSUMMARY:Merger\r\nLOCATION:Cellar\r\n"
            f"ORGANIZER:mailto:{ADMIN}\r\nATTENDEE:mailto:cy@away.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
        host.run("send", str(meeting), "--as", ADMIN, ok=False)
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def show(self, path):
        login = ":".join(urllib.parse.quote(part, safe="") for part in (ADMIN, PASSWORD))
        self.browser.open(f"http://{login}@{self.place}{path}")
        return self.browser.evaluate("document.body.innerText")

    def tab_to(self, words):
        """Goes on by the Tab key, as far as something that says this."""
        focused = "(document.activeElement.getAttribute('aria-label') || document.activeElement.innerText || '')"
        for _ in range(60):
            self.browser.press("Tab", "Tab", 9)
            if self.browser.evaluate(focused).startswith(words):
                return
        raise AssertionError(f"the Tab key does not lead to {words}")

    def tab_to_field(self, name):
        """The same to a field of a form."""
        for _ in range(60):
            self.browser.press("Tab", "Tab", 9)
            if self.browser.evaluate("document.activeElement.id") == name:
                return
        raise AssertionError(f"the Tab key does not lead to {name}")

    def test_pages_are_shown_and_say_nothing_of_meetings(self):
        for path, part in PAGES:
            text = self.show(path)
            self.assertIn(part, text)
            self.assertNotIn("Merger", text)
            self.assertNotIn("Cellar", text)
            self.assertEqual(self.browser.evaluate("document.scripts.length"), 0)
            # Its style is taken, and nothing of it offends its own policy.
            self.assertEqual(self.browser.evaluate("getComputedStyle(document.querySelector('nav ul')).listStyleType"), "none")
            self.assertEqual(self.browser.complaints(), [])
        pictures = os.environ.get("CONVOKE_PICTURES")
        if pictures:
            self.show("/console/queue")
            shot = self.browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
            pathlib.Path(pictures, "console.png").write_bytes(base64.b64decode(shot["data"]))

    def test_an_entry_is_dropped_by_keyboard(self):
        self.show("/console/queue")
        self.browser.press("Tab", "Tab", 9)
        self.assertEqual(self.browser.evaluate("document.activeElement.innerText"), "To the content")
        self.tab_to("Drop")
        self.browser.press("Enter", "Enter", 13, "\r")
        self.tab_to("Drop for good")
        self.browser.press("Enter", "Enter", 13, "\r")
        self.browser.until("document.body !== null && document.body.innerText.includes('Dropped.')")
        self.assertEqual(self.host.json("queue", "list"), [])

    def test_busy_time_is_a_picture(self):
        self.show("/console/busy")
        self.tab_to_field("user")
        self.browser.call("Input.insertText", text=ADMIN)
        self.browser.press("Enter", "Enter", 13, "\r")
        self.browser.until("document.querySelector('svg.busy-time') !== null")
        # Its style is there: a day is drawn in another colour than black.
        self.assertNotEqual(self.browser.evaluate("getComputedStyle(document.querySelector('svg .free')).fill"), "rgb(0, 0, 0)")
        self.assertEqual(self.browser.complaints(), [])

    def test_a_domain_is_probed_by_keyboard(self):
        self.show("/console/probe")
        self.tab_to_field("domain")
        self.browser.call("Input.insertText", text="away.example")
        self.browser.press("Enter", "Enter", 13, "\r")
        self.browser.until("document.body !== null && document.body.innerText.includes('What was found of away.example')")
        text = self.browser.evaluate("document.body.innerText")
        self.assertIn("[[discovery]] finds https://127.0.0.1:1/ischedule", text)
        self.assertIn("fail", text)

    def test_the_log_is_followed(self):
        self.show("/console/log")
        self.tab_to("Follow")
        self.browser.press("Enter", "Enter", 13, "\r")
        self.browser.until("document.body !== null && document.body.innerText.includes('Stop following')")
        self.assertNotIn("new@harbour.example", self.browser.evaluate("document.body.innerText"))
        # Something new is there without anybody touching the page.
        self.host.run("user", "add", "new@harbour.example")
        self.browser.until("document.body !== null && document.body.innerText.includes('new@harbour.example')")
        self.assertEqual(self.browser.complaints(), [])

    def test_a_phone_shows_it_without_scrolling_sideways(self):
        self.browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
        for path, _ in PAGES:
            self.show(path)
            width = self.browser.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(width, 360, path)
            # A cell has the width of the screen, and says what it is.
            cells = "Array.from(document.querySelectorAll('td')).filter(it => it.innerText !== '')"
            self.assertTrue(self.browser.evaluate(f"{cells}.every(it => it.offsetWidth > 200 && getComputedStyle(it, '::before').content.length > 4)"), path)


if __name__ == "__main__":
    unittest.main()
