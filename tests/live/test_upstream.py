"""The caldav listener in front of real CalDAV servers: bytes with and without it, python-caldav, vdirsyncer with khal, and two
households that plan a dinner without a shell."""

import base64
import http.client
import pathlib
import time
import unittest
import urllib.request

import bcrypt
import caldav

from caldav_servers import Radicale, Sabre, Xandikos
from synced import Synced
from world import *

# of the connection, or of the moment
PASSING = {"date", "connection", "keep-alive", "transfer-encoding"}
WHO = '<propfind xmlns="DAV:"><prop><current-user-principal/><resourcetype/><getetag/></prop></propfind>'


def listener(folder, authority, more):
    certificate, key = authority.issue(f"{folder.name}.cal.example", "localhost")
    return f"""
[[listener]]
role = "caldav"
address = "127.0.0.1:0"
tls = {{ certificate = "{certificate}", key = "{key}" }}
{more}
"""


def port_of(host, role):
    notes = json.loads((host.folder / "state" / "listeners.json").read_text())
    return int(next(note["address"] for note in notes if note["role"] == role).rsplit(":", 1)[1])


def meeting(organizer, attendee, partstat="NEEDS-ACTION"):
    return f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//peer//EN
BEGIN:VEVENT
UID:dinner
DTSTAMP:20261120T000000Z
DTSTART:20270104T180000Z
DURATION:PT2H
SUMMARY:Dinner
ORGANIZER:mailto:{organizer}
ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}
ATTENDEE;PARTSTAT={partstat};RSVP=TRUE:mailto:{attendee}
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


class RadicaleOfAHouse(Radicale):
    """With a log-in that may read and write everybody's calendars; its people need no word anywhere else."""

    users = ("u1", "u2", "convoke")

    def rights(self):
        return f"type = from_file\nfile = {self.folder}/rights"

    def start(self, authority):
        (self.folder / "convoke.password").write_text("convoke-secret\n")
        (self.folder / "convoke.password").chmod(0o600)
        (self.folder / "rights").write_text("""
[convoke]
user: convoke
collection: .*
permissions: RrWw
[root]
user: .+
collection:
permissions: R
[principal]
user: .+
collection: {user}
permissions: RW
[calendars]
user: .+
collection: {user}/[^/]+
permissions: rw
""")
        super().start(authority)

    def config(self, domain):
        return (f'home = "http://127.0.0.1:{self.port}/{{user}}/"\n'
                f'login = {{ username = "convoke", password_file = "{self.folder}/convoke.password" }}\n')


class Dav:
    """A calendar program on one calendar."""

    def __init__(self, authority, port, calendar, user, password):
        self.context = ssl.create_default_context(cafile=authority.certificate)
        self.port, self.calendar, self.user, self.password = port, calendar, user, password

    def request(self, method, path, body=None, **headers):
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=60)
        try:
            connection.request(method, path, body=body, headers={"Authorization": f"Basic {login}", **headers})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def names(self):
        status, _, body = self.request("PROPFIND", self.calendar, WHO, Depth="1", **{"Content-Type": "application/xml"})
        assert status == 207, (status, body)
        hrefs = [one.text for one in xml.fromstring(body).iter("{DAV:}href")]
        return [href for href in hrefs if href.endswith(".ics")]

    def meetings(self):
        return [unfolded(self.request("GET", name)[2]) for name in self.names()]

    def put(self, name, text):
        status, _, body = self.request("PUT", name, text, **{"Content-Type": "text/calendar"})
        assert status in (201, 204), (status, body)


