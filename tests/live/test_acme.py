"""Certificates that an authority issues by itself (`tls.acme`): Pebble validates the names and issues, curl and OpenSSL see what is shown."""

import stat
import unittest

from pebble import Pebble
from world import *

NAME = "cal.harbour.example"


class Acme(unittest.TestCase):
    """A host whose certificate is Pebble's."""

    def setUp(self):
        directory = folder()
        self.addCleanup(directory.cleanup)
        self.base = path(directory)
        self.authority = Authority(self.base)
        self.port, self.http = free_port(), free_port()

    def pebble(self, **more):
        pebble = Pebble(self.base / "pebble", self.authority, self.port, self.http, **more)
        self.addCleanup(pebble.stop)
        return pebble

    def host(self, directory, challenge="tls-alpn-01", more="", listeners=""):
        host = Host(self.base / "harbour", "harbour.example", self.authority, port=self.port, extra=f"""
[[listener]]
role = "admin"
address = "127.0.0.1:0"
{listeners}
""")
        text = host.config.read_text().splitlines()
        acme = f'directory = "{directory}", contact = "mailto:admin@harbour.example", challenge = "{challenge}", names = ["{NAME}"]{more}'
        mine = f'tls = {{ acme = {{ {acme} }}, client_ca = "{self.authority.certificate}" }}'
        text = [mine if line.startswith("tls = {") else line for line in text]
        host.config.write_text("\n".join(text) + "\n")
        self.addCleanup(host.stop)
        return host

    def wait(self, look, what):
        deadline = time.monotonic() + 60
        while not (seen := look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}\n{(self.base / 'harbour' / 'log').read_text()}")
            time.sleep(0.05)
        return seen

    def log(self, host, event):
        return [line for line in (host.folder / "log").read_text().splitlines() if f'event="{event}"' in line]

    def issued(self, host, times=1):
        return self.wait(lambda: len(self.log(host, "certificate-issued")) >= times, "nothing was issued")

    def curl(self, root, *more):
        file = self.base / "root.pem"
        file.write_text(root)
        return subprocess.run(["curl", "-sS", "--cacert", file, "--resolve", f"{NAME}:{self.port}:127.0.0.1", *more,
                               f"https://{NAME}:{self.port}/.well-known/ischedule?action=capabilities"], capture_output=True, text=True)

    def serial(self):
        """Of what a handshake shows; nothing if there is none."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with socket.create_connection(("127.0.0.1", self.port)) as plain, context.wrap_socket(plain, server_hostname=NAME) as tls:
                der = tls.getpeercert(binary_form=True)
        except (ssl.SSLError, OSError):
            return None
        shown = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-serial"], input=der, capture_output=True, check=True)
        return shown.stdout.decode().strip()

    def health(self, host):
        notes = json.loads((host.folder / "state" / "listeners.json").read_text())
        admin = next(note["address"] for note in notes if note["role"] == "admin")
        connection = http.client.HTTPConnection(admin)
        connection.request("GET", "/health")
        return connection.getresponse().read().decode()

    def check(self, host):
        return host.run("check", ok=False).stdout

    def files(self, host):
        return sorted(file for file in (host.folder / "state" / "acme").rglob("*") if file.is_file())

    def test_issued_by_tls_alpn_and_shown_to_curl(self):
        pebble = self.pebble()
        host = self.host(pebble.directory)
        before = self.check(host)
        self.assertIn("there is no certificate yet", before)
        self.assertIn(f"{pebble.directory} answers", before)
        self.assertFalse((host.folder / "state").exists(), "check writes nothing")
        host.start()
        self.issued(host)
        self.wait(self.serial, "no handshake")
        answer = self.curl(pebble.root())
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertIn("<query-result", answer.stdout)
        account, certificate = self.files(host)
        self.assertEqual((account.name, certificate.name), ("account.json", f"{NAME}.pem"))
        for file in (account, certificate):
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)
        self.assertNotIn("certificate of", self.health(host))
        # After a restart, what is there is shown at once, and nothing is ordered.
        first = self.serial()
        self.assertEqual(host.stop(), 0)
        host.start()
        self.assertEqual(self.serial(), first)
        self.assertEqual(len(self.log(host, "certificate-issued")), 1)
        self.assertIn("it has issued a certificate", self.check(host))

    def test_issued_by_http_01(self):
        pebble = self.pebble()
        second = free_port()
        acme = f'directory = "{pebble.directory}", contact = "mailto:admin@harbour.example", challenge = "http-01"'
        more = f', address = "127.0.0.1:{self.http}"'
        host = self.host(pebble.directory, "http-01", more, listeners=f"""
