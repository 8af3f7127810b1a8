"""CalDAV servers on loopback, each with the users bo and cleo and all its state in one folder.

Each has `home(user)` or `url`, and `login`: what store-caldav and vdirsyncer are told of it.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import time

from cyrus import Cyrus
from world import free_port

USERS = ("bo", "cleo")


class Server:
    """A CalDAV server in a process of its own."""

    digest = False
    login = True
    scheme = "http"
    # laws of the store kit that the server itself breaks
    broken = frozenset()

    def __init__(self, folder, authority):
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        for user in USERS:
            password = folder / f"{user}.password"
            password.write_text(self.password(user) + "\n")
            password.chmod(0o600)
        self.log = open(folder / "log", "wb")
        self.process = None
        self.start(authority)

    def run(self, *command, **more):
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, **more)
        deadline = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError((self.folder / "log").read_text())
                time.sleep(0.02)

    def password(self, user):
        return f"{user}-secret"

    def url(self, user):
        """Where a client that knows only the server begins."""
        return f"{self.scheme}://127.0.0.1:{self.port}/"

    def place(self, user):
        return f'url = "{self.url(user)}"'

    def config(self, domain):
        """What stands under `config` of a store."""
        users = []
        for user in USERS:
            login = f', login = {{ username = "{user}", password_file = "{self.folder}/{user}.password" }}' if self.login else ""
            users.append(f'users."{user}@{domain}" = {{ {self.place(user)}, timezone = "Europe/Berlin"{login} }}\n')
        return "".join(users)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


class Radicale(Server):
    users = USERS

    def start(self, authority):
        (self.folder / "users").write_text("".join(f"{user}:{self.password(user)}\n" for user in self.users))
        (self.folder / "config").write_text(f"""
