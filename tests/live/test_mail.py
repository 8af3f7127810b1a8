"""People whose server speaks no iSchedule are invited by mail and answer by mail: a real Postfix and Dovecot between them."""

import base64
import contextlib
import email
import email.policy
import email.utils
import re
import threading
import unittest

import icalendar

from mail_servers import *
from world import *

ANNA, BO, CLEO = "mailto:anna@harbour.example", "mailto:bo@meadow.example", "mailto:cleo@meadow.example"
# Whom most invitations are for.
GUESTS = [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{CLEO}"]
THUNDERBIRD = os.environ["THUNDERBIRD"]


def part(mail, kind):
    """The text of the only part of this type."""
    (found,) = [it for it in mail.walk() if it.get_content_type() == kind]
    return found.get_content() if kind.startswith("text/") else found.get_payload(decode=True).decode()


def answer(mail, to, calendar, sender="bo@meadow.example", extra="", transfer="8bit", kind="text/calendar; method=REPLY; charset=utf-8"):
    """A mail that answers a mail."""
    body = base64.encodebytes(calendar.encode()).decode() if transfer == "base64" else calendar
    return "\r\n".join([
        f"From: Bo <{sender}>", f"To: {to}", "Subject: Accepted: Planning", f"Date: {email.utils.formatdate()}",
        f"Message-ID: {email.utils.make_msgid(domain='meadow.example')}", f"In-Reply-To: {mail['Message-ID']}", "MIME-Version: 1.0",
        *([extra] if extra else []), f"Content-Type: {kind}", f"Content-Transfer-Encoding: {transfer}", "",
        body.replace("\r\n", "\n").replace("\n", "\r\n"),
    ])


def reply(uid, attendee, partstat, organizer=ANNA, sequence=0):
    """What a calendar program answers."""
    return event("REPLY", organizer, [f"PARTSTAT={partstat}:{attendee}"], uid=uid, sequence=sequence, stamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))


