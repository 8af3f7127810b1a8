"""A receiver that counts what it is sent; shares no code with Convoke."""

import http.server
import ssl
import threading
import xml.sax.saxutils as escape

CAPABILITIES = """<?xml version="1.0" encoding="utf-8"?>
<query-result xmlns="urn:ietf:params:xml:ns:ischedule"><capabilities><serial-number>1</serial-number><versions><version>1.0</version></versions>
<scheduling-messages><component name="VEVENT"><method name="REQUEST"/><method name="CANCEL"/><method name="REPLY"/></component></scheduling-messages>
<calendar-data-types><calendar-data-type content-type="text/calendar" version="2.0"/></calendar-data-types>
</capabilities></query-result>"""


class Counting:
    """Takes each message with 2.0; `seen` has UID, method and SEQUENCE of each, in their order, `names` its Message-ID."""

    def __init__(self, port, certificate, key):
        self.seen, self.names, self.lock = [], [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, text):
                self.send_response(200)
                for name, value in (("Content-Type", "application/xml; charset=utf-8"), ("iSchedule-Version", "1.0"),
                                    ("iSchedule-Capabilities", "1"), ("Content-Length", str(len(text.encode())))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_GET(self):
                self.answer(CAPABILITIES)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode().replace("\r\n ", "")
                lines = dict(line.split(":", 1) for line in reversed(body.splitlines()) if ":" in line)
                with outer.lock:
                    outer.seen.append((lines["UID"], lines["METHOD"], int(lines.get("SEQUENCE", 0))))
                    outer.names.append(self.headers.get("iSchedule-Message-ID"))
                to = ",".join(self.headers.get_all("Recipient")).split(",")
                responses = "".join(f"<response><recipient>{escape.escape(one.strip())}</recipient>"
                                    "<request-status>2.0;Success</request-status></response>" for one in to)
                self.answer('<?xml version="1.0" encoding="utf-8"?><schedule-response xmlns="urn:ietf:params:xml:ns:ischedule">'
                            f"{responses}</schedule-response>")

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def times(self, uid):
        with self.lock:
            return sum(it[0] == uid for it in self.seen)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