[[listener]]
role = "caldav"
address = "127.0.0.1:{second}"
users = "users.htpasswd"
tls.acme = {{ {acme}, names = ["{NAME}"]{more} }}
""")
        (host.folder / "users.htpasswd").touch(0o600)
        host.start()
        self.issued(host)
        self.wait(self.serial, "no handshake")
        self.assertEqual(self.curl(pebble.root()).returncode, 0)
        # The other listener has the same certificate, and needed no order of its own.
        one, self.port = self.serial(), second
        self.assertEqual(self.wait(self.serial, "no handshake"), one)
        self.assertEqual(len(self.log(host, "certificate-issued")), 1)
        # Nothing else is said there.
        for path, status in [("/", 404), ("/.well-known/acme-challenge/none", 404), ("/.well-known/ischedule", 404)]:
            connection = http.client.HTTPConnection("127.0.0.1", self.http)
            connection.request("GET", path)
            self.assertEqual(connection.getresponse().status, status, path)

    def test_renewed_while_a_connection_is_open(self):
        pebble = self.pebble(seconds=15)
        host = self.host(pebble.directory)
        host.start()
        self.issued(host)
        first = self.wait(self.serial, "no handshake")
        context = ssl.create_default_context(cadata=pebble.root())
        with socket.create_connection(("127.0.0.1", self.port)) as plain, context.wrap_socket(plain, server_hostname=NAME) as tls:
            def ask():
                tls.sendall(b"GET /.well-known/ischedule?action=capabilities HTTP/1.1\r\nHost: " + NAME.encode() + b"\r\n\r\n")
                head = b""
                while b"\r\n\r\n" not in head:
                    head += tls.recv(1)
                length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                while length:
                    length -= len(tls.recv(length))
                return head.split()[1]

            self.assertEqual(ask(), b"200")

            def renewed():
                self.assertEqual(ask(), b"200", "the connection from before goes on")
                return self.serial() not in (first, None)

            self.wait(renewed, "not renewed")
        self.assertGreaterEqual(len(self.log(host, "certificate-issued")), 2)
        # The account is the same.
        self.assertEqual(len(self.log(host, "acme-account")), 1)

    def test_refused_until_there_is_one_and_said_why(self):
        # Nobody answers where the authority looks.
        real, self.port = self.port, free_port()
        pebble = Pebble(self.base / "pebble", self.authority, real, self.http)
        self.addCleanup(pebble.stop)
        host = self.host(pebble.directory)
        host.start()
        self.wait(lambda: self.log(host, "certificate-not-issued"), "no failure")
        self.assertIsNone(self.serial(), "nothing is shown that is not right")
        self.assertTrue(self.log(host, "certificate-pending"))
        self.assertTrue(self.log(host, "certificate-missing"))
        health = self.health(host)
        for words in ("certificate of receiver", f"could not validate {NAME} by tls-alpn-01", "urn:ietf:params:acme:error:", "is tried again at"):
            self.assertIn(words, health)
        self.assertIn("could not validate", self.check(host))
        self.assertFalse([file for file in self.files(host) if file.suffix == ".pem"])
        # Mended at the authority; a reload tries again at once, and the account that it forgot is made anew.
        pebble.start(tlsPort=self.port)
        host.run("reload")
        self.issued(host)
        self.assertTrue(self.wait(self.serial, "no handshake"))
        self.assertNotIn("certificate of", self.health(host))
        self.assertEqual(len(self.log(host, "acme-account")), 2)

    def test_an_authority_that_is_down_is_waited_for(self):
        port = free_port()
        host = self.host(f"https://localhost:{port}/dir")
        host.start()
        line = self.wait(lambda: self.log(host, "certificate-not-issued"), "no failure")[0]
        self.assertIn(f"localhost:{port}", line)
        self.assertIn("does not take connections", line)
        self.assertIsNone(self.serial())
        self.assertIn("does not take connections", self.check(host))


if __name__ == "__main__":
    unittest.main()