[server]
hosts = 127.0.0.1:{self.port}
{self.tls(authority)}
[auth]
type = htpasswd
htpasswd_filename = {self.folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
{self.rights()}
[storage]
filesystem_folder = {self.folder}/collections
[web]
type = none
""")
        self.run(os.environ["RADICALE"], "--config", self.folder / "config")

    def rights(self):
        return "type = owner_only"

    def tls(self, _):
        return ""


class RadicaleOfAHouse(Radicale):
    """With a log-in that may read and write everybody's calendars; its people need no word anywhere else."""

    users = ("u1", "u2", "anna", "bo", "convoke")

    def rights(self):
        return f"type = from_file\nfile = {self.folder}/rights"

    def start(self, authority):
        (self.folder / "convoke.password").write_text("convoke-secret\n")
        (self.folder / "convoke.password").chmod(0o600)
        (self.folder / "rights").write_text("""
[convoke]
user: convoke
collection: .*
permissions: RrWw
[root]
user: .+
collection:
permissions: R
[principal]
user: .+
collection: {user}
permissions: RW
[calendars]
user: .+
collection: {user}/[^/]+
permissions: rw
""")
        super().start(authority)

    def config(self, domain):
        return (f'home = "http://127.0.0.1:{self.port}/{{user}}/"\n'
                f'login = {{ username = "convoke", password_file = "{self.folder}/convoke.password" }}\n')

    def make(self, user, name):
        """A calendar of somebody who has none yet."""
        body = f"""<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><displayname>{name}</displayname>
            <C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set>
            </prop></set></C:mkcalendar>"""
        subprocess.run(["curl", "-sSf", "-X", "MKCALENDAR", "-u", f"{user}:{self.password(user)}", "-H", "Content-Type: application/xml", "-d", body,
                        f"http://127.0.0.1:{self.port}/{user}/calendar/"], check=True, capture_output=True)


class SecureRadicale(Radicale):
    """Over TLS, with a certificate that nobody but the test's authority vouches for."""

    scheme = "https"

    def tls(self, authority):
        certificate, key = authority.issue("radicale.example")
        return f"ssl = True\ncertificate = {certificate}\nkey = {key}"


class Xandikos(Server):
    """Asks nobody for a password, and takes everybody for bo: so the homes are written down."""

    login = False
    # whose address it knows, and for whom it schedules by itself then
    email = None

    def start(self, _):
        tree = self.folder / "tree"
        tree.mkdir()
        environment = {name: value for name, value in os.environ.items() if name != "EMAIL"}
        if self.email:
            environment["EMAIL"] = self.email
        self.run(os.environ["XANDIKOS"], "serve", "-d", tree, "-l", "127.0.0.1", "-p", str(self.port), "--current-user-principal", "/bo/", "--defaults",
                 env=environment)
        for collection in ("/cleo/", "/cleo/calendars/"):
            subprocess.run(["curl", "-sSf", "-X", "MKCOL", f"http://127.0.0.1:{self.port}{collection}"], check=True, capture_output=True)

    def place(self, user):
        return f'home = "http://127.0.0.1:{self.port}/{user}/calendars/"'


class Sabre(Server):
    """sabre/dav, what Baikal and Nextcloud are made of, with Digest."""

    digest = True

    def start(self, _):
        (self.folder / "index.php").write_text(r"""<?php
error_reporting(E_ALL & ~E_DEPRECATED & ~E_NOTICE & ~E_WARNING);
ini_set('display_errors', '0');
date_default_timezone_set('UTC');
set_include_path('/usr/share/php');
require_once 'Sabre/autoload.php';
$pdo = new PDO('sqlite:' . __DIR__ . '/db.sqlite');
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$principals = new Sabre\DAVACL\PrincipalBackend\PDO($pdo);
$calendars = new Sabre\CalDAV\Backend\PDO($pdo);
$server = new Sabre\DAV\Server([new Sabre\CalDAV\Principal\Collection($principals), new Sabre\CalDAV\CalendarRootNode($principals, $calendars)]);
$server->setBaseUri('/');
$server->addPlugin(new Sabre\DAV\Auth\Plugin(new Sabre\DAV\Auth\Backend\PDO($pdo), 'SabreDAV'));
$server->addPlugin(new Sabre\DAVACL\Plugin());
$server->addPlugin(new Sabre\CalDAV\Plugin());
$server->exec();
""")
        (self.folder / "make.php").write_text(r"""<?php
$pdo = new PDO('sqlite:' . __DIR__ . '/db.sqlite');
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
foreach (glob('/usr/share/doc/php-sabre-dav/examples/sql/sqlite.*.sql*') as $file) {
    if (!preg_match('/(calendars|principals|users)/', $file)) continue;
    $pdo->exec(substr($file, -3) == '.gz' ? implode('', gzfile($file)) : file_get_contents($file));
}
$pdo->exec('DELETE FROM users; DELETE FROM principals');
foreach (array_slice($argv, 1) as $pair) {
    [$user, $password] = explode(':', $pair);
    $pdo->prepare('INSERT INTO users (username, digesta1) VALUES (?, ?)')->execute([$user, md5("$user:SabreDAV:$password")]);
    $pdo->prepare('INSERT INTO principals (uri, email, displayname) VALUES (?, ?, ?)')->execute(["principals/$user", "$user@sabre.example", $user]);
}
""")
        pairs = [f"{user}:{self.password(user)}" for user in USERS]
        subprocess.run(["php", self.folder / "make.php", *pairs], check=True, stdout=self.log, stderr=self.log)
        self.run("php", "-S", f"127.0.0.1:{self.port}", "index.php", cwd=self.folder)


class CyrusCalendars(Server):
    """Cyrus as a CalDAV server: its own scheduling is off, Convoke does that.

    It answers 500 to a line of a megabyte.
    """

    broken = frozenset({"an object of 1 MB is kept whole"})
    scheduling = "off"

    def start(self, authority):
        certificate, key = authority.issue("cal.example.org", "localhost")
        self.cyrus = Cyrus(self.folder / "cyrus", certificate, key, users=USERS, scheduling=self.scheduling)
        self.port = self.cyrus.http

    def password(self, user):
        return "secret"

    def stop(self):
        self.cyrus.stop()
        self.log.close()


SERVERS = {"radicale": Radicale, "xandikos": Xandikos, "sabre": Sabre, "cyrus": CyrusCalendars}


class XandikosThatSchedules(Xandikos):
    email = "bo@scheduling.example"


class CyrusThatSchedules(CyrusCalendars):
    scheduling = "on"


SCHEDULING = {"xandikos": XandikosThatSchedules, "cyrus": CyrusThatSchedules}
