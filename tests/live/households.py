"""Two people of two domains, each with a host of their own that serves their calendar or stands in front of a server that does, and
a calendar program."""

import pathlib
import unittest

import bcrypt

from caldav_servers import RadicaleOfAHouse
from world import *

ANNA, BO = "anna@harbour.example", "bo@house.example"
PASSWORD = "a secret: with colons"
STORES = {ANNA: "store-sqlite", BO: "store-vdir"}
LISTENER = """
[[listener]]
role = "caldav"
address = "127.0.0.1:0"
tls = {{ certificate = "{}", key = "{}" }}
{}
"""
USERS = 'users = "users.htpasswd"'


def domain_of(person):
    return person.partition("@")[2]


class TwoHouseholds(unittest.TestCase):
    """The tests of a class share the hosts and the programs: each has meetings of its own."""

    @classmethod
    def setUpClass(cls):
        directory = folder()
        cls.addClassCleanup(directory.cleanup)
        cls.base = pathlib.Path(directory.name)
        cls.authority = Authority(cls.base)
        cls.ports = {domain_of(person): free_port() for person in STORES}
        cls.hosts = {person: cls.host(person) for person in STORES}
        cls.anna, cls.bo = (cls.program(person, cls.url(person)) for person in (ANNA, BO))

    @classmethod
    def login(cls, person):
        """As whom somebody logs in, and with what."""
        return person, PASSWORD

    @classmethod
    def known(cls):
        return [(name, f"https://localhost:{port}/.well-known/ischedule") for name, port in cls.ports.items()]

    @classmethod
    def host(cls, person):
        domain = domain_of(person)
        where = cls.base / domain
        known = cls.known()
        listener = LISTENER.format(*cls.authority.issue(f"cal.{domain}", "localhost"), USERS)
        host = Host(where, domain, cls.authority, store=STORES[person], discovery=known, port=cls.ports[domain], extra=listener)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (where / "users.htpasswd").write_text(f"{person}:{hashed}\n")
        host.run("user", "add", person, "--name", person, "--timezone", "Europe/Berlin")
        cls.addClassCleanup(host.stop)
        return host.start()

    @classmethod
    def url(cls, person):
        """All that a person is told of the server."""
        notes = json.loads((cls.hosts[person].folder / "state" / "listeners.json").read_text())
        port = next(note["address"] for note in notes if note["role"] == "caldav").rsplit(":", 1)[1]
        return f"https://localhost:{port}/"


class InFrontOfRadicale(TwoHouseholds):
    """The calendars of each household are on a Radicale of its own, and its people log in there."""

    @classmethod
    def login(cls, person):
        user = person.partition("@")[0]
        return user, f"{user}-secret"

    @classmethod
    def host(cls, person):
        domain = domain_of(person)
        server = RadicaleOfAHouse(cls.base / f"radicale.{domain}", cls.authority)
        cls.addClassCleanup(server.stop)
        server.make(cls.login(person)[0], person)
        config = "".join(f"config.{line}\n" for line in server.config(domain).splitlines())
        upstream = f'upstream = "http://127.0.0.1:{server.port}"'
        listener = LISTENER.format(*cls.authority.issue(f"cal.{domain}", "localhost"), upstream)
        host = Host(cls.base / domain, domain, cls.authority, store="store-caldav", store_config=config, discovery=cls.known(),
                    port=cls.ports[domain], extra=listener)
        cls.addClassCleanup(host.stop)
        return host.start()
