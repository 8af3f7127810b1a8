"""Runs the modules of this folder, or those and the tests that are named, two at a time: they mostly wait for what they have started.

What a module says is shown when it has ended."""

import concurrent.futures
import os
import pathlib
import queue
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
TOGETHER = 2
# Those that take longest come first, so that none of them is left at the end alone.
LONGEST = ["test_compilers", "test_thunderbird", "test_evolution", "test_postgres", "test_caldav", "test_people", "test_upstream"]


def modules():
    """All of them, the longest first."""
    names = sorted(file.stem for file in HERE.glob("test_*.py"))
    return [name for name in LONGEST if name in names] + [name for name in names if name not in LONGEST]


def run(name, places):
    """Runs a module with ports of its own: whether all of it passed, what it said, and for how many seconds it ran."""
    place, began = places.get(), time.monotonic()
    try:
        environment = {**os.environ, "LIVE_PORTS": str(12000 + 2000 * place)}
        done = subprocess.run([sys.executable, "-m", "unittest", "-v", name], cwd=HERE, env=environment, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:
        places.put(place)
    return done.returncode == 0, done.stdout, time.monotonic() - began


def main(names):
    places = queue.Queue()
    for place in range(TOGETHER):
        places.put(place)
    failed = []
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        running = {pool.submit(run, name, places): name for name in names or modules()}
        for done in concurrent.futures.as_completed(running):
            passed, said, seconds = done.result()
            print(f"== {running[done]} ({seconds:.0f} s)\n{said}", flush=True)
            if not passed:
                failed.append(running[done])
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
