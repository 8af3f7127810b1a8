"""Hosts of one domain on one PostgreSQL: each sees and does what all do, and what one leaves that is killed or paused, the others send,
once."""

import signal
import threading
import unittest

from several_hosts import *


class Together(SeveralHosts):
    def test_any_host_shows_and_does_what_concerns_all(self):
        one, two = self.hosts
        for host in (two, one):
            self.assertEqual([user["address"] for user in host.json("user", "list")], [ANNA], "what one wrote, the other sees")
        for uid in ("dinner", "lunch", "tea"):
            self.send(one, uid)  # nobody answers there yet
        self.assertEqual(sorted(row["uid"] for row in self.queue(two)), ["dinner", "lunch", "tea"])
        self.assertEqual(self.queue(one), self.queue(two))
        ids = {row["uid"]: row["id"] for row in self.queue(two)}
        self.assertIn("SUMMARY:Planning", two.run("queue", "show", ids["lunch"]).stdout)
        two.run("queue", "drop", ids["lunch"])
        self.assertEqual(two.run("queue", "drop", ids["lunch"], ok=False).returncode, 1, "it is gone")
        bay = self.bay()
        # A newer version, and the end, handed in by another host: they go after what waits.
        self.send(two, "tea", sequence=1)
        self.send(two, "tea", sequence=2, method="CANCEL")
        two.run("queue", "retry", "--all")
        until(lambda: self.queue(one) == [])
        self.assertEqual(bay.times("lunch"), 0)
        self.assertEqual(bay.times("dinner"), 1)
        of_tea = [it[1:] for it in bay.seen if it[0] == "tea"]
        self.assertEqual(of_tea, sorted(of_tea, key=lambda it: it[1]), "in the order in which they were handed in")
        self.assertEqual(of_tea[-1], ("CANCEL", 2))
        for host in (one, two):
            events = {it["event"] for it in host.json("explain", "dinner")}
            self.assertLessEqual({"sent-later", "sent"}, events)
            dropped = host.json("explain", "lunch")
            self.assertEqual(dropped[-1]["event"], "queue-entry-dropped")

    def test_a_message_that_comes_to_two_hosts_at_once_is_delivered_once(self):
        one, two = self.hosts
        for number in range(8):
            headers, body = self.signed(f"twice-{number}")
            answers = [None, None]

            def post(at):
                answers[at] = self.hosts[at].request("POST", "/.well-known/ischedule", headers, body)

            threads = [threading.Thread(target=post, args=(at,)) for at in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(answers[0].text, answers[1].text)
            self.assertEqual(statuses(answers[0]), [(ANNA, "2.0")])
        logs = "".join((host.folder / "log").read_text() for host in self.hosts)
        for number in range(8):
            delivered = [line for line in logs.splitlines() if f"twice-{number}" in line and is_event(line, "delivered")]
            self.assertEqual(len(delivered), 1, delivered)

    def test_peers_see_one_server(self):
        one, two = self.hosts
        self.assertEqual(self.serial(one), self.serial(two))
        # What one takes changes: its number grows, and the other agrees once it has the same configuration.
        for host in (one, two):
            before = self.serial(host)
            host.config.write_text(host.config.read_text().replace("recipients = 20", "recipients = 30"))
            host.run("reload")
            self.assertGreater(self.serial(host), before)
        self.assertEqual(self.serial(one), self.serial(two))

    def serial(self, host):
        answer = host.request("GET", "/.well-known/ischedule?action=capabilities")
        return int(answer.headers["iSchedule-Capabilities"])


class OneCalendar(SeveralHosts):
    HOSTS = 1

    def test_who_waits_for_one_calendar_takes_no_connections_from_others(self):
        host, cy = self.hosts[0], "mailto:cy@harbour.example"
        host.run("user", "add", cy)
        held = self.cluster.holding("SELECT FROM convoke.users WHERE profile LIKE '%anna@%' FOR UPDATE", "convoke")
        answers = []

        def post(number):
            headers, body = self.signed(f"flood-{number}")
            answers.append(host.request("POST", "/.well-known/ischedule", headers, body))

        # More than there are connections.
        threads = [threading.Thread(target=post, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'convoke' AND wait_event_type = 'Lock'"
        until(lambda: int(self.cluster.sql(waits)) > 0)
        months = ["--from", "2027-01-01T00:00:00Z", "--to", "2027-02-01T00:00:00Z"]
        for _ in range(3):
            [busy] = host.json("freebusy", "--as", ANNA, cy, *months)
            self.assertEqual(busy["status"].split(";")[0], "2.0")
        self.assertEqual(self.cluster.sql(waits), "1")
        self.assertEqual(answers, [], "they wait still")
        held.communicate()
        for thread in threads:
            thread.join()
        self.assertEqual([statuses(answer) for answer in answers], [[(ANNA, "2.0")]] * len(threads))


class Held(SeveralHosts):
    """Calendars are files that both hosts see; one of them watches, either may release."""

    MORE = '[scheduling]\nsettle = "1s"\nhold = 3\n'

    def store(self, database):
        return "store-vdir", f'config.path = "{self.base / "calendars"}"'

    def test_what_is_held_is_released_by_any_host_and_told_once(self):
        bay, uids = self.bay(), [f"party-{number}" for number in range(6)]
        for host in self.hosts:
            host.run("changed", "--user", ANNA)
        made = self.base / "made"
        made.mkdir()
        for uid in uids:
            (made / f"{uid}.ics").write_text(event(None, ANNA, [ANNA, BO], uid=uid))
        made.rename(self.base / "calendars" / ANNA.removeprefix("mailto:") / "restored")
        for host in self.hosts:
            until(lambda host=host: [row["state"] for row in self.queue(host)] == ["held"] * len(uids))
        one, *others = [row["id"] for row in self.queue(self.hosts[0])]
        for host in self.hosts:
            host.run("queue", "release", one, ok=host is self.hosts[0])
        # Both at once, as two administrators may.
        threads = [threading.Thread(target=host.run, args=("queue", "release", "--all")) for host in self.hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: [self.queue(host) for host in self.hosts] == [[], []])
        self.assertEqual([bay.times(uid) for uid in uids], [1] * len(uids))
        told = self.hosts[1].json("explain", uids[0])
        self.assertLessEqual({"changes-held", "change-told", "sent"}, {it["event"] for it in told})


class Left(SeveralHosts):
    HOSTS = 3

    def test_what_a_killed_or_paused_host_leaves_is_sent_by_another_and_once(self):
        one, two, three = self.hosts
        self.send(one, "killed")
        self.send(two, "paused")
        self.assertEqual(len(self.queue(three)), 2)
        begun = time.monotonic()
        one.stop(signal.SIGKILL)
        two.process.send_signal(signal.SIGSTOP)
        bay = self.bay()
        until(lambda: bay.times("killed") and bay.times("paused"))
        self.assertLess(time.monotonic() - begun, 60)
        until(lambda: self.queue(three) == [])
        two.process.send_signal(signal.SIGCONT)
        # It does what it had to do, and then something new.
        two.run("queue", "retry", "--all")
        until(lambda: self.send(two, "afterwards").returncode == 0)
        until(lambda: bay.times("afterwards") == 1)
        until(lambda: self.queue(two) == [])
        self.assertEqual([bay.times(uid) for uid in ("killed", "paused")], [1, 1], bay.seen)
        count = "SELECT count(*) FROM convoke.entries WHERE key >= 'outbox/' AND key < 'outbox0' OR key >= 'waits/' AND key < 'waits0'"
        self.assertEqual(self.cluster.sql(count, "convoke"), "0", "nothing is left of it")


def is_event(line, name):
    return f'event="{name}"' in line or f'"event":"{name}"' in line or f"event={name} " in line


if __name__ == "__main__":
    unittest.main()
