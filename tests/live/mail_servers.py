"""A mail server on loopback: Postfix takes mail and sends it on, Dovecot keeps it in Maildirs; all in one folder."""

import email
import email.policy
import os
import pathlib
import pwd
import signal
import smtplib
import socket
import socketserver
import subprocess
import threading
import time

from world import free_port

# The user that Dovecot writes mailboxes as.
KEEPER = pwd.getpwnam("mail")


class Mailboxes:
    """Dovecot: a mailbox for every address it is given."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        folder.mkdir(mode=0o755)
        self.kept = folder / "mail"
        self.kept.mkdir()
        os.chown(self.kept, KEEPER.pw_uid, KEEPER.pw_gid)
        self.config = folder / "dovecot.conf"
        self.config.write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = lmtp
ssl = no
first_valid_uid = {KEEPER.pw_uid}
mail_location = maildir:{self.kept}/%d/%n
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={KEEPER.pw_uid} gid={KEEPER.pw_gid} home={self.kept}/%d/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
""")
        self.start()

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.config])
        reachable(self.port, self.process, self.folder / "log")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)

    def of(self, address):
        """The mails of an address, oldest first."""
        name, domain = address.removeprefix("mailto:").split("@")
        files = (file for part in ("new", "cur") for file in (self.kept / domain / name / part).glob("*"))
        read = lambda file: email.message_from_bytes(file.read_bytes(), policy=email.policy.SMTP)
        return [read(file) for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]

    def wait(self, address, subject, count=1):
        """The mails of an address with this in their subject, as soon as there are so many."""
        deadline = time.monotonic() + 60
        while len(found := [mail for mail in self.of(address) if subject in mail["Subject"]]) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{address} has only {[mail['Subject'] for mail in self.of(address)]} after a minute")
            time.sleep(0.05)
        return found


class Policy:
    """A policy service that Postfix asks about each recipient (state `RCPT`) and each mail (`END-OF-MESSAGE`), when it has all of it.

    `says` is what it answers, by state and recipient: an action, or a lock that whoever asks waits for."""

    def __init__(self):
        self.says, self.asked = {}, threading.Semaphore(0)
        policy = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                while asked := dict(iter(lambda: self.rfile.readline().decode().rstrip("\n").partition("=")[::2], ("", ""))):
                    said = policy.says.get((asked["protocol_state"], asked["recipient"]), "DUNNO")
                    if not isinstance(said, str):
                        policy.asked.release()
                        with said:
                            said = "DUNNO"
                    try:
                        self.wfile.write(f"action={said}\n\n".encode())
                    except OSError:
                        return  # who has asked is gone

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class MailServer:
    """Postfix, for some domains. What comes for `calendar+…@` of the first and for its people
    goes to a Convoke host by LMTP, everything else to mailboxes. `nobody@` the second is refused at once, `gone@` it by a bounce.

    `verdict` is what it writes about who sent a mail: an Authentication-Results header by sender address. It asks `policy` what it
    takes."""

    def __init__(self, folder, mailboxes, domains, convoke=None, verdict=None, policy=None):
        self.folder, self.port, self.domains = folder, free_port(), domains
        self.convoke = convoke or free_port()
        folder.mkdir(mode=0o755)
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir(mode=0o755)
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        etc = folder / "etc"
        (etc / "transport").write_text(
            f"calendar@{domains[0]} lmtp:inet:127.0.0.1:{self.convoke}\n"
            f"anna@{domains[0]} lmtp:inet:127.0.0.1:{self.convoke}\n"
            f"nobody@{domains[1]} error:5.1.1 nobody of this name\n"
            f"gone@{domains[1]} gone:\n")
        (etc / "known").write_text("".join(f"@{domain} here\n" for domain in domains))
        verdicts = "".join(f"{sender} PREPEND Authentication-Results: {text}\n" for sender, text in (verdict or {}).items())
        (etc / "senders").write_text(verdicts)
        asks = f"check_policy_service inet:127.0.0.1:{policy.port}" if policy else ""
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domains[0]}
mydestination =
virtual_mailbox_domains = {" ".join(domains)}
virtual_mailbox_maps = texthash:{etc}/known
virtual_transport = lmtp:inet:127.0.0.1:{mailboxes.port}
transport_maps = texthash:{etc}/transport
recipient_delimiter = +
smtpd_sender_restrictions = check_sender_access texthash:{etc}/senders
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = {asks}
smtpd_end_of_data_restrictions = {asks}
smtputf8_enable = yes
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
""")
        (etc / "master.cf").write_text("".join(f"{line}\n" for line in [
            f"127.0.0.1:{self.port} inet n - n - - smtpd",
            "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce", "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap",
            "smtp unix - - n - - smtp", "error unix - - n - - error", "retry unix - - n - - error",
            "lmtp unix - - n - - lmtp", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd", "gone unix - n n - - pipe user=nobody argv=/bin/sh -c {exit 67}", "showq unix n - n - - showq",
        ]))
        self.start()

    def start(self):
        self.process = subprocess.Popen(["postfix", "-c", self.folder / "etc", "start-fg"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        reachable(self.port, self.process, self.folder / "log")

    def stop(self, how=signal.SIGTERM):
        """Ends it with all its processes. What it had taken stays in its queue."""
        os.killpg(os.getpgid(self.master()), how)
        self.process.wait(timeout=30)

    def master(self):
        return int((self.folder / "queue" / "pid" / "master.pid").read_text())

    def hang(self, so):
        """Stops whatever speaks SMTP, or lets it go on: connections are made, and nobody answers."""
        master = self.master()
        children = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
        speakers = [pid for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text() == "smtpd\n"]
        for pid in [master, *map(int, speakers)]:
            os.kill(pid, signal.SIGSTOP if so else signal.SIGCONT)

    def send(self, mail, sender, *recipients):
        """Hands over a mail as the server of somebody else would."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as connection:
            connection.sendmail(sender, recipients, mail if isinstance(mail, bytes) else mail.encode())


def reachable(port, process, log):
    """Waits until somebody answers on this port of loopback."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError(log.read_text() if log.exists() else f"nothing answers on port {port}")
            time.sleep(0.02)
