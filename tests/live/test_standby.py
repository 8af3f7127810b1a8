"""Two hosts on a PostgreSQL with a standby, which is promoted when the primary is killed under load."""

import random
import threading
import unittest

from several_hosts import *

# Acknowledged so shortly before the primary went, something may be lost with an asynchronous standby.
NEWEST = 5


class Promotion:
    def url(self):
        # Nobody uses the standby as long as the primary takes writes.
        self.standby = Standby(self.base / "standby", self.cluster, self.SYNCHRONOUS) if not hasattr(self, "standby") else self.standby
        return self.cluster.url("convoke").replace(f":{self.cluster.port}/", f":{self.cluster.port},127.0.0.1:{self.standby.port}/") \
            + "?target_session_attrs=read-write"

    def test_the_hosts_go_on_with_the_standby(self):
        self.addCleanup(self.standby.stop, "immediate")
        over, acknowledged, failures = threading.Event(), {}, []

        def client(name):
            chances, number = random.Random(), 0
            try:
                while not over.is_set():
                    begun = time.monotonic()
                    self.comes_in(uid := f"{name}-{number}", 0, chances)
                    acknowledged[uid] = begun, time.monotonic()
                    number += 1
            except Exception as error:  # the test tells it
                failures.append(repr(error))

        clients = [threading.Thread(target=client, args=(f"client{number}",)) for number in range(3)]
        for thread in clients:
            thread.start()
        until(lambda: len(acknowledged) >= 20)
        self.cluster.kill()
        gone = time.monotonic()
        self.standby.promote()
        promoted = time.monotonic()
        before = len(acknowledged)
        until(lambda: len(acknowledged) >= before + 10)
        first = min(at for _, at in acknowledged.values() if at > promoted)
        over.set()
        for thread in clients:
            thread.join()
        self.assertEqual(failures, [])
        self.assertLess(first - promoted, 15)
        there = {event["uid"] for event in self.hosts[1].json("calendar", "list", "--user", ANNA)}
        lost = [when for uid, when in acknowledged.items() if uid not in there]
        if self.SYNCHRONOUS:
            self.assertEqual(lost, [])
        for begun, at in lost:
            # It may be acknowledged later, as it is remembered that it was done.
            self.assertTrue(begun < gone and at > gone - NEWEST, f"not the newest: {begun - gone} to {at - gone}")
        for uid in there:
            self.assertIn("END:VCALENDAR", self.hosts[0].run("calendar", "export", "--user", ANNA, "--uid", uid).stdout)


class Synchronous(Promotion, SeveralHosts):
    SYNCHRONOUS = True


class Asynchronous(Promotion, SeveralHosts):
    SYNCHRONOUS = False


if __name__ == "__main__":
    unittest.main()
