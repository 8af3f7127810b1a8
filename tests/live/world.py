"""One or two Convoke hosts in a temporary folder, and a client that shares no code with them."""

import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import xml.etree.ElementTree as xml

CONVOKE = os.environ["CONVOKE"]
NS = "{urn:ietf:params:xml:ns:ischedule}"


# Below those that the kernel gives to clients (32768), so that none is taken before its server has it. Who runs modules beside each
# other gives each a range of its own.
PORTS = itertools.cycle(range(first := int(os.environ.get("LIVE_PORTS", "12000")), first + 2000))


def free_port():
    """A port that is free now, and that nobody was given before."""
    for port in PORTS:
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def openssl(*args, **more):
    subprocess.run(["openssl", *args], check=True, capture_output=True, **more)


class Authority:
    """A certificate authority and what it signs."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate, self.key = folder / "ca.pem", folder / "ca-key.pem"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=test authority",
                "-keyout", self.key, "-out", self.certificate)

    def issue(self, name, *names):
        key, request, certificate = (self.folder / f"{name}{end}" for end in ("-key.pem", ".csr", ".pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{n}" for n in (name, *names)) + ",IP:127.0.0.1\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                "-days", "30", "-extfile", extensions, "-out", certificate)
        return certificate, key


class Host:
    """A running `convoke serve`."""

    def __init__(self, folder, domain, authority, store="store-sqlite", required=False, discovery=(), port=0, extra="", store_config=None, client=""):
        self.folder, self.domain, self.authority = folder, domain, authority
        folder.mkdir()
        certificate, key = authority.issue(domain, "localhost")
        if store_config is None:
            store_config = 'config.path = "%s"' % ("calendars.db" if store == "store-sqlite" else "calendars")
        known = "".join(f'config.domains."{name}" = "{url}"\n' for name, url in discovery)
        self.config = folder / "convoke.toml"
        self.config.write_text(f"""
[server]
domains = ["{domain}"]
state = "state"
administrator = "mailto:admin@{domain}"

[[listener]]
role = "receiver"
address = "127.0.0.1:{port}"
tls = {{ certificate = "{certificate}", key = "{key}", client_ca = "{authority.certificate}" }}

[[listener]]
role = "submission"
address = "127.0.0.1:0"

[verification]
required = {str(required).lower()}

[client]
ca = "{authority.certificate}"
certificate = "{certificate}"
key = "{key}"
{client}

[limits]
content_length = "64 KiB"
recipients = 20

[[discovery]]
plugin = "discovery-static"
{known}
[[policy]]
plugin = "policy-rules"
config.rules = [
  {{ deny = "any", from = "*@blocked.example" }},
  {{ allow = "any", from = "*" }},
]

[[store]]
plugin = "{store}"
{store_config}
{extra}
""")
        self.process = None

    def run(self, *args, ok=True, text=None):
        done = subprocess.run([CONVOKE, "--config", self.config, *args], capture_output=True, text=True, input=text)
        if ok and done.returncode != 0:
            raise AssertionError(f"convoke {args}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *args, **more):
        return json.loads(self.run("--json", *args, **more).stdout)

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([CONVOKE, "serve", "--config", self.config], stdout=self.log, stderr=self.log)
        notes = self.folder / "state" / "listeners.json"
        deadline = time.monotonic() + 30
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text())
            try:
                where = {note["role"]: note["address"] for note in json.loads(notes.read_text())}
                self.port = int(where["receiver"].rsplit(":", 1)[1])
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except (OSError, ValueError):
                time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            code = self.process.wait(timeout=30)
            self.process = None
            (self.folder / "state" / "listeners.json").unlink(missing_ok=True)
            self.log.close()
            return code

    def connect(self, certificate=None):
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if certificate:
            context.load_cert_chain(*certificate)
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=30)

    def request(self, method, path, headers=(), body=None, certificate=None, chunked=False):
        """One request with header fields exactly as given."""
        connection = self.connect(certificate)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
        connection.endheaders()
        if body is not None:
            for start in range(0, len(body), 1000) if chunked else ():
                part = body[start:start + 1000]
                connection.send(b"%x\r\n%s\r\n" % (len(part), part))
            connection.send(b"0\r\n\r\n" if chunked else body)
        response = connection.getresponse()
        response.text = response.read().decode()
        connection.close()
        return response

    def post(self, component, method, originator, recipients, body, extra=(), without=(), **more):
        recipients = [recipients] if isinstance(recipients, str) else recipients
        headers = [("iSchedule-Version", "1.0"), ("Cache-Control", "no-cache, no-transform"), ("Originator", originator)]
        headers += [("Recipient", recipient) for recipient in recipients]
        headers += [("Content-Type", f"text/calendar; charset=utf-8; component={component}; method={method}")]
        headers = [(name, value) for name, value in headers if name not in without] + list(extra)
        body = body if isinstance(body, bytes) else body.replace("\n", "\r\n").encode()
        return self.request("POST", "/.well-known/ischedule", headers, body, **more)


def statuses(response):
    """[(recipient, code)] of a schedule-response."""
    root = xml.fromstring(response.text)
    assert root.tag == NS + "schedule-response", response.text
    return [(r.findtext(NS + "recipient"), r.findtext(NS + "request-status").split(";")[0]) for r in root]


def error(response):
    """The element of an error document."""
    root = xml.fromstring(response.text)
    assert root.tag == NS + "error", response.text
    return root[0].tag.removeprefix(NS)


def calendar_data(response):
    return [r.findtext(NS + "calendar-data") for r in xml.fromstring(response.text)]


def freebusy(originator, attendees, start="20270104T000000Z", end="20270105T000000Z", uid="fb-1"):
    lines = "".join(f"ATTENDEE:{attendee}\n" for attendee in attendees)
    return f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//peer//EN
METHOD:REQUEST
BEGIN:VFREEBUSY
UID:{uid}
DTSTAMP:20261120T000000Z
DTSTART:{start}
DTEND:{end}
ORGANIZER:{originator}
{lines}END:VFREEBUSY
END:VCALENDAR
"""


def event(method, organizer, attendees, uid="meet-1", sequence=0, start="20270104T100000Z", end="20270104T110000Z", more="",
          stamp="20261120T000000Z"):
    lines = "".join(f"ATTENDEE;{a}\n" if "=" in a.split(":")[0] else f"ATTENDEE:{a}\n" for a in attendees)
    method = f"METHOD:{method}\n" if method else ""
    return f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//peer//EN
{method}BEGIN:VEVENT
UID:{uid}
DTSTAMP:{stamp}
SEQUENCE:{sequence}
DTSTART:{start}
DTEND:{end}
SUMMARY:Planning
ORGANIZER:{organizer}
{lines}{more}END:VEVENT
END:VCALENDAR
"""


def unfolded(text):
    return text.replace("\r\n ", "").replace("\n ", "")


def khal_config(file, calendar):
    """Writes a configuration of khal for one calendar of somebody in Berlin."""
    file.write_text(f"""
[calendars]
[[mine]]
path = {calendar}
[locale]
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[sqlite]
path = {file}.db
""")
    return file


def folder():
    return tempfile.TemporaryDirectory(prefix="convoke-live-")


def path(directory):
    return pathlib.Path(directory.name)
