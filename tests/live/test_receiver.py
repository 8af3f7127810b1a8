"""A peer that shares no code with Convoke holds a receiver against the specification."""

import signal
import unittest

from world import *

ANNA, BO, CY, PAT = (f"mailto:{name}" for name in ("anna@harbour.example", "bo@meadow.example", "cy@meadow.example", "pat@harbour.example"))


class Receiver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        cls.authority = Authority(path(cls.folder))
        cls.host = Host(path(cls.folder) / "meadow", "meadow.example", cls.authority)
        for user in (BO, CY):
            cls.host.run("user", "add", user, "--timezone", "Europe/Berlin")
        cls.host.start()

    @classmethod
    def tearDownClass(cls):
        assert cls.host.stop() == 0
        cls.folder.cleanup()

    def export(self, user, uid):
        return unfolded(self.host.run("calendar", "export", "--user", user, "--uid", uid).stdout)

    def test_capabilities(self):
        answer = self.host.request("GET", "/.well-known/ischedule?action=capabilities")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("application/xml"))
        root = xml.fromstring(answer.text)
        self.assertEqual(root.tag, NS + "query-result")
        capabilities = root.find(NS + "capabilities")
        self.assertEqual(capabilities.findtext(NS + "serial-number"), answer.headers["iSchedule-Capabilities"])
        self.assertEqual(capabilities.findtext(NS + "max-recipients"), "20")
        names = [c.get("name") for c in capabilities.find(NS + "scheduling-messages")]
        self.assertEqual(sorted(names), ["VEVENT", "VFREEBUSY", "VTODO"])
        again = self.host.request("GET", "/.well-known/ischedule?action=capabilities", [("If-None-Match", answer.headers["ETag"])])
        self.assertEqual((again.status, again.text), (304, ""))
        for wrong in ("", "?action=other"):
            self.assertEqual(self.host.request("GET", "/.well-known/ischedule" + wrong).status, 400)

    def test_other_requests(self):
        options = self.host.request("OPTIONS", "/.well-known/ischedule")
        self.assertEqual(options.status, 200)
        self.assertEqual(options.headers["iSchedule-Version"], "1.0")
        self.assertTrue(options.headers["iSchedule-Capabilities"].isdigit())
        self.assertEqual(self.host.request("GET", "/elsewhere").status, 404)
        self.assertEqual(self.host.request("DELETE", "/.well-known/ischedule").status, 405)

    def test_refusals(self):
        body = event("REQUEST", ANNA, [BO])

        def post(originator=ANNA, recipients=BO, body=body, component="VEVENT", method="REQUEST", **more):
            return self.host.post(component, method, originator, recipients, body, **more)

        table = [
            ("no version", post(without=["iSchedule-Version"]), 400, "version-not-supported"),
            ("other version", post(without=["iSchedule-Version"], extra=[("iSchedule-Version", "2.0")]), 400, "version-not-supported"),
            ("no type", post(without=["Content-Type"]), 415, "invalid-calendar-data-type"),
            ("other type", post(without=["Content-Type"], extra=[("Content-Type", "text/plain")]), 415, "invalid-calendar-data-type"),
            ("no originator", post(without=["Originator"]), 400, "originator-missing"),
            ("two originators", post(extra=[("Originator", CY)]), 400, "too-many-originators"),
            ("odd originator", post(originator="anna"), 400, "originator-invalid"),
            ("no recipient", post(recipients=[]), 400, "recipient-missing"),
            ("speaks for us", post(originator=CY, body=event("REQUEST", CY, [BO])), 403, "originator-denied"),
            ("no calendar", post(body="hello"), 400, "invalid-calendar-data"),
            ("cut off", post(body=body[:200]), 400, "invalid-calendar-data"),
            ("other method", post(method="CANCEL"), 400, "invalid-scheduling-message"),
            ("other component", post(component="VTODO"), 400, "invalid-scheduling-message"),
            ("no organizer", post(body=body.replace(f"ORGANIZER:{ANNA}\n", "")), 400, "invalid-scheduling-message"),
            ("not the organizer", post(originator=PAT), 400, "originator-invalid"),
            ("not an attendee", post(recipients=CY), 400, "recipient-mismatch"),
            ("too large", post(body=event("REQUEST", ANNA, [BO], more="DESCRIPTION:" + "x" * 70000 + "\n")), 413, "max-content-length"),
            ("too many", post(recipients=[f"mailto:u{n}@meadow.example" for n in range(21)]), 400, "max-recipients"),
            ("too early", post(body=event("REQUEST", ANNA, [BO], start="18500101T000000Z", end="18500101T010000Z")), 400, "min-date-time"),
            ("too late", post(body=event("REQUEST", ANNA, [BO], start="23000101T000000Z", end="23000101T010000Z")), 400, "max-date-time"),
            ("too often", post(body=event("REQUEST", ANNA, [BO], more="RRULE:FREQ=DAILY;COUNT=5000\n")), 400, "max-instances"),
            ("free-busy of others", post(component="VFREEBUSY", body=freebusy(ANNA, [BO, CY])), 400, "recipient-mismatch"),
        ]
        for what, answer, status, element in table:
            with self.subTest(what):
                self.assertEqual((answer.status, error(answer)), (status, element), answer.text)
                self.assertEqual(answer.headers["iSchedule-Version"], "1.0")

    def test_recipients_in_every_form(self):
        body = event("REQUEST", ANNA, [BO, CY], uid="forms")
        for recipients in ([BO, CY], [f"{BO}, {CY}"], [f"{BO},{CY}"], ["bo@meadow.example", "MAILTO:cy@MEADOW.example"]):
            with self.subTest(recipients):
                answer = self.host.post("VEVENT", "REQUEST", ANNA, recipients, body)
                self.assertEqual(answer.status, 200, answer.text)
                self.assertEqual([code for _, code in statuses(answer)], ["2.0", "2.0"])
        doubled = self.host.post("VEVENT", "REQUEST", ANNA, [BO, BO], body)
        self.assertEqual(statuses(doubled), [(BO, "2.0")])
        self.assertIn("no-cache", doubled.headers["Cache-Control"])

    def test_bodies_in_every_form(self):
        body = event("REQUEST", ANNA, [BO], uid="chunked").replace("\n", "\r\n").encode()
        self.assertEqual(statuses(self.host.post("VEVENT", "REQUEST", ANNA, BO, body, chunked=True)), [(BO, "2.0")])
        waiting = self.host.post("VEVENT", "REQUEST", ANNA, BO, body, extra=[("Expect", "100-continue")])
        self.assertEqual(statuses(waiting), [(BO, "2.0")])

    def test_unknown_denied_and_foreign_recipients(self):
        nobody, abroad = "mailto:nobody@meadow.example", "mailto:dee@elsewhere.example"
        body = event("REQUEST", ANNA, [BO, nobody, abroad], uid="unknown")
        answer = self.host.post("VEVENT", "REQUEST", ANNA, [BO, nobody, abroad], body)
        self.assertEqual(statuses(answer), [(BO, "2.0"), (nobody, "3.7"), (abroad, "3.7")])
        blocked = "mailto:eve@blocked.example"
        body = event("REQUEST", blocked, [BO, nobody], uid="blocked")
        answer = self.host.post("VEVENT", "REQUEST", blocked, [BO, nobody], body)
        self.assertEqual(statuses(answer), [(BO, "3.8"), (nobody, "3.8")])

    def test_an_invitation_lives(self):
        post = lambda method, body: statuses(self.host.post("VEVENT", method, ANNA, BO, body))
        me = f"RSVP=TRUE:{BO}"
        self.assertEqual(post("REQUEST", event("REQUEST", ANNA, [me], uid="life")), [(BO, "2.0")])
        stored = self.export(BO, "life")
        self.assertIn("DTSTART:20270104T100000Z", stored)
        self.assertNotIn("METHOD", stored)
        later = event("REQUEST", ANNA, [me], uid="life", sequence=1, start="20270106T100000Z", end="20270106T110000Z", stamp="20261121T000000Z")
        self.assertEqual(post("REQUEST", later), [(BO, "2.0")])
        self.assertIn("DTSTART:20270106T100000Z", self.export(BO, "life"))
        # a message that was overtaken changes nothing
        self.assertEqual(post("REQUEST", event("REQUEST", ANNA, [me], uid="life")), [(BO, "2.0")])
        self.assertIn("DTSTART:20270106T100000Z", self.export(BO, "life"))
        # nor does somebody who is not the organizer
        hijack = event("REQUEST", PAT, [me], uid="life", sequence=9, stamp="20261122T000000Z")
        code = statuses(self.host.post("VEVENT", "REQUEST", PAT, BO, hijack))[0][1]
        self.assertTrue(code.startswith("3."), code)
        self.assertEqual(post("CANCEL", event("CANCEL", ANNA, [me], uid="life", sequence=2, stamp="20261122T000000Z")), [(BO, "2.0")])
        self.assertIn("STATUS:CANCELLED", self.export(BO, "life"))
        self.assertEqual(post("CANCEL", event("CANCEL", ANNA, [me], uid="never-heard-of")), [(BO, "2.0")])
        reply = event("REPLY", BO, [f"PARTSTAT=ACCEPTED:{ANNA}"], uid="never-heard-of")
        code = statuses(self.host.post("VEVENT", "REPLY", ANNA, BO, reply))[0][1]
        self.assertFalse(code.startswith("2."), code)

    def test_free_busy(self):
        busy = event("REQUEST", ANNA, [CY], uid="busy", start="20270301T100000Z", end="20270301T113000Z", more="RRULE:FREQ=DAILY\n")
        self.assertEqual(statuses(self.host.post("VEVENT", "REQUEST", ANNA, CY, busy)), [(CY, "2.0")])
        for start, end, expected in [
            ("20270302T000000Z", "20270303T000000Z", "20270302T100000Z/20270302T113000Z"),
            ("20270302T110000Z", "20270303T000000Z", "20270302T110000Z/20270302T113000Z"),
            ("20370302T000000Z", "20370303T000000Z", "20370302T100000Z/20370302T113000Z"),  # beyond the index
        ]:
            answer = self.host.post("VFREEBUSY", "REQUEST", ANNA, [CY], freebusy(ANNA, [CY], start, end))
            self.assertEqual(statuses(answer), [(CY, "2.0")])
            data = unfolded(calendar_data(answer)[0].strip().replace("\r", ""))
            self.assertIn("METHOD:REPLY", data)
            self.assertIn(f":{expected}", data)
            self.assertIn(f"DTSTART:{start}", data)

    def test_http_2(self):
        import h2.config
        import h2.connection
        import h2.events

        context = ssl.create_default_context(cafile=self.authority.certificate)
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("localhost", self.host.port)) as plain, context.wrap_socket(plain, server_hostname="localhost") as stream:
            self.assertEqual(stream.selected_alpn_protocol(), "h2")
            connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
            connection.initiate_connection()
            body = event("REQUEST", ANNA, [BO], uid="h2").replace("\n", "\r\n").encode()
            connection.send_headers(1, [
                (":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/.well-known/ischedule"),
                ("ischedule-version", "1.0"), ("originator", ANNA), ("recipient", BO),
                ("content-type", "text/calendar; component=VEVENT; method=REQUEST"),
            ])
            connection.send_data(1, body, end_stream=True)
            stream.sendall(connection.data_to_send())
            headers, text, ended = {}, b"", False
            while not ended:
                for happened in connection.receive_data(stream.recv(65536)):
                    if isinstance(happened, h2.events.ResponseReceived):
                        headers = dict(happened.headers)
                    elif isinstance(happened, h2.events.DataReceived):
                        text += happened.data
                    elif isinstance(happened, h2.events.StreamEnded):
                        ended = True
            self.assertEqual(headers[":status"], "200")
            self.assertIn(b"2.0;Success", text)

    def test_what_is_acknowledged_survives_a_kill(self):
        with folder() as directory:
            host = Host(pathlib.Path(directory) / "host", "meadow.example", self.authority)
            host.run("user", "add", BO)
            for round in range(3):
                host.start()
                uid = f"kill-{round}"
                answer = host.post("VEVENT", "REQUEST", ANNA, BO, event("REQUEST", ANNA, [BO], uid=uid))
                host.stop(signal.SIGKILL)
                self.assertEqual(statuses(answer), [(BO, "2.0")])
            uids = sorted(one["uid"] for one in host.json("calendar", "list", "--user", BO))
            self.assertEqual(uids, ["kill-0", "kill-1", "kill-2"])


class Identity(unittest.TestCase):
    """Where proof is required, a client certificate gives it."""

    def test_client_certificates(self):
        with folder() as directory:
            base = pathlib.Path(directory)
            authority = Authority(base)
            host = Host(base / "host", "meadow.example", authority, required=True)
            host.run("user", "add", BO)
            host.start()
            try:
                body = event("REQUEST", ANNA, [BO])
                nobody = host.post("VEVENT", "REQUEST", ANNA, BO, body)
                self.assertEqual((nobody.status, error(nobody)), (403, "verification-failed"))
                other = authority.issue("evil-harbour.example")
                wrong = host.post("VEVENT", "REQUEST", ANNA, BO, body, certificate=other)
                self.assertEqual((wrong.status, error(wrong)), (403, "originator-denied"))
                harbour = authority.issue("harbour.example")
                right = host.post("VEVENT", "REQUEST", ANNA, BO, body, certificate=harbour)
                self.assertEqual(statuses(right), [(BO, "2.0")])
            finally:
                host.stop()


if __name__ == "__main__":
    unittest.main()