class Mail(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        base = path(cls.folder)
        base.chmod(0o755)
        cls.mailboxes = Mailboxes(base / "dovecot")
        verdict = {f"{name}@meadow.example": "mx.harbour.example; dmarc=pass header.from=meadow.example" for name in ("bo", "cleo")}
        cls.policy = Policy()
        cls.postfix = MailServer(base / "postfix", cls.mailboxes, ["harbour.example", "meadow.example"], verdict=verdict, policy=cls.policy)
        cls.host = Host(base / "harbour", "harbour.example", Authority(base), discovery=[("meadow.example", "none")],
                        client='request_timeout = "2s"', extra=f"""
[[listener]]
role = "lmtp"
address = "127.0.0.1:{cls.postfix.convoke}"

[mail]
smtp = "smtp://127.0.0.1:{cls.postfix.port}"
address = "calendar@harbour.example"
trusted = ["mx.harbour.example"]
pass_on = "lmtp://127.0.0.1:{cls.mailboxes.port}"
""")
        cls.host.run("user", "add", ANNA, "--name", "Anna Müller", "--timezone", "Europe/Berlin")
        cls.host.start()

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        cls.postfix.stop()
        cls.policy.stop()
        cls.mailboxes.stop()
        cls.folder.cleanup()

    def invite(self, uid, guest, **more):
        """Anna invites somebody; the mail that arrives."""
        self.send(uid, [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{guest}"], **more)
        return self.mailboxes.wait(guest, uid, 1 + more.get("sequence", 0))[-1]

    def send(self, uid, attendees, method="REQUEST", **more):
        """Anna sends something about a meeting that is named as its UID; the status of each."""
        file = self.invitation(uid, attendees, method, **more)
        sent = json.loads(self.host.run("--json", "send", str(file), "--as", ANNA, ok=False).stdout)
        return [one["status"].split(";")[0] for one in sent]

    def invitation(self, uid, attendees, method="REQUEST", **more):
        file = path(self.folder) / f"{uid}.ics"
        file.write_text(event(method, ANNA, attendees, uid=uid, **more).replace("SUMMARY:Planning", f"SUMMARY:{uid}"))
        return file

    def line(self, uid, guest):
        """The guest's line in Anna's copy."""
        own = unfolded(self.host.run("calendar", "export", "--user", ANNA, "--uid", uid).stdout)
        return next(line for line in own.splitlines() if line.startswith("ATTENDEE") and line.endswith(guest))

    def see(self, uid, guest, what):
        """Waits until the guest's line says it."""
        deadline = time.monotonic() + 60
        while what not in (line := self.line(uid, guest)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{line} does not say {what}\n{(self.host.folder / 'log').read_text()[-5000:]}")
            time.sleep(0.05)

    def thunderbird(self, mail, guest, partstat):
        done = subprocess.run(["node", THUNDERBIRD, guest.removeprefix("mailto:"), partstat], input=part(mail, "application/ics"), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_an_invitation_is_read_and_answered_by_thunderbird(self):
        sent = self.send("thunderbird", [f"PARTSTAT=ACCEPTED:{ANNA}", f"RSVP=TRUE:{BO}", f"RSVP=TRUE:{CLEO}"])
        self.assertEqual(sent, ["1.1", "1.1"])
        for guest in (BO, CLEO):
            (mail,) = self.mailboxes.wait(guest, "thunderbird")
            self.assertEqual([it.get_content_type() for it in mail.walk()],
                             ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar", "application/ics"])
            self.assertEqual(mail["From"].addresses[0].addr_spec, "anna@harbour.example")
            self.assertEqual(mail["From"].addresses[0].display_name, "Anna Müller")
            self.assertEqual(mail["Sender"].address.addr_spec, "calendar@harbour.example")
            self.assertEqual([it.addr_spec for it in mail["To"].addresses], [guest.removeprefix("mailto:")])
            self.assertRegex(mail["Reply-To"].addresses[0].addr_spec, r"^calendar\+[a-z0-9]{20,}@harbour\.example$")
            self.assertEqual(mail["Return-Path"].strip("<>"), mail["Reply-To"].addresses[0].addr_spec)
            self.assertEqual(mail["Auto-Submitted"], "auto-generated")
            self.assertIn("thunderbird", part(mail, "text/plain"))
            calendar = icalendar.Calendar.from_ical(part(mail, "text/calendar"))
            self.assertEqual(str(calendar["METHOD"]), "REQUEST")
            answered = self.thunderbird(mail, guest, "ACCEPTED")
            self.assertEqual(answered["seen"]["organizer"], ANNA)
            self.assertEqual(answered["seen"]["attendees"][guest]["rsvp"], "TRUE")
            self.assertEqual(answered["seen"]["start"], 1799056800)
            # Thunderbird answers to ORGANIZER, from the person's own server, whose signature the mail server verified.
            name = guest.removeprefix("mailto:")
            self.postfix.send(answer(mail, "anna@harbour.example", answered["reply"], sender=name), name, "anna@harbour.example")
            self.see("thunderbird", guest, "PARTSTAT=ACCEPTED")

    def test_an_answer_of_googles_button_counts_by_its_token(self):
        mail = self.invite("google", BO)
        said = answer(mail, mail["Reply-To"], reply("google", BO, "ACCEPTED"), sender="bo.private@gmail.example",
                      extra="Sender: Google Calendar <calendar-notification@google.com>")
        self.postfix.send(said, "calendar-server@google.example", mail["Reply-To"].addresses[0].addr_spec)
        self.see("google", BO, "PARTSTAT=ACCEPTED")

    def test_an_answer_of_outlook_without_an_organizer_counts_by_its_token(self):
        mail = self.invite("outlook", BO)
        calendar = re.sub("ORGANIZER.*\n", "", reply("outlook", BO, "TENTATIVE"))
        said = answer(mail, mail["Reply-To"], calendar, transfer="base64", kind='text/calendar; charset="utf-8"; method=REPLY')
        self.postfix.send(said, "bo@outlook.example", mail["Reply-To"].addresses[0].addr_spec.upper())
        self.see("outlook", BO, "PARTSTAT=TENTATIVE")

    def test_who_only_says_to_be_the_guest_changes_nothing(self):
        mail = self.invite("spoofed", BO)
        said = answer(mail, "anna@harbour.example", reply("spoofed", BO, "DECLINED"))
        self.postfix.send(said, "mallory@elsewhere.example", "anna@harbour.example")
        self.postfix.send(answer(mail, mail["Reply-To"], reply("spoofed", BO, "ACCEPTED")), "bo@meadow.example", mail["Reply-To"].addresses[0].addr_spec)
        self.see("spoofed", BO, "PARTSTAT=ACCEPTED")
        self.assertNotIn("DECLINED", self.line("spoofed", BO))

    def test_a_token_that_is_not_ours_is_refused_before_the_mail(self):
        with self.assertRaises(smtplib.SMTPException) as refused, smtplib.LMTP("127.0.0.1", self.postfix.convoke) as lmtp:
            lmtp.sendmail("bo@meadow.example", "calendar+aaaaaaaaaaaaaaaaaaaaaaaaa@harbour.example", "Subject: x\r\n\r\nx\r\n")
        self.assertIn("550", str(refused.exception))

    def test_an_update_threads_and_a_cancellation_ends_it(self):
        first = self.invite("threads", BO)
        moved = self.invite("threads", BO, sequence=1, start="20270105T100000Z", end="20270105T110000Z")
        self.assertNotEqual(first["Message-ID"], moved["Message-ID"])
        self.assertTrue(set(moved["References"].split()) & set([first["Message-ID"], *(first["References"] or "").split()]))
        self.assertEqual(first["Reply-To"], moved["Reply-To"])
        self.assertIn("(was: Monday, 4 January 2027, 11:00", part(moved, "text/plain"))
        self.send("threads", [BO], "CANCEL", sequence=2, start="20270105T100000Z", end="20270105T110000Z")
        gone = self.mailboxes.wait(BO, "threads", 3)[-1]
        self.assertEqual(str(icalendar.Calendar.from_ical(part(gone, "text/calendar"))["METHOD"]), "CANCEL")

    def test_a_mailbox_that_does_not_exist_shows_on_her_copy(self):
        sent = self.send("bounced", ["RSVP=TRUE:mailto:nobody@meadow.example", "RSVP=TRUE:mailto:gone@meadow.example"])
        self.assertEqual(sent, ["5.1", "1.1"])
        self.see("bounced", "mailto:nobody@meadow.example", "5.1")
        self.see("bounced", "mailto:gone@meadow.example", "5.1")
        for name in ("nobody", "gone"):
            self.mailboxes.wait(ANNA, f"{name}@meadow.example: bounced")

    def test_an_invitation_that_comes_by_mail_is_answered_by_mail(self):
        organized = event("REQUEST", BO, [f"RSVP=TRUE:{ANNA}"], uid="by-mail", start="20270107T100000Z", end="20270107T110000Z").replace("SUMMARY:Planning", "SUMMARY:by mail")
        mail = "\r\n".join(["From: Bo <bo@meadow.example>", "To: anna@harbour.example", "Subject: Planning", "MIME-Version: 1.0",
                            "Message-ID: <by-mail@meadow.example>", "Content-Type: text/calendar; method=REQUEST; charset=utf-8", "",
                            organized.replace("\n", "\r\n")])
        self.postfix.send(mail, "bo@meadow.example", "anna@harbour.example")
        deadline = time.monotonic() + 60
        while "by-mail" not in [one["uid"] for one in self.host.json("calendar", "list", "--user", ANNA)]:
            self.assertLess(time.monotonic(), deadline, (self.host.folder / "log").read_text()[-5000:])
            time.sleep(0.05)
        answered = self.host.json("reply", "--user", ANNA, "--uid", "by-mail", "accept")
        self.assertEqual([one["status"].split(";")[0] for one in answered], ["1.1"])
        calendar = icalendar.Calendar.from_ical(part(self.mailboxes.wait(BO, "by mail")[-1], "text/calendar"))
        self.assertEqual(str(calendar["METHOD"]), "REPLY")
        (component,) = calendar.walk("VEVENT")
        self.assertEqual(component["ATTENDEE"].params["PARTSTAT"], "ACCEPTED")

    def test_other_mail_goes_on_to_the_mailbox(self):
        self.postfix.send("From: bo@meadow.example\r\nTo: anna@harbour.example\r\nSubject: Lunch?\r\n\r\nAt noon.\r\n", "bo@meadow.example", "anna@harbour.example")
        (mail,) = self.mailboxes.wait(ANNA, "Lunch?")
        self.assertEqual(mail.get_content(), "At noon.\n")

    def test_an_invitation_that_never_left_is_not_called_off(self):
        self.postfix.stop(signal.SIGKILL)
        try:
            self.assertEqual(self.send("forgotten", GUESTS), ["1.0"])
            self.assertEqual(self.send("forgotten", [CLEO], "CANCEL", sequence=1), ["2.0"])
            self.assertEqual([one for one in self.host.json("queue", "list") if one["uid"] == "forgotten"], [])
        finally:
            self.postfix.start()
        # What is sent next arrives, and nothing of that meeting.
        self.send("later-on", GUESTS)
        self.host.run("queue", "retry", "--all", ok=False)
        self.mailboxes.wait(CLEO, "later-on")
        self.assertEqual([mail["Subject"] for mail in self.mailboxes.of(CLEO) if "forgotten" in mail["Subject"]], [])

    def test_nothing_is_lost_when_the_mail_server_and_the_host_die(self):
        self.invite("deaths", CLEO)
        self.postfix.stop(signal.SIGKILL)
        self.assertEqual(self.send("deaths", GUESTS, sequence=1, start="20270106T100000Z", end="20270106T110000Z"), ["1.0"])
        self.host.stop(signal.SIGKILL)
        self.host.start()
        self.postfix.start()
        (entry,) = [one for one in self.host.json("queue", "list") if one["uid"] == "deaths"]
        self.assertEqual((entry["via"], entry["recipient"]), ("mail", CLEO))
        self.host.run("queue", "retry", entry["id"])
        arrived = self.mailboxes.wait(CLEO, "deaths", 2)[1:]
        self.assertEqual(len({mail["Message-ID"] for mail in arrived}), 1)
        self.assertEqual([one for one in self.host.json("queue", "list") if one["uid"] == "deaths"], [])

    def waits(self, uid):
        """What waits about a meeting."""
        return [one for one in self.host.json("queue", "list") if one["uid"] == uid]

    def tries_again(self, uid):
        (entry,) = self.waits(uid)
        self.host.run("queue", "retry", entry["id"], ok=False)

    def ends_well(self, uid, most=1):
        """Cleo has the mail, and Anna's copy says so; if it came more than once, it is the same mail."""
        self.see(uid, CLEO, "SCHEDULE-STATUS=1.1")
        self.assertEqual(self.waits(uid), [])
        arrived = self.mailboxes.wait(CLEO, uid)
        self.assertLessEqual(len(arrived), most)
        self.assertEqual(len({mail["Message-ID"] for mail in arrived}), 1)

    @contextlib.contextmanager
    def in_the_middle(self, uid):
        """The mail server has all of the mail that invites Cleo, and does not say so before this ends."""
        held, key = threading.Lock(), ("END-OF-MESSAGE", "cleo@meadow.example")
        sending = threading.Thread(target=self.host.run, args=("send", "--as", ANNA, str(self.invitation(uid, GUESTS))), kwargs={"ok": False})
        with held:
            self.policy.says[key] = held
            sending.start()
            self.assertTrue(self.policy.asked.acquire(timeout=30))
            del self.policy.says[key]
            yield
        sending.join(60)

    def test_a_mail_server_that_greylists_is_asked_again(self):
        key = ("RCPT", "cleo@meadow.example")
        self.policy.says[key] = "450 4.2.0 greylisted, come again"
        try:
            self.assertEqual(self.send("greylisted", GUESTS), ["1.0"])
            self.assertIn("SCHEDULE-STATUS=1.0", self.line("greylisted", CLEO))
            self.tries_again("greylisted")
            self.assertIn("SCHEDULE-STATUS=1.0", self.line("greylisted", CLEO))
        finally:
            del self.policy.says[key]
        self.tries_again("greylisted")
        self.ends_well("greylisted")

    def test_a_mail_server_that_refuses_after_a_while_ends_it(self):
        key = ("RCPT", "cleo@meadow.example")
        self.policy.says[key] = "450 4.2.0 come again"
        try:
            self.assertEqual(self.send("refused", GUESTS), ["1.0"])
            self.policy.says[key] = "550 5.7.1 not in this house"
            self.tries_again("refused")
            self.see("refused", CLEO, "SCHEDULE-STATUS=5.1")
        finally:
            del self.policy.says[key]
        self.assertEqual(self.waits("refused"), [])
        (told,) = self.mailboxes.wait(ANNA, "refused")
        self.assertIn("not in this house", told.get_content())
        self.assertEqual([mail for mail in self.mailboxes.of(CLEO) if "refused" in mail["Subject"]], [])

    def test_a_mail_server_that_hangs_is_asked_again(self):
        self.postfix.hang(True)
        try:
            self.assertEqual(self.send("hanging", GUESTS), ["1.0"])
            self.assertIn("SCHEDULE-STATUS=1.0", self.line("hanging", CLEO))
        finally:
            self.postfix.hang(False)
        self.tries_again("hanging")
        self.ends_well("hanging")

    def test_a_mail_server_that_takes_its_time_gets_the_mail_once(self):
        with self.in_the_middle("slow"):
            self.assertNotIn("SCHEDULE-STATUS=1.1", self.line("slow", CLEO))
        self.ends_well("slow")

    def test_a_mail_server_that_dies_in_the_middle_of_a_mail_gets_it_again(self):
        with self.in_the_middle("interrupted"):
            self.postfix.stop(signal.SIGKILL)
        self.postfix.start()
        self.assertIn("SCHEDULE-STATUS=1.0", self.line("interrupted", CLEO))
        self.tries_again("interrupted")
        self.ends_well("interrupted")

    def test_a_host_that_dies_in_the_middle_of_a_mail_sends_the_same_again(self):
        with self.in_the_middle("doubled"):
            self.host.stop(signal.SIGKILL)
        self.host.start()
        self.tries_again("doubled")
        self.mailboxes.wait(CLEO, "doubled", 2)
        self.ends_well("doubled", most=2)


if __name__ == "__main__":
    unittest.main()
