"""caldav-server-tester on what the caldav listener serves: every feature that it knows, and those that are not there on purpose."""

import ast
import os
import unittest

import bcrypt

from households import LISTENER, PASSWORD, USERS
from world import *

PEOPLE = ("anna@harbour.example", "bo@harbour.example", "cleo@harbour.example")

ONE_CALENDAR = "there is one calendar a user, so nothing that needs another can be tried"
NO_PROPERTY = "python-caldav names what it wants to know of principals beside the DAV:prop, so it is told nothing"
OWN_ANSWER = "RFC 6638 §3.2.10: what a request changes changes the tag; it is stable for what others answer"
ONE_ADDRESS = "the same object by both spellings of an `@`: it could be tried only if they were two"
DEVIATIONS = {
    "create-calendar": ("unsupported", ONE_CALENDAR),
    "create-calendar.auto": ("unsupported", ONE_CALENDAR),
    "delete-calendar": ("unknown", ONE_CALENDAR),
    "delete-calendar.free-namespace": ("unknown", ONE_CALENDAR),
    "save.duplicate-uid.cross-calendar": ("unknown", ONE_CALENDAR),
    "synchronous-write.create-calendar": ("unknown", ONE_CALENDAR),
    "synchronous-write.delete-calendar": ("unknown", ONE_CALENDAR),
    "url.encode-at.literal.collection": ("unknown", ONE_CALENDAR),
    "url.encode-at.identity": ("unknown", ONE_ADDRESS),
    "principal-search": ("unsupported", NO_PROPERTY),
    "principal-search.by-name.self": ("unsupported", NO_PROPERTY),
    "principal-search.list-all": ("unsupported", NO_PROPERTY),
    "save-load.journal": ("unsupported", "calendars take events and to-dos"),
    "scheduling.schedule-tag.stable-partstat": ("unsupported", OWN_ANSWER),
    "search.text.comp-type-optional": ("unsupported", "RFC 4791 §9.7.1: without a component only what is of the VCALENDAR is looked at"),
    "search.time-range.comp-type-optional": ("unsupported", "RFC 4791 §9.7: a VCALENDAR has no time"),
    "well-known": ("unknown", "it is not tried at localhost"),
}


class ServerTester(unittest.TestCase):
    """On each store."""

    def test_each_feature_is_there_or_left_out_on_purpose(self):
        for store in ("store-sqlite", "store-vdir"):
            with self.subTest(store), folder() as directory:
                self.assertEqual(self.deviations(pathlib.Path(directory), store), {name: code for name, (code, _) in DEVIATIONS.items()})

    def deviations(self, base, store):
        """What is said of each feature that is not there in full."""
        authority, where = Authority(base), base / "harbour"
        listener = LISTENER.format(*authority.issue("cal.harbour.example", "localhost"), USERS)
        host = Host(where, "harbour.example", authority, store=store, extra=listener)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (where / "users.htpasswd").write_text("".join(f"{person}:{hashed}\n" for person in PEOPLE))
        for person in PEOPLE:
            host.run("user", "add", person, "--name", person)
        host.start()
        try:
            notes = json.loads((where / "state" / "listeners.json").read_text())
            port = next(note["address"] for note in notes if note["role"] == "caldav").rsplit(":", 1)[1]
            account = dict(caldav_url=f"https://localhost:{port}/", caldav_password=PASSWORD, caldav_ssl_verify_cert=str(authority.certificate))
            config = base / "accounts.json"
            config.write_text(json.dumps({person: {**account, "caldav_username": person} for person in PEOPLE}))
            arguments = [f"--run-checks={name}" for name in self.run_tester("--list-checks").split()]
            # The first is who tests; the others are whom it schedules with.
            arguments += [f"--config-section={person}" for person in PEOPLE]
            found = ast.literal_eval(self.run_tester("--format=hints", f"--caldav-calendar={PEOPLE[0]}", *arguments, config=config))
        finally:
            host.stop()
        return {name: it["support"] for name, it in found.items() if it.get("support", "full") != "full"}

    def run_tester(self, *arguments, config=None):
        environment = {**os.environ, "CALDAV_CONFIG_FILE": str(config)}
        done = subprocess.run([os.environ["CALDAV_SERVER_TESTER"], *arguments], capture_output=True, text=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


if __name__ == "__main__":
    unittest.main()
