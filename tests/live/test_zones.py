"""The VTIMEZONEs that messages go out with, read by icalendar and python-dateutil, beside the zones of Python."""

import datetime as dt
import io
import os
import random
import subprocess
import time
import unittest
import zoneinfo

import dateutil.tz
import icalendar

VTIMEZONE = os.environ["CONVOKE_VTIMEZONE"]
SEED = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
UTC = dt.timezone.utc
HOUR = dt.timedelta(hours=1)
# The data of the package tzdata, which are newer than those of most systems.
zoneinfo.reset_tzpath(())


def written(first, last, names):
    octets = subprocess.run([VTIMEZONE, first, last, *names], check=True, capture_output=True).stdout
    return icalendar.Calendar.from_ical(octets)


def names_of_both():
    """Those that both sides know."""
    return sorted(zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"})


def plain(zone, wall):
    """Whether a wall-clock time is far from any change."""
    return len({zone.utcoffset(wall + HOUR * shift) for shift in (-30, -3, 0, 3, 30)}) == 1


class Written(unittest.TestCase):
    def held_against_python(self, first, last, read):
        print(f"SEED={SEED}", end=" ", flush=True)
        random_ = random.Random(SEED)
        begin, end = (dt.datetime.fromisoformat(it.removesuffix("Z")) for it in (first, last))
        wrong, looked_at = {}, 0
        names = names_of_both()
        calendar = written(first, last, names)
        components = {str(zone["TZID"]): zone for zone in calendar.walk("VTIMEZONE")}
        self.assertEqual(set(components), set(names))
        for name, component in components.items():
            here, there = read(component), zoneinfo.ZoneInfo(name)
            for _ in range(400):
                wall = begin + (end - begin) * random_.random()
                wall = wall.replace(microsecond=0)
                if not plain(there, wall):
                    continue
                looked_at += 1
                told, expected = here.utcoffset(wall), there.utcoffset(wall)
                if told != expected:
                    wrong.setdefault(name, []).append(f"{wall}: {told}, not {expected}")
        self.assertGreater(looked_at, 100_000)
        for name, lines in wrong.items():
            print(name, lines[:3])
        # One that changed its law lately may be told of by one side only.
        self.assertLessEqual(len(wrong), 3)

    def test_from_now_on_by_dateutil(self):
        def read(component):
            # It takes no X- properties, and there are none.
            return dateutil.tz.tzical(io.StringIO(component.to_ical().decode())).get()

        self.held_against_python("2026-12-01T00:00:00Z", "2046-01-01T00:00:00Z", read)

    def test_from_now_on_by_icalendar(self):
        self.held_against_python("2026-12-01T00:00:00Z", "2046-01-01T00:00:00Z", lambda it: it.to_tz(lookup_tzid=False))

    def test_since_long_ago_by_icalendar(self):
        self.held_against_python("1985-01-01T00:00:00Z", "2036-01-01T00:00:00Z", lambda it: it.to_tz(lookup_tzid=False))


if __name__ == "__main__":
    unittest.main()