class Upstream(unittest.TestCase):
    def setUp(self):
        self.directory = folder()
        self.addCleanup(self.directory.cleanup)
        self.base = pathlib.Path(self.directory.name)
        self.authority = Authority(self.base)

    def server(self, kind):
        server = kind(self.base / kind.__name__, self.authority)
        self.addCleanup(server.stop)
        return server

    def in_front_of(self, server, domain="house.example", discovery=(), port=0):
        where = self.base / domain
        upstream = f'upstream = "http://127.0.0.1:{server.port}"'
        lines = server.config(domain).splitlines()
        store = "\n".join(f"config.{line}" for line in [*lines, "poll_interval = 3600"] if line)
        host = Host(where, domain, self.authority, store="store-caldav", store_config=store, discovery=discovery, port=port,
                    extra=listener(where, self.authority, upstream))
        self.addCleanup(host.stop)
        return host.start()

    def sqlite(self, domain, user, password, discovery, port):
        where = self.base / domain
        host = Host(where, domain, self.authority, discovery=discovery, port=port,
                    extra=listener(where, self.authority, 'users = "users.htpasswd"'))
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        (where / "users.htpasswd").write_text(f"{user}:{hashed}\n")
        host.run("user", "add", user)
        self.addCleanup(host.stop)
        return host.start()

    def wait(self, seen, what):
        deadline = time.monotonic() + 60
        while not (found := seen()):
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)
        return found

    def test_bytes_are_the_same_with_and_without(self):
        for kind, calendar in ((Radicale, "/bo/work/"), (Xandikos, "/bo/calendars/work/")):
            with self.subTest(kind.__name__):
                server = self.server(kind)
                host = self.in_front_of(server, f"{kind.__name__.lower()}.example")
                self.compare(server, port_of(host, "caldav"), calendar)

    def compare(self, server, port, calendar):
        login = base64.b64encode(f"bo:{server.password('bo')}".encode()).decode()
        context = ssl.create_default_context(cafile=self.authority.certificate)
        direct = lambda: http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        behind = lambda: http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)

        def ask(connect, method, path, body=None, headers=()):
            connection = connect()
            try:
                connection.request(method, path, body=body, headers={"Authorization": f"Basic {login}", **dict(headers)})
                answer = connection.getresponse()
                fields = sorted((name.lower(), value) for name, value in answer.getheaders() if name.lower() not in PASSING)
                return answer.status, fields, answer.read()
            finally:
                connection.close()

        made = ask(behind, "MKCALENDAR", calendar)
        self.assertEqual(made[0], 201, made)
        # A length that is not known before the end.
        text = meeting("bo@far.example", "guest@far.example")
        self.assertEqual(ask(behind, "PUT", calendar + "a.ics", iter([text.encode()]), [("Content-Type", "text/calendar")])[0], 201)
        xml_type = ("Content-Type", "application/xml")
        query = ('<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop><C:filter>'
                 '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>')
        sync = '<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>'
        etag = dict(ask(direct, "GET", calendar + "a.ics")[1])["etag"]
        for method, path, body, headers in (
            ("GET", calendar + "a.ics", None, []),
            ("GET", calendar + "a.ics", None, [("Accept-Encoding", "gzip")]),
            ("HEAD", calendar + "a.ics", None, []),
            ("GET", calendar + "a.ics", None, [("If-None-Match", etag)]),
            ("GET", calendar + "none.ics", None, []),
            ("OPTIONS", calendar, None, []),
            ("PROPFIND", "/", WHO, [("Depth", "0"), xml_type]),
            ("PROPFIND", "/bo/", WHO, [("Depth", "1"), xml_type]),
            ("PROPFIND", calendar, WHO, [("Depth", "1"), xml_type, ("Accept-Encoding", "gzip")]),
            ("REPORT", calendar, query, [("Depth", "1"), xml_type]),
            ("REPORT", calendar, sync, [xml_type]),
            ("PROPFIND", calendar, "<what", [("Depth", "0"), xml_type]),
            ("PUT", calendar + "a.ics", text, [("If-None-Match", "*"), ("Content-Type", "text/calendar")]),
            ("PUT", calendar + "a.ics", text, [("If-Match", '"other"'), ("Content-Type", "text/calendar")]),
            ("PROPFIND", "/.well-known/caldav", WHO, [("Depth", "0"), xml_type]),
        ):
            with self.subTest(f"{method} {path} {headers}"):
                without, with_it = ask(direct, method, path, body, headers), ask(behind, method, path, body, headers)
                self.assertEqual(without, with_it)
        # Some servers take no MOVE within a calendar, as the UID is in use.
        self.assertEqual(ask(behind, "PUT", calendar + "c.ics", text.replace("UID:dinner", "UID:lunch"), [("Content-Type", "text/calendar")])[0], 201)
        move = lambda connect, port, scheme, name: ask(connect, "MOVE", f"{calendar}{name}.ics", None, [
            ("Destination", f"{scheme}://127.0.0.1:{port}{calendar}{name}-moved.ics")])[0]
        status = move(direct, server.port, "http", "a")
        self.assertIn(status, (201, 412))
        self.assertEqual(move(behind, port, "https", "c"), status)
        for name in ("a", "c"):
            self.assertEqual(ask(direct, "GET", f"{calendar}{name}-moved.ics")[0], 200 if status == 201 else 404)

    def test_digest_passes(self):
        server = self.server(Sabre)
        host = self.in_front_of(server, "sabre.example")
        url = f"https://localhost:{port_of(host, 'caldav')}/calendars/bo/"
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, url, "bo", server.password("bo"))
        context = ssl.create_default_context(cafile=self.authority.certificate)
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.HTTPDigestAuthHandler(passwords))
        request = urllib.request.Request(url, WHO.encode(), {"Depth": "0", "Content-Type": "application/xml"}, method="PROPFIND")
        with opener.open(request) as answer:
            self.assertEqual(answer.status, 207)
            self.assertIn(b"/principals/bo/", answer.read())

    def test_two_households_plan_a_dinner(self):
        """One on Radicale behind the listener, one on SQLite that the listener serves. Nobody is configured but by name and password."""
        ports = {name: free_port() for name in ("house.example", "harbour.example")}
        known = [(name, f"https://localhost:{port}/.well-known/ischedule") for name, port in ports.items()]
        house = self.in_front_of(self.server(RadicaleOfAHouse), "house.example", known, ports["house.example"])
        harbour = self.sqlite("harbour.example", "anna@harbour.example", "anna-secret", known, ports["harbour.example"])
        anna = Dav(self.authority, port_of(harbour, "caldav"), "/calendars/anna@harbour.example/calendar/", "anna@harbour.example", "anna-secret")
        one = Dav(self.authority, port_of(house, "caldav"), "/u1/calendar/", "u1", "u1-secret")
        self.assertEqual(one.request("MKCALENDAR", one.calendar)[0], 201)

        # u1 has never been seen here before this invitation is written.
        one.put(one.calendar + "dinner.ics", meeting("u1@house.example", "anna@harbour.example"))
        hers = self.wait(anna.meetings, "Anna is not invited")
        self.assertIn("SUMMARY:Dinner", hers[0])
        [name] = anna.names()
        anna.put(name, anna.request("GET", name)[2].replace("NEEDS-ACTION", "ACCEPTED"))
        accepted = lambda: [text for text in one.meetings() if text.count("PARTSTAT=ACCEPTED") == 2]
        self.wait(accepted, "u1 does not see that Anna comes")

        # An edit, the other way.
        text = one.request("GET", one.names()[0])[2].replace("SUMMARY:Dinner", "SUMMARY:Supper")
        one.put(one.names()[0], text)
        self.wait(lambda: "SUMMARY:Supper" in anna.meetings()[0], "Anna does not see the change")
        self.assertEqual(one.request("DELETE", one.names()[0])[0] // 100, 2)
        gone = lambda: not anna.meetings() or "STATUS:CANCELLED" in anna.meetings()[0]
        self.wait(gone, "Anna does not see that it is off")

    def test_python_caldav(self):
        server = self.server(RadicaleOfAHouse)
        host = self.in_front_of(server)
        url = f"https://localhost:{port_of(host, 'caldav')}/"
        client = caldav.DAVClient(url=url, username="u1", password="u1-secret", ssl_verify_cert=str(self.authority.certificate))
        calendar = client.principal().make_calendar(name="Work")
        made = calendar.save_event(meeting("u1@house.example", "u2@house.example"))
        self.assertEqual(str(calendar.event_by_uid("dinner").icalendar_component["SUMMARY"]), "Dinner")
        changes = calendar.objects_by_sync_token(load_objects=True)
        self.assertEqual(len(list(changes)), 1)
        calendar.event_by_uid("dinner").delete()
        self.assertEqual(len(list(calendar.events())), 0)
        with self.assertRaises(caldav.lib.error.AuthorizationError):
            caldav.DAVClient(url=url, username="u1", password="wrong", ssl_verify_cert=str(self.authority.certificate)).principal()
        del made

    def test_vdirsyncer_and_khal(self):
        server = self.server(RadicaleOfAHouse)
        host = self.in_front_of(server)
        port = port_of(host, "caldav")
        one = Dav(self.authority, port, "/u1/calendar/", "u1", "u1-secret")
        self.assertEqual(one.request("MKCALENDAR", one.calendar)[0], 201)
        own = Synced(self.base, f"https://localhost:{port}/", "u1", "u1-secret", self.authority)
        own.khal("new", "-a", "mine", "2027-01-04", "15:00", "16:00", "Bread")
        own.sync()
        self.assertIn("SUMMARY:Bread", one.meetings()[0])
        one.put(one.names()[0], one.request("GET", one.names()[0])[2].replace("Bread", "Cake"))
        own.sync()
        self.assertIn("Cake 15:00", own.khal("list", "--format", "{title} {start-time}", "2027-01-04", "1d"))


if __name__ == "__main__":
    unittest.main()
