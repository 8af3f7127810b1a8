"""One row of a table in README.md: what `convoke-load` saw."""

import json
import subprocess


def row(load, server, events, name, message, given, url, *more):
    """Runs `convoke-load run` against `url` and prints what came of it; `given`: --seconds and --connections."""
    how = ["--message", message, "--seconds", given.seconds, "--connections", given.connections, "--json"]
    done = subprocess.run([load, "run", url, *more, *how], capture_output=True, text=True)
    if not done.stdout:
        raise AssertionError(done.stderr)
    report = json.loads(done.stdout)
    p50, p99, p999 = (f"{report[key]:.2f} ms" for key in ("p50", "p99", "p999"))
    answers = ", ".join(f"{code}: {count}" for code, count in report["answers"].items())
    print(f"| {server} | {events} | {name} | {report['rate']:.0f}/s | {p50} | {p99} | {p999} | {answers} |", flush=True)
