"""The Debian package, built of what is tested here, and installed by dpkg into a copy of this machine's root that is thrown away. Then
what the README tells administrators to do, as root; the host runs by the unit's own line, as the unit's user."""

import configparser
import shutil
import unittest

from world import *

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "core" / "host" / "packaging"


class Root:
    """This machine's root, with whatever is written going to memory, and a network of its own. `shared` is seen from within and from
    without."""

    def __init__(self, base):
        self.shared = base / "shared"
        self.shared.mkdir()
        place = base / "root"
        place.mkdir()
        mount = f"""
            mount -t tmpfs tmpfs {place}
            mkdir {place}/upper {place}/work {place}/all
            mount -t overlay overlay -o lowerdir=/,upperdir={place}/upper,workdir={place}/work {place}/all
            for it in dev proc sys; do mount --rbind /$it {place}/all/$it; done
            mkdir -p {place}/all/run/shared
            mount --bind {self.shared} {place}/all/run/shared
            ip link set lo up
            echo mounted
            exec sleep infinity"""
        self.process = subprocess.Popen(["unshare", "--mount", "--net", "sh", "-ec", mount], stdout=subprocess.PIPE, text=True)
        self.enter = ["nsenter", f"--target={self.process.pid}", "--mount", "--net", "chroot", str(place / "all")]
        if self.process.stdout.readline() != "mounted\n":
            raise unittest.SkipTest("no root can be made of this machine's own: this takes root and overlayfs")

    def run(self, line, ok=True, **more):
        """A line, as an administrator types it."""
        done = subprocess.run([*self.enter, "sh", "-ec", line], capture_output=True, text=True, **more)
        if ok and done.returncode != 0:
            raise AssertionError(f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout if ok else done

    def remove(self):
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


class Notified:
    """What systemd would be told."""

    def __init__(self, root):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        path = root.shared / "notify"
        self.socket.bind(str(path))
        path.chmod(0o777)
        root.shared.chmod(0o755)

    def wait_for(self, word):
        while word not in (said := self.socket.recv(4096).decode().splitlines()):
            pass
        return said


def unit(root):
    """The lines of the unit's [Service]."""
    text = root.run("cat /usr/lib/systemd/system/convoke.service")
    lines = configparser.RawConfigParser(strict=False)
    lines.optionxform = str
    lines.read_string(text)
    return lines["Service"]


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = pathlib.Path(cls.enterClassContext(folder()))
        # Before the folder: what is mounted in it is seen by that process alone.
        cls.root = Root(base)
        cls.addClassCleanup(cls.root.remove)
        built = pathlib.Path(os.environ["CONVOKE"]).parent
        built_package = subprocess.run([PACKAGING / "build", "--fast", "--built", built, "--to", base], check=True, capture_output=True, text=True)
        package = pathlib.Path(built_package.stdout.strip())
        shutil.copy(package, cls.root.shared / "convoke.deb")
        cls.root.run("dpkg --install /run/shared/convoke.deb")

    def serve(self, notified):
        """The unit's line, with what the unit says of its user."""
        service = unit(self.root)
        line = f"umask {service['UMask']}; exec setpriv --reuid={service['User']} --regid={service['Group']} --init-groups " \
            f"--no-new-privs --bounding-set=-all {service['ExecStart']}"
        host = subprocess.Popen([*self.root.enter, "env", "NOTIFY_SOCKET=/run/shared/notify", "sh", "-ec", line],
                                stderr=subprocess.PIPE, text=True)
        self.addCleanup(host.stderr.close)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        notified.wait_for("READY=1")
        return host

    def test_1_what_is_installed(self):
        run = self.root.run
        self.assertEqual(run("stat -c '%U:%G %a' /var/lib/convoke").strip(), "convoke:convoke 750")
        self.assertEqual(run("command -v convoke").strip(), "/usr/bin/convoke")
        self.assertTrue(run("convoke --version").startswith("convoke "))
        run("test -s /usr/share/man/man1/convoke-user-import.1.gz")
        run("bash -n /usr/share/bash-completion/completions/convoke")
        self.assertEqual(run("dpkg --verify convoke"), "")
        # Words that systemd does not know are named here.
        checked = run("systemd-analyze verify --man=no convoke.service convoke.socket 2>&1 | grep -F /convoke. || true")
        self.assertEqual(checked, "")

    def test_2_the_sample_works(self):
        said = self.root.run("convoke check --json")
        findings = json.loads(said)
        self.assertNotIn("fail", said, findings)

    def test_3_what_the_readme_says(self):
        run = self.root.run
        run("convoke init --force --yes --domain example.org --who nobody")
        run("convoke check")
        run("convoke user add anna@example.org --name 'Anna Berg' --timezone Europe/Berlin")
        run("printf 'address,name\\nbo@example.org,Bo\\n' >/run/people.csv")
        run("convoke user import - --format csv </run/people.csv")
        self.assertEqual(run("find /var/lib/convoke ! -user convoke"), "")
        notified = Notified(self.root)
        self.addCleanup(notified.socket.close)
        host = self.serve(notified)
        self.assertIn("cleo@example.org", run("convoke user add cleo@example.org"))
        as_user = "setpriv --reuid=convoke --regid=convoke --init-groups "
        listed = json.loads(run(as_user + "convoke user list --json"))
        self.assertEqual([it["address"] for it in listed], [f"mailto:{name}@example.org" for name in ("anna", "bo", "cleo")])
        busy = run("convoke freebusy --as anna@example.org anna@example.org bo@example.org --from now --to now+2d")
        self.assertIn("bo@example.org", busy)
        run(as_user + unit(self.root)["ExecReload"])
        notified.wait_for("READY=1")
        self.assertEqual(run("find /var/lib/convoke ! -user convoke"), "")
        host.send_signal(signal.SIGTERM)
        notified.wait_for("STOPPING=1")
        self.assertEqual(host.wait(timeout=60), 0)

    def test_4_removed_and_installed_again(self):
        run = self.root.run
        run("dpkg --remove convoke")
        self.assertIn("calendars.db", run("ls /var/lib/convoke"))
        run("dpkg --install /run/shared/convoke.deb")
        self.assertIn("anna@example.org", run("convoke user list"))


if __name__ == "__main__":
    unittest.main()
