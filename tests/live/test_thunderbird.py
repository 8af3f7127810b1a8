"""Two people of two domains plan their meetings, each in their own Thunderbird."""

import unittest

from households import ANNA, BO, InFrontOfRadicale, TwoHouseholds
from thunderbird import Thunderbird
from world import unfolded


class InThunderbird(TwoHouseholds):
    @classmethod
    def program(cls, person, url):
        it = Thunderbird(cls.base / person, cls.authority)
        cls.addClassCleanup(it.stop)
        # The dialog asks for the password after that.
        user, password = cls.login(person)
        assert it.do("find", user, None, url) == "AuthFailedError"
        assert it.do("find", user, password, url) == [person]
        found = it.do("subscribe")
        assert found == dict(disabled=None, readOnly=False, schedules=True, tasks=True, organizer=f"mailto:{person}"), found
        return it

    def guest(self, who, uid, guest, start=None):
        """What a Thunderbird shows of a guest."""
        return who.shown(uid, start)["guests"][f"mailto:{guest}"]

    def seen(self, uid, partstat, start=None):
        """Anna sees Bo's answer."""
        self.anna.wait(lambda: self.guest(self.anna, uid, BO, start)["partstat"] == partstat, f"Anna does not see {partstat} of {uid}")

    def answer(self, uid, partstat, start=None):
        """Bo answers, which Anna sees; he sees that she was told."""
        self.bo.do("answer", uid, partstat, start)
        self.seen(uid, partstat, start)
        self.bo.wait(lambda: self.bo.shown(uid, start)["told"] == "2.0", f"Bo does not see that Anna was told of {uid}")

    def invited(self, uid):
        seen = self.bo.wait(lambda: self.bo.shown(uid), f"Bo is not invited to {uid}")
        self.assertTrue(seen["invited"] and seen["open"], seen)

    def test_a_meeting_is_planned_moved_and_called_off(self):
        anna, bo = self.anna, self.bo
        bo.do("write", "dentist", "Dentist", "20270104T120000Z", "20270104T130000Z", [])
        busy = anna.do("busy", f"mailto:{BO}", "20270104T000000Z", "20270105T000000Z")
        self.assertEqual([times for _, *times in busy], [["20270104T120000Z", "20270104T130000Z"]])

        anna.do("write", "dinner", "Dinner", "20270105T180000Z", "20270105T200000Z", [BO])
        anna.wait(lambda: self.guest(anna, "dinner", BO)["status"] == "2.0", "Anna does not see that it was delivered")
        self.invited("dinner")
        self.answer("dinner", "ACCEPTED")

        self.assertIsNone(anna.do("move", "dinner", "20270105T190000Z", "20270105T210000Z"))
        self.seen("dinner", "NEEDS-ACTION")
        moved = lambda: bo.shown("dinner")["start"] == "20270105T190000Z"
        bo.wait(moved, "Bo does not see the move")
        self.assertTrue(bo.shown("dinner")["open"])

        anna.do("remove", "dinner")
        bo.wait(lambda: bo.shown("dinner")["status"] == "CANCELLED", "Bo does not see that it is off")
        bo.do("remove", "dinner")
        for who in (anna, bo):
            who.do("refresh")
            self.assertIsNone(who.shown("dinner"))

    def test_one_of_a_series_is_declined(self):
        anna, bo = self.anna, self.bo
        anna.do("write", "choir", "Choir", "20270301T180000Z", "20270301T190000Z", [BO], 3)
        self.invited("choir")
        self.answer("choir", "ACCEPTED")
        second = "20270308T180000Z"
        self.answer("choir", "DECLINED", second)
        for other in (None, "20270301T180000Z", "20270315T180000Z"):
            self.assertEqual(self.guest(anna, "choir", BO, other)["partstat"], "ACCEPTED", other)
        # The time of the declined one is free.
        busy = anna.do("busy", f"mailto:{BO}", "20270301T000000Z", "20270331T000000Z")
        self.assertEqual([start for _, start, _ in busy], ["20270301T180000Z", "20270315T180000Z"])

    def test_a_guest_changes_what_is_the_guests(self):
        anna, bo = self.anna, self.bo
        anna.do("write", "review", "Review", "20270406T080000Z", "20270406T090000Z", [BO])
        self.invited("review")
        refused = bo.do("move", "review", "20270406T100000Z", "20270406T110000Z")
        self.assertIn("403", refused)
        bo.do("refresh")
        self.assertEqual(bo.shown("review")["start"], "20270406T080000Z")

        self.assertIsNone(bo.do("remind", "review"))
        self.assertIsNone(bo.do("dismiss", "review"))
        self.assertEqual(bo.shown("review")["alarms"], 1)
        self.answer("review", "TENTATIVE")
        self.assertEqual(anna.shown("review")["alarms"], 0)
        # A copy that is thrown away is declined.
        bo.do("remove", "review")
        self.seen("review", "DECLINED")

    def test_whom_nobody_reaches(self):
        nobody, unknown = "someone@nowhere.example", "nobody@house.example"
        for guest in (nobody, unknown):
            self.assertEqual(self.anna.do("busy", f"mailto:{guest}", "20270104T000000Z", "20270105T000000Z"), [])
        self.anna.do("write", "walk", "Walk", "20270510T080000Z", "20270510T090000Z", [BO, nobody, unknown])
        of = lambda guest: self.guest(self.anna, "walk", guest)["status"]
        expected = ["2.0", "5.3", "3.7"]
        self.anna.wait(lambda: [of(guest) for guest in (BO, nobody, unknown)] == expected, "Anna does not see who was reached")

    def test_tasks(self):
        exported = lambda: unfolded(self.hosts[ANNA].run("calendar", "export", "--user", ANNA, "--uid", "bread").stdout)
        self.anna.do("writeTask", "bread", "Buy bread", "20270110T160000Z")
        self.assertIn("SUMMARY:Buy bread", exported())
        self.assertIsNone(self.anna.do("complete", "bread"))
        self.assertIn("STATUS:COMPLETED", exported())
        self.assertEqual(self.anna.shown("bread")["status"], "COMPLETED")


class InThunderbirdOnRadicale(InFrontOfRadicale, InThunderbird):
    pass


if __name__ == "__main__":
    unittest.main()
