"""Two people of two domains plan their meetings, each in their own Evolution."""

import calendar
import re
import time
import unittest

from evolution import Evolution
from households import ANNA, BO, InFrontOfRadicale, TwoHouseholds, domain_of
from world import unfolded


def meeting(uid, start, guests, more=""):
    lines = "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{guest}\n" for guest in guests)
    people = f"ORGANIZER:mailto:{ANNA}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANNA}\n{lines}" if guests else ""
    return (f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261120T000000Z\nDTSTART:{start}\nDURATION:PT1H\nSUMMARY:{uid}\n{people}{more}"
            "END:VEVENT\n").replace("\n", "\r\n")


def seconds(day):
    return calendar.timegm(time.strptime(day, "%Y%m%d"))


def guest(text, address):
    """The line of a guest."""
    lines = unfolded(text or "").splitlines()
    return next((line for line in lines if line.startswith("ATTENDEE") and line.lower().endswith(f"mailto:{address}")), "")


class InEvolution(TwoHouseholds):
    @classmethod
    def program(cls, person, url):
        it = Evolution(cls.base / person)
        cls.addClassCleanup(it.stop)
        found = it.do("account", person, url, *cls.login(person), str(cls.base / f"cal.{domain_of(person)}.pem"))
        assert found == dict(name=person, auto_schedule=True, schedules=True, tasks=True), found
        return it

    def shows(self, who, uid, is_so, what):
        """What somebody's program shows of a meeting, once it is as expected."""
        return who.wait(lambda: (text := who.do("read", uid)) and is_so(text) and text, f"{uid}: {what}")

    def test_a_meeting_is_planned_moved_and_called_off(self):
        anna, bo = self.anna, self.bo
        bo.do("write", meeting("dentist", "20270104T120000Z", []))
        [busy] = anna.do("busy", seconds("20270104"), seconds("20270105"), [BO, "someone@nowhere.example"])
        self.assertIn(f"ATTENDEE:mailto:{BO}", busy)
        self.assertEqual(re.findall("FREEBUSY.*:(.*)\r", unfolded(busy)), ["20270104T120000Z/20270104T130000Z"])

        anna.do("write", meeting("dinner", "20270105T180000Z", [BO]))
        self.shows(anna, "dinner", lambda it: "SCHEDULE-STATUS=2.0" in guest(it, BO), "Anna does not see that it was delivered")
        invitation = self.shows(bo, "dinner", lambda _: True, "Bo is not invited")
        self.assertIsNone(bo.do("change", invitation.replace("NEEDS-ACTION", "ACCEPTED")))
        accepted = self.shows(anna, "dinner", lambda it: "PARTSTAT=ACCEPTED" in guest(it, BO), "Anna does not see that Bo comes")

        self.assertIsNone(anna.do("change", accepted.replace("20270105T18", "20270105T19")))
        self.shows(anna, "dinner", lambda it: "PARTSTAT=NEEDS-ACTION" in guest(it, BO), "Bo's answer is not asked for again")
        moved = self.shows(bo, "dinner", lambda it: "20270105T190000Z" in it, "Bo does not see the move")
        self.assertIn("PARTSTAT=NEEDS-ACTION", guest(moved, BO))
        anna.do("remove", "dinner")
        self.shows(bo, "dinner", lambda it: "STATUS:CANCELLED" in it, "Bo does not see that it is off")

    def test_a_guest_changes_what_is_the_guests(self):
        anna, bo = self.anna, self.bo
        anna.do("write", meeting("review", "20270406T080000Z", [BO]))
        invitation = self.shows(bo, "review", lambda _: True, "Bo is not invited")
        self.assertTrue(bo.do("change", invitation.replace("20270406T08", "20270406T10")))
        alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:review\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT"
        self.assertIsNone(bo.do("change", invitation.replace("END:VEVENT", alarm)))
        own = bo.do("read", "review")
        self.assertTrue("BEGIN:VALARM" in own and "20270406T080000Z" in own, own)
        bo.do("remove", "review")
        declined = self.shows(anna, "review", lambda it: "PARTSTAT=DECLINED" in guest(it, BO), "Anna does not see that Bo does not come")
        self.assertTrue("VALARM" not in declined and "20270406T080000Z" in declined, declined)

    def test_whom_nobody_reaches(self):
        nobody, unknown = "someone@nowhere.example", "nobody@house.example"
        self.anna.do("write", meeting("walk", "20270510T080000Z", [BO, nobody, unknown]))
        expected = {BO: "2.0", nobody: "5.3", unknown: "3.7"}
        told = lambda it: all(f"SCHEDULE-STATUS={code}" in guest(it, who) for who, code in expected.items())
        self.shows(self.anna, "walk", told, "Anna does not see who was reached")


class InEvolutionOnRadicale(InFrontOfRadicale, InEvolution):
    pass


if __name__ == "__main__":
    unittest.main()
