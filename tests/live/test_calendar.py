"""Recurrence against python-dateutil, and busy time against recurring-ical-events, on random cases.

SEED=… repeats a run, CASES=… makes it longer. A case that an oracle needs more than a second for is left out.
"""

import datetime as dt
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import unittest
import zoneinfo
from collections import defaultdict

import icalendar
import recurring_ical_events
from dateutil.rrule import rrulestr

BUSY = os.environ["CONVOKE_BUSY"]
SEED = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
CASES = int(os.environ.get("CASES") or 400)
UTC = dt.timezone.utc
FROM = dt.datetime(2026, 1, 1, tzinfo=UTC)
TO = FROM + dt.timedelta(days=500)
DAYS = "MO TU WE TH FR SA SU".split()
# A zone that only its VTIMEZONE tells of.
CARRIED = """BEGIN:VTIMEZONE
TZID:Carried
BEGIN:DAYLIGHT
DTSTART:19700426T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19860427T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:19870405T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19701025T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE""".splitlines()
ZONES = ["Carried", "UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/St_Johns"]


def place(zone):
    return zoneinfo.ZoneInfo("America/New_York" if zone == "Carried" else zone)


class TooSlow(Exception):
    pass


def too_slow(*_):
    raise TooSlow


def utc(at):
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(spans):
    """As convoke_types::merge: clipped, joined within a type, sorted."""
    by_kind = defaultdict(list)
    for kind, start, end in sorted(spans):
        start, end = max(start, FROM), min(end, TO)
        if start >= end:
            continue
        known = by_kind[kind]
        if known and start <= known[-1][1]:
            known[-1][1] = max(known[-1][1], end)
        else:
            known.append([start, end])
    return sorted((kind, utc(start), utc(end)) for kind, spans in by_kind.items() for start, end in spans)


def wall(zone, time):
    if zone == "UTC":
        return f":{time:%Y%m%dT%H%M%SZ}"
    return f";TZID={zone}:{time:%Y%m%dT%H%M%S}"


