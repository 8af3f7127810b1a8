"""Evolution's data server with a home and a session bus of its own; `evolution_steps.py` is the program in it."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

STEPS = pathlib.Path(__file__).with_name("evolution_steps.py")
LONGEST = 120


class Evolution:
    """One person's Evolution."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("home", "run"):
            (folder / name).mkdir(parents=True, mode=0o700)
        self.log = open(folder / "log", "wb")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_", "PYTHON"))}
        # There is no network but loopback, which it would take for none.
        own = {"HOME": folder / "home", "XDG_RUNTIME_DIR": folder / "run", "GIO_USE_NETWORK_MONITOR": "base", "WEBDAV_DEBUG": "all"}
        # Its services write to the standard output that they inherit.
        answers, end = os.pipe()
        self.answers = os.fdopen(answers)
        self.process = subprocess.Popen(["dbus-run-session", "--", "/usr/bin/python3", STEPS, str(end)], stdin=subprocess.PIPE, text=True,
                                        stdout=self.log, stderr=self.log, pass_fds=[end], env={**kept, **own}, start_new_session=True)
        os.close(end)

    def do(self, step, *values):
        """Takes a step of `evolution_steps.py`; what it returns."""
        self.process.stdin.write(json.dumps([step, *values]) + "\n")
        self.process.stdin.flush()
        answer = self.answers.readline()
        if not answer:
            raise AssertionError(f"{step}\n{self.tail()}")
        return json.loads(answer)

    def tail(self):
        return (self.folder / "log").read_text(errors="replace")[-5000:]

    def wait(self, is_so, what):
        deadline = time.monotonic() + LONGEST
        while True:
            found = is_so()
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}\n{self.tail()}")
            time.sleep(0.05)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=LONGEST)
        self.answers.close()
        # The services of its bus outlive it a moment, and what they would save is thrown away.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()
