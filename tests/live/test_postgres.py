"""store-postgres on PostgreSQL: the conformance kits, also through PgBouncer and over connections that break, and what an administrator
is told who has something wrong."""

import json
import os
import pathlib
import subprocess
import unittest

from postgres import *
from world import *

KIT = os.environ["CONVOKE_POSTGRES_KIT"]


class Postgres(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        cls.base = path(cls.folder)
        cls.cluster = Cluster(cls.base / "postgres")
        cls.names = 0

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop("immediate")
        cls.folder.cleanup()

    def database(self):
        Postgres.names += 1
        return self.cluster.database(f"db{self.names}")

    def config(self, url, password="open-sesame", more=""):
        """A file with what would stand under `config`."""
        place = pathlib.Path(tempfile.mkdtemp(dir=self.base))
        secret = place / "password"
        secret.write_text(password + "\n")
        secret.chmod(0o600)
        (place / "config.toml").write_text(f'url = "{url}"\npassword_file = "password"\n{more}\n')
        return place / "config.toml"

    def kit(self, what, config, *more, ok=True):
        done = subprocess.run([KIT, what, config, *more], capture_output=True, text=True, timeout=300)
        if ok:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def refused(self, config, *words, what="open"):
        done = self.kit(what, config, ok=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        sentence = done.stdout.strip().splitlines()[-1]
        for word in words:
            self.assertIn(word, sentence)
        self.assertNotIn("open-sesame", sentence, "no password is shown")

    def kits(self, config):
        kits = [subprocess.Popen([KIT, what, config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for what in ("store", "state", "batches", "changes")]
        said = [kit.communicate(timeout=300)[0] for kit in kits]
        for kit, out in zip(kits, said):
            self.assertEqual(kit.returncode, 0, out)
            self.assertNotIn("BROKEN", out)

    def test_conformance(self):
        """All kits begin at once on an empty database: whoever comes first makes the tables."""
        name = self.database()
        self.kits(self.config(self.cluster.url(name)))
        self.assertEqual(self.cluster.sql("SELECT version FROM convoke.schema_version", name), "1")

    def test_conformance_through_pgbouncer(self):
        name = self.database()
        bouncer = PgBouncer(self.base / "bouncer", self.cluster, name, "open-sesame")
        self.addCleanup(bouncer.stop)
        self.kits(self.config(self.cluster.url(name, port=bouncer.port)))

    def test_each_write_is_made_once_whatever_breaks(self):
        way = Way(self.cluster.port, every=7)
        self.addCleanup(way.stop)
        name = self.database()
        self.kit("once", self.config(self.cluster.url(name)))
        self.kit("once", self.config(self.cluster.url(name, port=way.port), more="connections = 2"))
        self.assertGreater(way.cuts, 20)

    def test_busy_time_goes_by_the_index(self):
        """What is read of a calendar of a hundred thousand events for one day is what is read of one of a hundred."""
        read = {}
        for count in (100, 100_000):
            name = self.database()
            user, begin, statement = self.kit("fill", self.config(self.cluster.url(name)), str(count)).stdout.split("\n", 2)
            self.cluster.sql("VACUUM ANALYZE convoke.spans", name)
            for at, value in {"$1": user, "$2": begin, "$3": str(int(begin) + 24 * 3600 * 10**6)}.items():
                statement = statement.replace(at, f"'{value}'::bigint")
            plan = json.loads(self.cluster.sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", name))[0]["Plan"]
            scans = [node for node in nodes(plan) if node.get("Relation Name") == "spans"]
            read[count] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            if count == 100_000:
                self.assertEqual({node.get("Index Name") for node in scans}, {"spans_by_start"}, plan)
        self.assertLess(read[100_000], 100, read)

    def test_what_is_wrong_is_said_in_a_sentence(self):
        name = self.database()
        url = self.cluster.url(name)
        self.refused(self.config(url, password="wrong"), f"`{name}`", "`config.password_file`")
        self.refused(self.config(url.replace(f"//{name}@", "//nobody@")), "`nobody`", "`config.url`")
        self.refused(self.config(url + "?sslmode=require"), "TLS", "`sslmode`", "ssl = on")
        self.refused(self.config(self.cluster.url(name, port=free_port())), "cannot be reached", "`config.url`")
        self.refused(self.config(url.removesuffix(name) + "nowhere"), "no database `nowhere`", "createdb")
        (place := self.config(url)).write_text(f'url = "{url}"\n')
        self.refused(place, "asks for the password", "`config.password_file`")
        self.cluster.sql(f"ALTER ROLE {name} CONNECTION LIMIT 0")
        self.refused(self.config(url), "too many connections", "`config.connections`")
        self.cluster.sql(f"ALTER ROLE {name} CONNECTION LIMIT -1")

    def test_opening_writes_nothing(self):
        name = self.database()
        self.kit("open", self.config(self.cluster.url(name)))
        self.assertEqual(self.cluster.sql("SELECT to_regnamespace('convoke') IS NULL", name), "t")

    def test_newer_tables_are_refused(self):
        name = self.database()
        config = self.config(self.cluster.url(name))
        self.kit("once", config)
        self.cluster.sql("UPDATE convoke.schema_version SET version = 99", name)
        self.refused(config, "version 99", "newer Convoke", "knows 1")

    def test_a_role_that_may_only_use_the_tables(self):
        name = self.database()
        self.cluster.sql(f"CREATE ROLE {name}_user LOGIN PASSWORD 'open-sesame'")
        config = self.config(self.cluster.url(name).replace(f"//{name}@", f"//{name}_user@"))
        self.refused(config, "may not make them", "GRANT CREATE")
        readme = (pathlib.Path(__file__).parents[2] / "plugins/store-postgres/README.md").read_text()
        block = readme.split("```sql", 1)[1].split("```", 1)[0]
        grants = "\n".join(line for line in block.splitlines() if line.startswith(("GRANT", "ALTER DEFAULT", "CREATE SCHEMA")))
        self.cluster.sql(grants.replace("convoke_owner", name).replace("TO convoke;", f"TO {name}_user;"), name)
        self.kit("open", self.config(self.cluster.url(name)))
        self.kit("once", self.config(self.cluster.url(name)))
        self.kits(config)

    def test_tls(self):
        authority = Authority(self.base)
        certificate, key = authority.issue("db.example")
        cluster = Cluster(self.base / "tls")
        self.addCleanup(cluster.stop, "immediate")
        for file, to in ((certificate, "server.crt"), (key, "server.key")):
            to = cluster.data / to
            to.write_bytes(file.read_bytes())
            to.chmod(0o600)
            if os.getuid() == 0:
                os.chown(to, cluster.data.stat().st_uid, cluster.data.stat().st_gid)
        cluster.set(ssl="on")
        (cluster.data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        cluster.stop()
        cluster.start()
        name = cluster.database("calendars")
        root = f"&sslrootcert={authority.certificate}"
        for more in ("", "?sslmode=require", f"?sslmode=require{root}", f"?sslmode=verify-ca{root}", f"?sslmode=verify-full{root}",
                     f"?sslmode=verify-full&channel_binding=require{root}"):
            self.kit("open", self.config(cluster.url(name, more)))
        self.refused(self.config(cluster.url(name, "?sslmode=disable")), "`config.url`")
        self.refused(self.config(cluster.url(name, "?sslmode=verify-full")), "TLS", "`sslrootcert`")
        certificate, key = authority.issue("elsewhere.example")
        by_name = cluster.url(name, f"?hostaddr=127.0.0.1&sslmode=%s{root}").replace("@127.0.0.1", "@other.example")
        self.kit("open", self.config(by_name % "verify-ca"))
        self.refused(self.config(by_name % "verify-full"), "TLS", "other.example")

    def test_a_database_that_went_comes_back(self):
        cluster = Cluster(self.base / "restarted")
        self.addCleanup(cluster.stop, "immediate")
        name = cluster.database("calendars")
        done = subprocess.Popen([KIT, "once", self.config(cluster.url(name))], stdout=subprocess.PIPE, text=True)
        for how in ("fast", "immediate"):
            # Under way, as soon as something was counted.
            until(lambda: cluster.sql("SELECT count(*) > 0 FROM convoke.commits", name) == "t")
            cluster.stop(how)
            cluster.start()
        out, _ = done.communicate(timeout=300)
        self.assertEqual(done.returncode, 0, out)


def nodes(plan):
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def until(condition):
    deadline = time.monotonic() + 60
    while True:
        try:
            if condition():
                return
        except AssertionError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError("it did not come")
        time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
