"""Cyrus httpd, from Debian's package, on loopback ports of its own and with all its state in one folder."""

import imaplib
import os
import pathlib
import shutil
import subprocess
import time

from world import free_port

BIN = pathlib.Path("/usr/lib/cyrus/bin")


class Cyrus:
    """A running Cyrus that serves calendars and iSchedule for `users` at example.org; `scheduling`: does iTIP itself."""

    def __init__(self, folder, certificate, key, users, scheduling="on"):
        self.folder = folder
        self.http, self.https, self.imap = free_port(), free_port(), free_port()
        folder.mkdir()
        for above in (folder, *folder.parents):
            if above == pathlib.Path("/tmp"):
                break
            above.chmod(0o755)
        for name in ("conf", "spool", "run"):
            (folder / name).mkdir()
        for source, name in ((certificate, "cert.pem"), (key, "key.pem")):
            shutil.copy(source, folder / name)
        (folder / "imapd.conf").write_text(f"""
configdirectory: {folder}/conf
defaultpartition: default
partition-default: {folder}/spool
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
servername: cal.example.org
defaultdomain: example.org
unixhierarchysep: yes
calendar_user_address_set: example.org
admins: admin
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN
httpmodules: caldav ischedule
caldav_allowscheduling: {scheduling}
ischedule_dkim_required: no
sendmail: /bin/true
tls_server_cert: {folder}/cert.pem
tls_server_key: {folder}/key.pem
""")
        (folder / "cyrus.conf").write_text(f"""
START {{ recover cmd="ctl_cyrusdb -C {folder}/imapd.conf -r" }}
SERVICES {{
  imap  cmd="imapd -C {folder}/imapd.conf" listen="127.0.0.1:{self.imap}" prefork=0
  http  cmd="httpd -C {folder}/imapd.conf" listen="127.0.0.1:{self.http}" prefork=1
  https cmd="httpd -C {folder}/imapd.conf -s" listen="127.0.0.1:{self.https}" prefork=0
}}
EVENTS {{ checkpoint cmd="ctl_cyrusdb -C {folder}/imapd.conf -c" period=30 }}
""")
        for user in ("admin", *users):
            subprocess.run(["saslpasswd2", "-p", "-c", "-f", folder / "sasldb2", "-u", "cal.example.org", user], input=b"secret\n", check=True)
        subprocess.run(["chown", "-R", "cyrus:mail", folder], check=True)
        as_cyrus = f"{BIN}/makedirs -C {folder}/imapd.conf"
        subprocess.run(["su", "-s", "/bin/sh", "cyrus", "-c", as_cyrus], capture_output=True)
        self.log = open(folder / "log", "wb")
        # In a session of its own: a master that is stopped stops others of its session, too.
        self.master = subprocess.Popen([BIN / "master", "-p", folder / "master.pid", "-C", folder / "imapd.conf", "-M", folder / "cyrus.conf"],
                                       stdout=self.log, stderr=self.log, start_new_session=True)
        imap = self._patiently(lambda: imaplib.IMAP4("127.0.0.1", self.imap))
        imap.login("admin", "secret")
        for user in users:
            assert imap.create(f"user/{user}")[0] == "OK"
        imap.logout()
        for user in users:
            self.dav(user, "PROPFIND", f"/dav/calendars/user/{user}/")

    def _patiently(self, attempt):
        deadline = time.monotonic() + 30
        while True:
            try:
                return attempt()
            except (OSError, imaplib.IMAP4.abort):
                if time.monotonic() > deadline or self.master.poll() is not None:
                    raise
                time.sleep(0.05)

    def dav(self, user, method, path, *more):
        """A CalDAV request; the answer's body."""
        url = f"http://127.0.0.1:{self.http}{path}"
        done = subprocess.run(["curl", "-sS", "-u", f"{user}:secret", "-X", method, *more, url], check=True, capture_output=True, text=True)
        return done.stdout

    def stop(self):
        self.master.terminate()
        self.master.wait(timeout=30)
        self.log.close()
