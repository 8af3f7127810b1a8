"""The page for people, in Chromium: by keyboard, on a phone's screen, and from somebody else's page."""

import http.server
import re
import threading
import unittest
import urllib.parse

import bcrypt

from browser import Browser
from world import *

ANNA, PASSWORD, EVE = "anna@harbour.example", "a secret: with colons", "mailto:eve@far.example"
LISTENER = """
[[listener]]
role = "caldav"
address = "127.0.0.1:0"
tls = { certificate = "%s", key = "%s" }
users = "users.htpasswd"
"""
HELD = '{ hold = "schedule", known = false, from = "*@far.example" },\n  { allow = "any", from = "*" }'


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A page that sends a form to another server as soon as it is opened."""

    target = ""

    def do_GET(self):
        body = f"""<!DOCTYPE html><form method="post" action="{self.target}"><input name="decision" value="accept"></form>
            <script>document.forms[0].submit()</script>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Page(unittest.TestCase):
    def setUp(self):
        directory = self.enterContext(folder())
        base = pathlib.Path(directory)
        authority = Authority(base)
        pair = authority.issue("cal.harbour.example", "localhost")
        self.host = host = Host(base / "harbour", "harbour.example", authority, extra=LISTENER % pair)
        host.config.write_text(host.config.read_text().replace('{ allow = "any", from = "*" }', HELD))
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (host.folder / "users.htpasswd").write_text(f"{ANNA}:{hashed}\n")
        host.run("user", "add", ANNA, "--name", "Anna Berg", "--timezone", "Europe/Berlin")
        host.start()
        self.addCleanup(host.stop)
        notes = json.loads((host.folder / "state" / "listeners.json").read_text())
        port = next(note["address"] for note in notes if note["role"] == "caldav").rsplit(":", 1)[1]
        self.place = f"localhost:{port}"
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def open(self, path="/"):
        login = ":".join(urllib.parse.quote(part, safe="") for part in (ANNA, PASSWORD))
        self.browser.open(f"https://{login}@{self.place}{path}")

    def text(self):
        return self.browser.evaluate("document.body.innerText")

    def says(self, text):
        self.browser.until(f"document.body !== null && document.body.innerText.includes({json.dumps(text)})")

    def invited(self, uid):
        text = event("REQUEST", EVE, [f"RSVP=TRUE:mailto:{ANNA}"], uid=uid)
        text = re.sub("SUMMARY:.*", f"SUMMARY:Tea {uid} <b>now</b>", text)
        answer = self.host.post("VEVENT", "REQUEST", EVE, f"mailto:{ANNA}", text)
        self.assertEqual([code for _, code in statuses(answer)], ["2.0"])

    def has(self, uid):
        return self.host.run("calendar", "export", "--user", ANNA, "--uid", uid, ok=False).returncode == 0

    def test_it_is_read_and_used_by_keyboard(self):
        self.invited("one")
        self.invited("two")
        self.open()
        shown = self.text()
        for text in ("Calendar of Anna Berg", "Tea one <b>now</b>", "eve@far.example", "Everybody has been reached"):
            self.assertIn(text, shown)
        values = self.browser.evaluate("[...document.querySelectorAll('.copied input')].map(it => it.value)")
        self.assertEqual(values[:2], [f"https://{self.place}/", f"https://{self.place}/calendars/{ANNA}/calendar/"])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('svg rect.free').length"), 14)
        # Its style is taken, and nothing of it offends its own policy.
        self.assertEqual(self.browser.evaluate("getComputedStyle(document.querySelector('ul.cards')).listStyleType"), "none")
        self.assertEqual(self.browser.complaints(), [])

        # From the top, to the first button.
        for _ in range(10):
            self.browser.press("Tab", "Tab", 9)
            if self.browser.evaluate("document.activeElement.value") == "accept":
                break
        label = self.browser.evaluate("document.activeElement.getAttribute('aria-label')")
        self.assertTrue(label.startswith("Accept the sender: Tea "), label)
        self.browser.press("Enter", "Enter", 13, "\r")
        self.says("Accepted.")
        self.assertEqual(sorted([self.has("one"), self.has("two")]), [False, True])
        self.browser.evaluate("document.querySelector('button.second').click()")
        self.says("Declined.")
        self.assertIn("Nothing waits for you", self.text())
        self.assertEqual(self.browser.complaints(), [])

    def test_it_fits_a_phone(self):
        self.invited("one")
        self.browser.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True)
        self.open()
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 360)
        heights = self.browser.evaluate("[...document.querySelectorAll('button, input[type=text]')].map(it => it.offsetHeight)")
        self.assertTrue(all(height >= 44 for height in heights), heights)
        label = self.browser.evaluate("document.querySelector('svg text.day').getBoundingClientRect().height")
        self.assertGreaterEqual(label, 10, "what stands in the picture can be read")

    def test_a_page_of_somebody_else_decides_nothing(self):
        self.invited("one")
        self.open()
        self.assertIn("Tea one", self.text())
        handler = type("Handler", (Elsewhere,), {"target": f"https://{self.place}/"})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.browser.call("Page.navigate", url=f"http://localhost:{server.server_address[1]}/")
        answered = lambda: [event["params"]["response"] for event in self.browser.events if event.get("method") == "Network.responseReceived"]
        refused = lambda: [it["status"] for it in answered() if it["url"] == f"https://{self.place}/" and it["status"] != 200]
        deadline = time.monotonic() + 60
        while not refused() and time.monotonic() < deadline:
            self.browser.hear()
            time.sleep(0.05)
        # The browser logs in by itself, and is refused all the same.
        self.assertEqual(refused(), [403])
        self.assertFalse(self.has("one"))


if __name__ == "__main__":
    unittest.main()
