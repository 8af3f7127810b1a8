#!/usr/bin/env python3
"""Writes dateutil.txt: random rules and their first times as python-dateutil reads them.

Run `python3 generate.py > dateutil.txt` to make it anew. WEEKLY with BYSETPOS is left out: dateutil counts positions in
the first week from DTSTART on, we count them in the whole week as in every other one.
"""
import datetime, random, signal, sys
from dateutil.rrule import rrulestr

random.seed(20261123)
FREQ = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def signed(most):
    return random.choice([1, 1, -1]) * random.randint(1, most)


def some(make, most=3):
    return ",".join(dict.fromkeys(str(make()) for _ in range(random.randint(1, most))))


def rule():
    f = random.randrange(7)
    parts = [f"FREQ={FREQ[f]}"]
    rare = lambda: random.random() < 0.25
    if random.random() < 0.5:
        parts.append(f"INTERVAL={random.randint(1, 200 if f > 3 else 6)}")
    by = []
    if rare(): by.append("BYMONTH=" + some(lambda: random.randint(1, 12)))
    if f == 0 and rare(): by.append("BYWEEKNO=" + some(lambda: signed(53)))
    if f in (0, 4, 5, 6) and rare(): by.append("BYYEARDAY=" + some(lambda: signed(366)))
    if f != 2 and rare(): by.append("BYMONTHDAY=" + some(lambda: signed(31)))
    if random.random() < 0.4:
        nth = f < 2 and random.random() < 0.5 and not any("WEEKNO" in it for it in by)
        by.append("BYDAY=" + some(lambda: (str(signed(5)) if nth else "") + random.choice(DAYS)))
    if rare(): by.append("BYHOUR=" + some(lambda: random.randint(0, 23)))
    if rare(): by.append("BYMINUTE=" + some(lambda: random.randint(0, 59)))
    if rare(): by.append("BYSECOND=" + some(lambda: random.randint(0, 59)))
    if by and f != 2 and rare(): by.append("BYSETPOS=" + some(lambda: signed(4), 2))
    if rare(): by.append("WKST=" + random.choice(DAYS))
    if random.random() < 0.2: by.append(f"COUNT={random.randint(1, 5)}")
    return ";".join(parts + by)


def give_up(*_):
    raise TimeoutError


signal.signal(signal.SIGALRM, give_up)
lines = []
while len(lines) < 500:
    text = rule()
    start = datetime.datetime(1990, 1, 1) + datetime.timedelta(minutes=random.randrange(60 * 24 * 365 * 40))
    found = []
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        last = start + datetime.timedelta(days=366 * 12)
        for time in rrulestr(text, dtstart=start):
            if time > last or len(found) == 8:
                break
            found.append(time)
        else:
            last = None if "COUNT" in text else last
    except (TimeoutError, ValueError):
        continue
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    times = " ".join(time.strftime("%Y%m%dT%H%M%S") for time in found)
    lines.append(f"{text} {start.strftime('%Y%m%dT%H%M%S')} {times}".rstrip())
sys.stdout.write("\n".join(lines) + "\n")
