"""A person's own files that vdirsyncer keeps in step with a CalDAV server, and khal on them."""

import os
import subprocess

from world import khal_config


class Synced:
    """A calendar called `calendar`, in the folder `files`."""

    def __init__(self, base, url, user, password, authority):
        self.base, self.files = base, base / "local" / "calendar"
        self.config = base / "vdirsyncer.conf"
        self.config.write_text(f"""
[general]
status_path = "{base}/status"
[pair mine]
a = "here"
b = "there"
collections = [["calendar", "calendar", "calendar"]]
conflict_resolution = "b wins"
[storage here]
type = "filesystem"
path = "{self.files.parent}"
fileext = ".ics"
[storage there]
type = "caldav"
url = "{url}"
username = "{user}"
password = "{password}"
verify = "{authority.certificate}"
""")
        self.vdirsyncer("discover", "y\n" * 8)

    def sync(self):
        self.vdirsyncer("sync")

    def khal(self, *command):
        return self.run(os.environ["KHAL"], "-c", khal_config(self.base / "khal.conf", self.files), *command)

    def vdirsyncer(self, command, text=""):
        return self.run(os.environ["VDIRSYNCER"], "-c", self.config, command, text=text)

    def run(self, *command, text=""):
        done = subprocess.run(command, capture_output=True, text=True, input=text)
        if done.returncode != 0:
            raise AssertionError(f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout
