"""Pebble, the test server of Let's Encrypt: an ACME authority (RFC 8555) with name servers that it asks, on loopback."""

import urllib.request

from world import *


class Pebble:
    """A running authority. It validates names at the ports that it is given, of whatever address they have."""

    def __init__(self, folder, authority, tls_port, http_port, seconds=90 * 24 * 3600):
        self.folder = folder
        folder.mkdir()
        self.log = open(folder / "log", "ab")
        certificate, key = authority.issue("ca.example", "localhost")
        self.port, self.management, dns, control = (free_port() for _ in range(4))
        self.directory = f"https://localhost:{self.port}/dir"
        self.settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(certificate),
            "privateKey": str(key),
            "tlsPort": tls_port,
            "httpPort": http_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": seconds,
        }
        self.trusted = ssl.create_default_context(cafile=authority.certificate)
        # Whatever the name is, it leads to this machine.
        names = ["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}",
                 "-management", f"127.0.0.1:{control}", "-http01", "", "-https01", "", "-tlsalpn01", ""]
        self.names = self.begin(names)
        self.dns = f"127.0.0.1:{dns}"
        self.server = None
        self.start()

    def begin(self, command, **environment):
        return subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **environment})

    def start(self, **changed):
        """Starts it anew, with nothing that it knew."""
        self.settings |= changed
        config = self.folder / "pebble.json"
        config.write_text(json.dumps({"pebble": self.settings}))
        self.end(self.server)
        # Nonces are refused now and then, as it does by itself.
        self.server = self.begin(["pebble", "-config", config, "-dnsserver", self.dns], PEBBLE_VA_NOSLEEP="1")
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.get(f"https://localhost:{self.management}/roots/0")
            except OSError:
                if time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text())
                time.sleep(0.05)

    def stop(self):
        self.end(self.server)
        self.end(self.names)
        self.log.close()

    @staticmethod
    def end(process):
        if process:
            process.terminate()
            process.wait(timeout=30)

    def get(self, url):
        with urllib.request.urlopen(url, context=self.trusted) as answer:
            return answer.read().decode()

    def root(self):
        """What it issues leads to this, PEM."""
        return self.get(f"https://localhost:{self.management}/roots/0")
