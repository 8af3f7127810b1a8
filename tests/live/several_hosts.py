"""Hosts of one domain on one PostgreSQL, somebody who signs, and a receiver that counts."""

import secrets
import signal
import unittest

from counting import Counting
from postgres import *
from signing import Signer
from world import *

ANNA, BO, DEE = "mailto:anna@harbour.example", "mailto:bo@bay.example", "mailto:dee@partner.example"
PASSWORD = "open-sesame"


class SeveralHosts(unittest.TestCase):
    HOSTS = 2
    MORE = ""  # tables of the configuration

    def setUp(self):
        self.folder = folder()
        self.addCleanup(self.folder.cleanup)
        base = self.base = path(self.folder)
        self.cluster = Cluster(base / "postgres")
        self.addCleanup(self.cluster.stop, "immediate")
        self.cluster.database("convoke", PASSWORD)
        self.authority = Authority(base)
        self.bay_port = free_port()
        (base / "keys").mkdir()
        self.signer = Signer("partner.example", base / "keys")
        self.hosts = [self.host(f"host{number}", self.url()) for number in range(self.HOSTS)]
        for host in self.hosts:
            self.start(host)
        self.hosts[0].run("user", "add", ANNA)

    def url(self):
        return self.cluster.url("convoke")

    def signed(self, uid, sequence=0):
        """An invitation of Dee's for Anna: its fields and its body."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        body = event("REQUEST", DEE, [ANNA], uid=uid, sequence=sequence, stamp=stamp).replace("\n", "\r\n").encode()
        headers = [("iSchedule-Version", "1.0"), ("Originator", DEE), ("Recipient", ANNA),
                   ("Content-Type", "text/calendar; charset=utf-8; component=VEVENT; method=REQUEST"),
                   ("iSchedule-Message-ID", secrets.token_hex(8))]
        return [*headers, ("DKIM-Signature", self.signer.sign(headers, body))], body

    def comes_in(self, uid, sequence, chances):
        """Sends such an invitation, to another host each time, until one takes it."""
        headers, body = self.signed(uid, sequence)
        for _ in tries():
            try:
                answer = chances.choice(self.hosts).request("POST", "/.well-known/ischedule", headers, body)
            except (OSError, http.client.HTTPException):
                continue
            if answer.status in (429, 503):
                continue
            self.assertEqual(answer.status, 200, answer.text)
            status = statuses(answer)[0][1]
            self.assertIn(status, ("2.0", "5.1"), "an outage is no refusal")
            if status == "2.0":
                return

    def host(self, name, url):
        secret = self.base / "db.password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        database = f'config.url = "{url}"\nconfig.password_file = "{secret}"'
        bay = [("bay.example", f"https://localhost:{self.bay_port}/.well-known/ischedule")]
        store, store_config = self.store(database)
        host = Host(self.base / name, "harbour.example", self.authority, store=store, store_config=store_config, discovery=bay,
                    extra=f'[[state]]\nplugin = "state-postgres"\n{database}\n{self.MORE}')
        config = host.config.read_text()
        host.config.write_text(config.replace("[verification]\n", f'[verification]\nprivate_exchange = "{self.base / "keys"}"\n'))
        return host

    def store(self, database):
        return "store-postgres", database

    def start(self, host):
        host.start()
        self.addCleanup(host.stop, signal.SIGKILL)

    def bay(self):
        """Bo's server, which counts."""
        bay = Counting(self.bay_port, *self.authority.issue("bay.example", "localhost"))
        self.addCleanup(bay.stop)
        return bay

    def send(self, host, uid, sequence=0, method="REQUEST"):
        file = self.base / f"{secrets.token_hex(4)}.ics"
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        file.write_text(event(method, ANNA, [ANNA, BO], uid=uid, sequence=sequence, stamp=stamp))
        return host.run("send", file, "--as", ANNA, ok=False)

    def queue(self, host):
        return host.json("queue", "list")


def tries():
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        yield
        time.sleep(0.1)
    raise AssertionError("it was never acknowledged")


def until(condition):
    deadline = time.monotonic() + 120
    while True:
        try:
            if condition():
                return
        except (AssertionError, OSError):
            pass
        if time.monotonic() > deadline:
            raise AssertionError("it did not come")
        time.sleep(0.1)
