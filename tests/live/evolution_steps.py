"""Evolution's data server as Evolution uses it, for `evolution.py`: a step a line on standard input, what came of it a line on
the descriptor that is the argument, in JSON. It runs in the Python of the system, which has the libraries."""

import json
import sys
import time

import gi

gi.require_version("EDataServer", "1.2")
gi.require_version("ECal", "2.0")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, Gio, GLib, ICalGLib

LONGEST = 60
NOTHING = ECal.OperationFlags.NONE


class Evolution:
    def __init__(self):
        self.registry = EDataServer.SourceRegistry.new_sync(None)
        self.client = None

    def account(self, name, url, user, password, certificate):
        """The collection account dialog: what is found at the address of a server, with its certificate accepted."""
        parts = GLib.Uri.parse(url, GLib.UriFlags.NONE)
        source = EDataServer.Source.new(None, None)
        source.set_display_name(name)
        login = source.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION)
        login.set_host(parts.get_host())
        login.set_port(parts.get_port())
        login.set_user(user)
        login.set_method("plain/password")
        source.get_extension(EDataServer.SOURCE_EXTENSION_SECURITY).set_method("tls")
        collection = source.get_extension(EDataServer.SOURCE_EXTENSION_COLLECTION)
        collection.set_backend_name("webdav")
        collection.set_identity(name)
        collection.set_calendar_url(url)
        collection.set_contacts_enabled(False)
        collection.set_mail_enabled(False)
        dav = source.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND)
        accepted = Gio.TlsCertificate.new_from_file(certificate)
        dav.update_ssl_trust(parts.get_host(), accepted, EDataServer.TrustPromptResponse.ACCEPT)

        asked = []
        credentials = EDataServer.NamedParameters.new()
        credentials.set("username", user)
        credentials.set("password", password)

        def ask(_registry, of, *_why):
            asked.append(of.get_uid())
            of.invoke_authenticate(credentials, None, None)

        self.registry.connect("credentials-required", ask)
        self.registry.commit_source_sync(source, None)
        own = lambda it: it.get_parent() == source.get_uid()
        events = lambda: next(filter(own, self.registry.list_sources(EDataServer.SOURCE_EXTENSION_CALENDAR)), None)
        calendar = self.wait(events)
        # Log-ins are answered by the loop of this program, so it does not wait in the call.
        self.client = ECal.Client.connect_sync(calendar, ECal.ClientSourceType.EVENTS, 2**32 - 1, None)
        self.wait(lambda: not self.client.is_readonly())
        dav = calendar.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND)
        return {
            "name": calendar.get_display_name(),
            "auto_schedule": dav.get_calendar_auto_schedule(),
            "schedules": self.client.check_save_schedules(),
            "tasks": any(map(own, self.registry.list_sources(EDataServer.SOURCE_EXTENSION_TASK_LIST))),
        }

    def wait(self, is_so):
        context, deadline = GLib.MainContext.default(), time.monotonic() + LONGEST
        while True:
            found = is_so()
            if found:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError("the account is not there")
            if not context.iteration(False):
                time.sleep(0.01)

    def busy(self, start, end, people):
        """The schedule of the meeting dialog: a VFREEBUSY of each."""
        found = self.client.get_free_busy_sync(start, end, people, None)
        return [it.get_as_string() for it in found[-1]]

    def write(self, text):
        """The meeting dialog, "Save"."""
        self.client.create_object_sync(ICalGLib.Component.new_from_string(text), NOTHING, None)

    def change(self, text):
        try:
            component = ICalGLib.Component.new_from_string(text)
            self.client.modify_object_sync(component, ECal.ObjModType.ALL, NOTHING, None)
        except GLib.Error as error:
            return error.message

    def remove(self, uid):
        self.client.remove_object_sync(uid, None, ECal.ObjModType.ALL, NOTHING, None)

    def read(self, uid):
        """What it shows, after a look at the server was begun."""
        self.client.refresh_sync(None)
        try:
            return self.client.get_object_sync(uid, None, None)[-1].as_ical_string()
        except GLib.Error as error:
            if error.matches(ECal.Client.error_quark(), ECal.ClientError.OBJECT_NOT_FOUND):
                return None
            raise


def main():
    evolution = Evolution()
    with open(int(sys.argv[1]), "w") as answers:
        for line in sys.stdin:
            step, *values = json.loads(line)
            print(json.dumps(getattr(evolution, step)(*values)), file=answers, flush=True)


main()
