"""Three hosts on one PostgreSQL under a load that changes host at each request, while hosts, backends and the database are killed: of
each operation that was acknowledged, the effect is there, once, and in its order."""

import os
import random
import secrets
import signal
import threading
import unittest

from several_hosts import *

SECONDS = int(os.environ.get("HISTORY_SECONDS", 25))
SEED = int(os.environ.get("HISTORY_SEED", 0)) or secrets.randbits(32)


class History(SeveralHosts):
    HOSTS = 3

    def setUp(self):
        super().setUp()
        self.receiver = self.bay()
        self.over = threading.Event()
        self.acknowledged, self.failures = {}, []

    def test_what_was_acknowledged_took_effect_once(self):
        print(f"HISTORY_SEED={SEED}", end=" ", flush=True)
        chances = random.Random(SEED)
        work = [(self.comes_in, f"in-{number}") for number in range(3)] + [(self.goes_out, f"out-{number}") for number in range(2)]
        threads = [threading.Thread(target=self.client, args=(*it, random.Random(chances.random()))) for it in work]
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(chances.uniform(0.5, 2))
            chances.choice([self.kill_host, self.kill_host, self.kill_backends, self.kill_backends, self.restart_database])(chances)
        self.over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(self.failures, [])
        until(lambda: self.queue(self.hosts[0]) == [])
        self.check()

    def client(self, operation, uid, chances):
        """Does one after the other, each until it is acknowledged."""
        sequence = 0
        try:
            while not self.over.is_set():
                operation(uid, sequence, chances)
                self.acknowledged[uid] = sequence
                sequence += 1
        except Exception as error:  # it is told by the test
            self.failures.append(f"{uid} {sequence}: {error!r}")

    def goes_out(self, uid, sequence, chances):
        for _ in tries():
            done = self.send(chances.choice(self.hosts), uid, sequence)
            if done.returncode == 0:
                return

    def kill_host(self, chances):
        host = chances.choice(self.hosts)
        host.stop(signal.SIGKILL)
        host.start()

    def kill_backends(self, _):
        try:
            self.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'convoke'")
        except AssertionError:
            pass

    def restart_database(self, _):
        self.cluster.stop("immediate")
        self.cluster.start()

    def check(self):
        self.assertEqual(len(self.acknowledged), 5, "each did something")
        for uid, last in self.acknowledged.items():
            if uid.startswith("in-"):
                shown = self.hosts[0].run("calendar", "export", "--user", ANNA, "--uid", uid).stdout
                self.assertEqual(shown.count("BEGIN:VEVENT"), 1)
                self.assertIn(f"SEQUENCE:{last}", unfolded(shown).split(), uid)
                continue
            with self.receiver.lock:
                came = [(it[2], name) for it, name in zip(self.receiver.seen, self.receiver.names) if it[0] == uid]
            first = list(dict.fromkeys(came))
            self.assertEqual(first, sorted(first, key=lambda it: it[0]), "none overtakes another")
            self.assertEqual(first[-1][0], last, "the last version came")
        count = "SELECT count(*) FROM convoke.entries WHERE key >= 'outbox/' AND key < 'outbox0' OR key >= 'waits/' AND key < 'waits0'"
        self.assertEqual(self.cluster.sql(count, "convoke"), "0", "nothing is left of it")


if __name__ == "__main__":
    unittest.main()
