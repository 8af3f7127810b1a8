"""The caldav listener in front of real CalDAV servers: bytes with and without it, python-caldav, vdirsyncer with khal, and two
households that plan a dinner without a shell."""

import base64
import http.client
import pathlib
import time
import unittest
import urllib.error
import urllib.request

import bcrypt
import caldav

from caldav_servers import Radicale, RadicaleOfAHouse, Sabre, Xandikos
from synced import Synced
from world import *

# of the connection, or of the moment
PASSING = {"date", "connection", "keep-alive", "transfer-encoding"}
WHO = '<propfind xmlns="DAV:"><prop><current-user-principal/><resourcetype/><getetag/></prop></propfind>'


CALDAV = "{urn:ietf:params:xml:ns:caldav}"
ASK_PRINCIPAL = ('<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:schedule-inbox-URL/><C:schedule-outbox-URL/>'
                 '<C:calendar-user-address-set/><C:calendar-user-type/></prop></propfind>')
FREE_BUSY = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//peer//EN
METHOD:REQUEST
BEGIN:VFREEBUSY
UID:question
DTSTAMP:20261120T000000Z
DTSTART:20270104T000000Z
DTEND:20270105T000000Z
ORGANIZER:mailto:{}
ATTENDEE:mailto:{}
END:VFREEBUSY
END:VCALENDAR
"""


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


def alone(uid):
    return f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//peer//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20261120T000000Z
DTSTART:20270105T180000Z
DURATION:PT2H
SUMMARY:Nobody else's
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


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

    def in_front_of(self, server, domain="house.example", discovery=(), port=0, poll=3600):
        where = self.base / domain
        upstream = f'upstream = "http://127.0.0.1:{server.port}"'
        lines = server.config(domain).splitlines()
        store = "\n".join(f"config.{line}" for line in [*lines, f"poll_interval = {poll}"] if line)
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
            ("GET", calendar, None, [("Accept-Encoding", "gzip")]),
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
                without, (status, fields, read) = ask(direct, method, path, body, headers), ask(behind, method, path, body, headers)
                # That it schedules is all that is added to what a server says of itself, and a tag to what is scheduled.
                plain = lambda fields: [(name, value.replace(" calendar-auto-schedule,", "").replace(", calendar-auto-schedule", ""))
                                        for name, value in fields if name != "schedule-tag"]
                self.assertEqual((without[0], plain(without[1]), without[2]), (status, plain(fields), read))
        # Some servers take no MOVE within a calendar, as the UID is in use.
        self.assertEqual(ask(behind, "PUT", calendar + "c.ics", text.replace("UID:dinner", "UID:lunch"), [("Content-Type", "text/calendar")])[0], 201)
        move = lambda connect, port, scheme, name: ask(connect, "MOVE", f"{calendar}{name}.ics", None, [
            ("Destination", f"{scheme}://127.0.0.1:{port}{calendar}{name}-moved.ics")])[0]
        status = move(direct, server.port, "http", "a")
        self.assertIn(status, (201, 412))
        self.assertEqual(move(behind, port, "https", "c"), status)
        for name in ("a", "c"):
            self.assertEqual(ask(direct, "GET", f"{calendar}{name}-moved.ics")[0], 200 if status == 201 else 404)

    def by_digest(self, server, host, user):
        """What a program is answered that logs in by Digest."""
        url = f"https://localhost:{port_of(host, 'caldav')}"
        context = ssl.create_default_context(cafile=self.authority.certificate)

        def ask(method, path, body=None, **headers):
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, url, user, server.password(user))
            opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), urllib.request.HTTPDigestAuthHandler(passwords))
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            request = urllib.request.Request(url + path, body and body.encode(), headers, method=method)
            try:
                with opener.open(request) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        return ask

    def test_digest_passes(self):
        server = self.server(Sabre)
        ask = self.by_digest(server, self.in_front_of(server, "sabre.example"), "bo")
        status, body = ask("PROPFIND", "/calendars/bo/", WHO, Depth="0", Content_Type="application/xml")
        self.assertEqual(status, 207)
        self.assertIn("/principals/bo/", body)

    def test_edits_by_digest_are_judged(self):
        server = self.server(Sabre)
        host = self.in_front_of(server, "sabre.example")
        bo, cleo = (self.by_digest(server, host, user) for user in ("bo", "cleo"))
        for user, ask in (("bo", bo), ("cleo", cleo)):
            self.assertEqual(ask("MKCALENDAR", f"/calendars/{user}/work/")[0], 201)
        write = lambda ask, path, text: ask("PUT", path, text, Content_Type="text/calendar")
        status, body = write(cleo, "/calendars/cleo/work/dinner.ics", meeting("cleo@sabre.example", "bo@sabre.example"))
        self.assertEqual(status, 201, body)
        listed = lambda: bo("PROPFIND", "/calendars/bo/work/", WHO, Depth="1", Content_Type="application/xml")[1]
        hrefs = lambda: [one.text for one in xml.fromstring(listed()).iter("{DAV:}href") if one.text.endswith(".ics")]
        [path] = self.wait(hrefs, "Bo is not invited")
        invitation = bo("GET", path)[1]
        status, body = write(bo, path, invitation.replace("20270104T18", "20270104T20"))
        self.assertEqual(status, 403, body)
        self.assertIn("allowed-attendee-scheduling-object-change", body)
        self.assertEqual(bo("GET", path)[1], invitation)
        status, body = write(bo, path, invitation.replace("NEEDS-ACTION", "ACCEPTED"))
        self.assertEqual(status, 204, body)
        hers = lambda: unfolded(cleo("GET", "/calendars/cleo/work/dinner.ics")[1]).splitlines()
        answered = lambda: any("PARTSTAT=ACCEPTED" in line for line in hers() if "mailto:bo@" in line)
        self.wait(answered, "Cleo does not see that Bo comes")

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

    def house(self):
        """Radicale with u1 and u2 behind the listener, each with a calendar."""
        server = self.server(RadicaleOfAHouse)
        host = self.in_front_of(server)
        one, two = (Dav(self.authority, port_of(host, "caldav"), f"/{user}/calendar/", user, f"{user}-secret") for user in ("u1", "u2"))
        for program in (one, two):
            self.assertEqual(program.request("MKCALENDAR", program.calendar)[0], 201)
        return server, host, one, two

    def test_programs_find_scheduling(self):
        _, _, one, two = self.house()
        answer = one.request("PROPFIND", "/u1/", ASK_PRINCIPAL, Depth="0")
        self.assertIn("calendar-auto-schedule", answer[1]["dav"])
        root = xml.fromstring(answer[2])
        hrefs = lambda name: [one.text for one in root.findall(f".//{CALDAV}{name}/{{DAV:}}href")]
        [inbox], [outbox] = hrefs("schedule-inbox-URL"), hrefs("schedule-outbox-URL")
        self.assertEqual(hrefs("calendar-user-address-set")[0], "mailto:u1@house.example")
        self.assertEqual(root.findall(".//{DAV:}status")[0].text, "HTTP/1.1 200 OK")
        for path in ("/u1/", one.calendar):
            self.assertIn("calendar-auto-schedule", one.request("OPTIONS", path)[1]["dav"])
        for path in (inbox, outbox):
            self.assertEqual(one.request("PROPFIND", path, WHO, Depth="0")[0], 207)
            self.assertEqual(two.request("PROPFIND", path, WHO, Depth="0")[0], 404)

        # Who asks is who the server lets in.
        one.put(one.calendar + "a.ics", meeting("u1@house.example", "u2@house.example"))
        self.wait(two.meetings, "u2 is not invited")
        question = FREE_BUSY.format("u2@house.example", "u1@house.example").replace("\n", "\r\n")
        status, _, body = two.request("POST", outbox.replace("u1@", "u2@"), question, **{"Content-Type": "text/calendar"})
        self.assertEqual(status, 200, body)
        self.assertIn("20270104T180000Z/", body)
        two.password = "wrong"
        status, headers, _ = two.request("POST", outbox.replace("u1@", "u2@"), question, **{"Content-Type": "text/calendar"})
        self.assertEqual(status, 401)
        self.assertIn("Radicale", headers["www-authenticate"])

    def test_what_is_not_theirs_to_write_is_refused(self):
        _, host, one, two = self.house()
        one.put(one.calendar + "a.ics", meeting("u1@house.example", "u2@house.example", "ACCEPTED"))
        self.wait(two.meetings, "u2 is not invited")
        [mine] = one.meetings()
        self.assertIn("SCHEDULE-STATUS", mine)
        self.assertEqual(mine.count("PARTSTAT=ACCEPTED"), 1, mine)
        [name] = two.names()
        moved = two.request("GET", name)[2].replace("T180000Z", "T190000Z")
        status, _, body = two.request("PUT", name, moved, **{"Content-Type": "text/calendar"})
        self.assertEqual(status, 403)
        self.assertIn("allowed-attendee-scheduling-object-change", body)
        self.assertIn("T180000Z", two.meetings()[0])
        # A tag that is not the object's.
        tag = two.request("GET", name)[1]["schedule-tag"]
        accepted = two.request("GET", name)[2].replace("NEEDS-ACTION", "ACCEPTED")
        put = lambda tag: two.request("PUT", name, accepted, **{"Content-Type": "text/calendar", "If-Schedule-Tag-Match": tag})[0]
        self.assertEqual(put('"other"'), 412)
        self.assertIn(put(tag), (200, 201, 204))
        self.wait(lambda: one.meetings()[0].count("PARTSTAT=ACCEPTED") == 2, "u1 does not see that u2 comes")
        self.assertEqual(two.request("DELETE", name, **{"Schedule-Reply": "F"})[0] // 100, 2)
        self.assertEqual(two.names(), [])
        host.run("changed", "--user", "u2@house.example")
        self.assertNotIn("DECLINED", one.meetings()[0])

    def test_a_move_is_told_once(self):
        server, _, one, two = self.house()
        one.put(one.calendar + "a.ics", meeting("u1@house.example", "u2@house.example"))
        self.wait(two.meetings, "u2 is not invited")
        self.assertEqual(one.request("MKCALENDAR", "/u1/other/")[0], 201)
        here = f"https://localhost:{one.port}/u1/other/a.ics"
        self.assertEqual(one.request("MOVE", one.calendar + "a.ics", Destination=here)[0], 201)
        self.assertEqual(one.request("GET", "/u1/other/a.ics")[0], 200)
        self.assertEqual(one.request("DELETE", "/u1/other/a.ics")[0] // 100, 2)
        gone = lambda: not two.meetings() or "STATUS:CANCELLED" in two.meetings()[0]
        self.wait(gone, "u2 does not see that it is off")

    def test_who_is_known_is_known_after_a_restart(self):
        server = self.server(RadicaleOfAHouse)
        host = self.in_front_of(server, poll=1)
        one, two = (Dav(self.authority, port_of(host, "caldav"), f"/{user}/calendar/", user, f"{user}-secret") for user in ("u1", "u2"))
        for program in (one, two):
            self.assertEqual(program.request("MKCALENDAR", program.calendar)[0], 201)
            program.put(program.calendar + "own.ics", alone(f"own of {program.user}"))
        host.stop()
        host.start()
        # Past the listener, and nobody has been heard of since the start.
        direct = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        login = base64.b64encode(b"u1:u1-secret").decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "text/calendar"}
        direct.request("PUT", one.calendar + "a.ics", meeting("u1@house.example", "u2@house.example"), headers)
        self.assertEqual(direct.getresponse().status, 201)
        direct.close()
        two.port = port_of(host, "caldav")
        self.wait(lambda: len(two.meetings()) == 2, "u2 is not invited")

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