def calendar(*events):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    if any("TZID=Carried" in line for event in events for line in event):
        lines += CARRIED
    for event in events:
        lines += ["BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


class Cases(unittest.TestCase):
    def check(self, cases):
        """`cases`: pairs of a calendar and what makes somebody busy in it."""
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for number, case in enumerate(cases):
                file = pathlib.Path(folder) / f"{number}.ics"
                file.write_text(case[0], newline="")
                files[str(file)] = case
            ask = [BUSY, FROM.strftime("%Y-%m-%dT%H:%M:%SZ"), TO.strftime("%Y-%m-%dT%H:%M:%SZ"), *files]
            answer = subprocess.run(ask, check=True, capture_output=True, text=True, timeout=60).stdout
        found = defaultdict(list)
        for line in answer.splitlines():
            file, *span = line.split(" ", 3)
            found[file].append(tuple(span))
        wrong = []
        for file, (text, expected) in files.items():
            if sorted(found[file]) != expected:
                missing, extra = set(expected) - set(found[file]), set(found[file]) - set(expected)
                wrong.append(f"{text}\nmissing {sorted(missing)[:4]}\nnot expected {sorted(extra)[:4]}\n")
        if wrong:
            self.fail(f"SEED={SEED}: {len(wrong)} of {len(files)} differ\n\n" + "\n".join(wrong[:5]))

    def collect(self, make):
        """Cases until there are enough or half a minute is over."""
        print(f"SEED={SEED}", end=" ", flush=True)
        chance, cases, until = random.Random(f"{SEED}{make.__name__}"), [], time.monotonic() + 25
        signal.signal(signal.SIGALRM, too_slow)
        while len(cases) < CASES and time.monotonic() < until:
            signal.setitimer(signal.ITIMER_REAL, 1)
            try:
                case = make(chance)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except (TooSlow, ValueError):
                continue  # dateutil refuses some rules that give nothing
            if case:
                cases.append(case)
        return cases

    def test_rules(self):
        self.check(self.collect(ruled))

    def test_busy_time(self):
        self.check(self.collect(whole))


def some(chance, values, most):
    values = list(values)
    return ",".join(map(str, chance.sample(values, chance.randint(1, min(most, len(values))))))


def rule(chance, frequency, start, zone, is_date):
    parts = [f"FREQ={frequency}"]
    if chance.random() < 0.5:
        parts.append(f"INTERVAL={chance.choice([1, 2, 3, 4, 5, 7, 11, 13])}")
    # Either all with a number or none: of `2FR,TH` dateutil takes what is both, the RFC what is one of them.
    plain = chance.random() < 0.5
    numbered = DAYS if plain else [f"{n}{day}" for n in (1, 2, -1, -2, 5) for day in DAYS]
    pick = chance.random()
    if frequency == "YEARLY":
        if pick < 0.15:
            parts.append("BYYEARDAY=" + some(chance, [*range(1, 367), *range(-366, 0)], 5))
        elif pick < 0.3:
            parts.append("BYWEEKNO=" + some(chance, [*range(1, 54), -1, -2], 4))
            parts.append("BYDAY=" + some(chance, DAYS, 3))
        else:
            if chance.random() < 0.5:
                parts.append("BYMONTH=" + some(chance, range(1, 13), 3))
            if pick < 0.6:
                parts.append("BYDAY=" + some(chance, numbered, 3))
            elif pick < 0.8:
                parts.append("BYMONTHDAY=" + some(chance, [*range(1, 32), -1, -2, -30], 4))
    elif frequency == "MONTHLY":
        if chance.random() < 0.2:
            parts.append("BYMONTH=" + some(chance, range(1, 13), 4))
        if pick < 0.3:
            parts.append("BYDAY=" + some(chance, numbered, 3))
        elif pick < 0.6:
            parts.append("BYMONTHDAY=" + some(chance, [*range(1, 32), -1, -2, -31], 4))
        elif pick < 0.7:
            parts.append("BYDAY=" + some(chance, DAYS, 3))
            parts.append("BYMONTHDAY=" + some(chance, range(1, 32), 8))
    else:
        if pick < 0.3:
            parts.append("BYMONTH=" + some(chance, range(1, 13), 5))
        if chance.random() < 0.4:
            parts.append("BYDAY=" + some(chance, DAYS, 4))
        if frequency != "WEEKLY" and chance.random() < 0.2:
            parts.append("BYMONTHDAY=" + some(chance, [*range(1, 32), -1], 6))
    if not is_date:
        if chance.random() < 0.2:
            parts.append("BYHOUR=" + some(chance, range(24), 4))
        if chance.random() < 0.15:
            parts.append("BYMINUTE=" + some(chance, range(60), 3))
    if chance.random() < 0.2 and any(part.startswith("BY") for part in parts):
        # dateutil counts the days of the first week from DTSTART, not from its beginning.
        positions = [-1, -2] if frequency == "WEEKLY" else [1, 2, 3, -1, -2]
        parts.append("BYSETPOS=" + some(chance, positions, 2))
    if chance.random() < 0.2:
        parts.append("WKST=" + chance.choice(DAYS))
    end = chance.random()
    if end < 0.3:
        parts.append(f"COUNT={chance.randint(1, 60)}")
    elif end < 0.6:
        until = start + dt.timedelta(days=chance.randint(0, 3000), hours=0 if is_date else chance.randint(0, 23))
        parts.append("UNTIL=" + (f"{until:%Y%m%d}" if is_date else
                                 f"{until.replace(tzinfo=place(zone)).astimezone(UTC):%Y%m%dT%H%M%SZ}"))
    return ";".join(parts)


def start_of(chance, frequency, is_date):
    back = {"HOURLY": [10, 100, 400], "MINUTELY": [10, 100]}.get(frequency, [100, 600, 3000, 9000, 20000])
    start = dt.datetime(2026, 1, 1) + dt.timedelta(days=chance.randint(-chance.choice(back), 400))
    return start if is_date else start.replace(hour=chance.randint(0, 23), minute=chance.choice([0, 15, 30]))


def ruled(chance):
    """One rule; dateutil expands it on the wall clock."""
    is_date = chance.random() < 0.15
    zone = "UTC" if is_date else chance.choice(ZONES)
    often = [] if is_date else ["HOURLY", "MINUTELY"]
    frequency = chance.choice(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"] * 3 + often)
    start = start_of(chance, frequency, is_date)
    text = rule(chance, frequency, start, zone, is_date)
    parts = dict(part.split("=") for part in text.split(";"))
    if parts.get("UNTIL", "").endswith("Z"):
        until = dt.datetime.strptime(parts["UNTIL"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        parts["UNTIL"] = f"{until.astimezone(place(zone)):%Y%m%dT%H%M%S}"
    expanded = rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=start)
    if next(iter(expanded), None) != start:
        return None  # RFC 5545 leaves open what a DTSTART outside of its rule means
    day = dt.timedelta(days=1)
    walls = expanded.between(FROM.replace(tzinfo=None) - 2 * day, TO.replace(tzinfo=None) + 2 * day, inc=True)
    length = day if is_date else dt.timedelta(minutes=1)
    spans = [(at, at + length) for at in (it.replace(tzinfo=place(zone)).astimezone(UTC) for it in walls)]
    text = [f"DTSTART;VALUE=DATE:{start:%Y%m%d}" if is_date else "DTSTART" + wall(zone, start),
            "DURATION:P1D" if is_date else "DURATION:PT1M", f"RRULE:{text}"]
    return calendar(text), merged(("BUSY", *span) for span in spans)


def whole(chance):
    """A series with exceptions, extra dates and overrides; recurring-ical-events tells the instances."""
    zone = chance.choice(ZONES)
    frequency = chance.choice(["MONTHLY", "WEEKLY", "DAILY"])
    start = start_of(chance, frequency, False)
    if zone == "Carried" and start.hour == 2:
        start += dt.timedelta(hours=2)  # some instance would meet a gap, see there_is
    repeat = f"FREQ={frequency};INTERVAL={chance.randint(1, 5)}"
    repeat += chance.choice(["", f";COUNT={chance.randint(2, 60)}"])
    walls = list(rrulestr(repeat, dtstart=start).xafter(start, count=80, inc=True))
    near = [it for it in walls if dt.datetime(2025, 12, 20) < it < dt.datetime(2027, 6, 1)] or walls
    length = dt.timedelta(minutes=chance.choice([15, 60, 95, 24 * 60, 50 * 60]))
    main = [*lasting(zone, start, start + length), f"RRULE:{repeat}"]
    extras = status(chance)
    excluded = chance.sample(near, min(3, len(near))) if chance.random() < 0.5 else []
    main += ["EXDATE" + wall(zone, it) for it in excluded]
    if chance.random() < 0.4:
        main += ["RDATE" + wall(zone, there_is(zone, start_of(chance, "HOURLY", False))) for _ in range(2)]
    events = [main + extras]
    if chance.random() < 0.6:
        for at in chance.sample(near, min(len(near), chance.randint(1, 3))):
            moved = at + dt.timedelta(minutes=chance.choice([0, 30, -45, 24 * 60, -600, 90 * 24 * 60]))
            moved = there_is(zone, moved)
            end = moved + length * chance.choice([1, 2])
            events.append(["RECURRENCE-ID" + wall(zone, at), *lasting(zone, moved, end), *status(chance)])
    text = calendar(*events)
    spans = []
    for event in recurring_ical_events.of(icalendar.Calendar.from_ical(text)).between(FROM, TO):
        if event.get("TRANSP") == "TRANSPARENT" or event.get("STATUS") == "CANCELLED":
            continue
        kind = "BUSY-TENTATIVE" if event.get("STATUS") == "TENTATIVE" else "BUSY"
        start = event.start.astimezone(UTC)
        # RFC 5545 §3.8.5.3: with DTEND every instance lasts as long in exact time; the library takes wall-clock time.
        spans.append((kind, start, start + dt.timedelta(seconds=int(event["X-SECONDS"]))))
    return text, merged(spans)


def there_is(zone, time):
    """The time, or one two hours later if clocks jump over it: the library's own zones take it for the hour before, where
    RFC 5545 §3.3.5 has the hour after."""
    on_the_clock = time.replace(tzinfo=place(zone)).astimezone(UTC).astimezone(place(zone)).replace(tzinfo=None)
    return time if on_the_clock == time else time + dt.timedelta(hours=2)


def lasting(zone, start, end):
    exact = end.replace(tzinfo=place(zone)).astimezone(UTC) - start.replace(tzinfo=place(zone)).astimezone(UTC)
    return ["DTSTART" + wall(zone, start), "DTEND" + wall(zone, end), f"X-SECONDS:{int(exact.total_seconds())}"]


def status(chance):
    return chance.choice([[], [], ["STATUS:TENTATIVE"], ["STATUS:CANCELLED"], ["TRANSP:TRANSPARENT"],
                          ["STATUS:CONFIRMED", "TRANSP:OPAQUE"]])


if __name__ == "__main__":
    unittest.main()
