"""Thunderbird without a screen, with a profile of its own, driven through Marionette (the protocol of Mozilla's remote control).

What a person does goes the way of Thunderbird's own dialogs and menus: `thunderbird_steps.js` calls what they call.
"""

import json
import os
import pathlib
import socket
import subprocess
import time

STEPS = pathlib.Path(__file__).with_name("thunderbird_steps.js")
# Nothing is looked up in the network: there is none but loopback.
PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
user_pref("network.proxy.no_proxies_on", "localhost");
user_pref("network.manage-offline-status", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("devtools.console.stdout.chrome", true);
user_pref("calendar.loglevel", "Debug");
"""
LONGEST = 120


class Thunderbird:
    """One person's Thunderbird. It believes the authority."""

    def __init__(self, folder, authority):
        self.folder = folder
        folder.mkdir()
        (folder / "user.js").write_text(PREFERENCES)
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            ["thunderbird", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", folder],
            stdout=self.log, stderr=self.log, env={**os.environ, "HOME": str(folder)})
        self.marionette = None
        try:
            self.marionette = Marionette(self.port())
            self.do("prepare", authority.certificate.read_text())
        except BaseException:
            self.stop()
            raise

    def port(self):
        noted, deadline = self.folder / "MarionetteActivePort", time.monotonic() + LONGEST
        while True:
            try:
                return int(noted.read_text())
            except (OSError, ValueError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text(errors="replace"))
                time.sleep(0.02)

    def do(self, step, *values):
        """Takes a step of `thunderbird_steps.js`; what it returns."""
        call = f"{STEPS.read_text()}\nreturn (async () => JSON.stringify((await {step}(...arguments[0])) ?? null))();"
        return json.loads(self.marionette.command("WebDriver:ExecuteScript", script=call, args=[values]))

    def wait(self, is_so, what):
        """Refreshes the calendar until it is as expected."""
        deadline = time.monotonic() + LONGEST
        while True:
            self.do("refresh")
            found = is_so()
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}\n{(self.folder / 'log').read_text(errors='replace')[-5000:]}")
            time.sleep(0.05)

    def shown(self, uid, start=None):
        """What it shows of an item, or of its occurrence at a time; `None`: there is none."""
        return self.do("shown", uid, start)

    def stop(self):
        if self.marionette:
            self.marionette.command("Marionette:Quit", flags=["eForceQuit"])
            self.marionette.close()
        else:
            self.process.kill()
        self.process.wait(timeout=LONGEST)
        self.log.close()


class Marionette:
    """`LENGTH:[0, ID, COMMAND, ARGUMENTS]`, and `LENGTH:[1, ID, ERROR, RESULT]` back."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONGEST)
        self.stream = self.socket.makefile("rb")
        self.last = 0
        self.read()
        self.command("WebDriver:NewSession")
        self.command("WebDriver:SetTimeouts", script=LONGEST * 1000)
        self.command("Marionette:SetContext", value="chrome")

    def close(self):
        self.stream.close()
        self.socket.close()

    def read(self):
        length = b""
        while not length.endswith(b":"):
            one = self.stream.read(1)
            if not one:
                raise AssertionError("Thunderbird is gone")
            length += one
        return json.loads(self.stream.read(int(length[:-1])))

    def command(self, name, **arguments):
        self.last += 1
        text = json.dumps([0, self.last, name, arguments]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self.read()
        assert number == self.last, (number, self.last)
        if error:
            raise AssertionError(f"{name}: {error['error']}: {error['message']}\n{error['stacktrace']}")
        return result["value"] if result and "value" in result else result
