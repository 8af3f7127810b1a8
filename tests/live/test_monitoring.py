"""`examples/monitoring`, in Prometheus: its rules are read, what it asks for is understood, and a host is watched by it."""

import shutil
import unittest
import urllib.parse
import urllib.request

from world import *

MONITORING = pathlib.Path(__file__).resolve().parents[2] / "examples" / "monitoring"
ADMIN = """
[[listener]]
role = "admin"
address = "127.0.0.1:0"
"""


def promtool(*args, **more):
    return subprocess.run(["promtool", *args], capture_output=True, text=True, **more)


class Monitoring(unittest.TestCase):
    def setUp(self):
        base = pathlib.Path(self.enterContext(folder()))
        self.base = base
        host = Host(base / "harbour", "harbour.example", Authority(base), extra=ADMIN)
        host.run("user", "add", "anna@harbour.example")
        host.start()
        self.addCleanup(host.stop)
        notes = json.loads((host.folder / "state" / "listeners.json").read_text())
        self.admin = next(note["address"] for note in notes if note["role"] == "admin")

    def ask(self, port, expression):
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}") as answer:
            return json.load(answer)["data"]["result"]

    def test_files_are_read(self):
        for command, file in [("rules", "alerts.yml"), ("config", "prometheus.yml")]:
            checked = promtool("check", command, file, cwd=MONITORING)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_what_is_shown_follows_the_customs(self):
        with urllib.request.urlopen(f"http://{self.admin}/metrics") as answer:
            page = answer.read().decode()
        checked = promtool("check", "metrics", input=page)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_a_host_is_watched(self):
        place = self.base / "prometheus"
        place.mkdir()
        shutil.copy(MONITORING / "alerts.yml", place)
        config = (MONITORING / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:9090", self.admin).replace("scrape_interval: 30s", "scrape_interval: 1s")
        (place / "prometheus.yml").write_text(config)
        port = free_port()
        watching = subprocess.Popen(
            ["prometheus", f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(watching.wait)
        self.addCleanup(watching.kill)
        deadline, up = time.monotonic() + 60, []
        while not up or up[0]["value"][1] != "1":
            self.assertLess(time.monotonic(), deadline, up)
            try:
                up = self.ask(port, 'up{job="convoke"}')
            except OSError:
                time.sleep(0.1)
        version = self.ask(port, "convoke_build_info")
        self.assertEqual(len(version), 1, version)
        asked = 0
        for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")
                # What cannot be read is answered with 400.
                self.ask(port, expression)
                asked += 1
        self.assertGreater(asked, 20)


if __name__ == "__main__":
    unittest.main()
