#!/usr/bin/env python3
"""Calendars in an SQLite file: a store for Convoke in one file of Python and its standard library.
It speaks the process protocol, sdk/PROCESS.md: frames of JSON on standard input and standard output."""
import json, sqlite3, sys, uuid
from base64 import b64decode, b64encode
from pathlib import Path

TABLES = """
PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS addresses (address TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS objects (user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, uid TEXT NOT NULL,
    etag TEXT NOT NULL, component TEXT NOT NULL, open_before TEXT, open_after TEXT, data BLOB NOT NULL,
    PRIMARY KEY (user, uid));
CREATE TABLE IF NOT EXISTS spans (user TEXT NOT NULL, uid TEXT NOT NULL, start TEXT NOT NULL, end TEXT NOT NULL,
    kind TEXT NOT NULL, FOREIGN KEY (user, uid) REFERENCES objects ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS spans_of_user ON spans (user, start);
"""
KEYS = [{"name": "path", "type": "String", "required": True, "default": None, "doc": "The database file."}]
HELLO = {"protocol": 1, "name": "store-python", "version": "1.0", "kinds": ["store"], "config": {"store": KEYS}}

class Failure(Exception):
    """An error of the protocol: its kind, and a sentence for the administrator's log."""
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind

def key(address):
    """The same text for all spellings of a mailbox: the case of ASCII letters does not count."""
    return address.encode().lower().decode() if address.startswith("mailto:") else address

def stored(uid, etag, data):
    return {"uid": uid, "etag": etag, "data": b64encode(data).decode()}

class Store:
    """The methods of a store, by their names. Those that are not here are answered with `unsupported`."""
    def __init__(self, folder, config):
        if not isinstance(config.get("path"), str):
            raise Failure("invalid", "`config.path` is to name a file")
        # Who waits for another process to write has to answer a ping within four seconds all the same.
        self._db = sqlite3.connect(Path(folder, config["path"]), isolation_level=None, timeout=3)
        self._db.executescript(TABLES)

    def _rows(self, statement, *values):
        return self._db.execute(statement, values).fetchall()

    def _known(self, user):
        if not self._rows("SELECT 1 FROM users WHERE id = ?", user):
            raise Failure("not-found", "there is no such user")

    def add_user(self, user):
        user |= {"id": uuid.uuid4().hex, "scheduling": "enabled"}
        self._rows("INSERT INTO users VALUES (?, ?)", user["id"], json.dumps(user))
        for address in {key(address) for address in [user["address"], *user["aliases"]]}:
            if self._rows("SELECT 1 FROM addresses WHERE address = ?", address):
                raise Failure("conflict", f"{address} is somebody else's")
            self._rows("INSERT INTO addresses VALUES (?, ?)", address, user["id"])
        return user["id"]

    def remove_user(self, user):
        self._known(user)
        self._rows("DELETE FROM users WHERE id = ?", user)

    def find(self, address):
        found = self._rows("SELECT facts FROM users JOIN addresses ON user = id WHERE address = ?", key(address))
        return json.loads(found[0][0]) if found else None

    def _page(self, page, statement, *values):
        """A page of what the statement selects: in the order of a text, an item as JSON beside each."""
        limit = page["limit"]
        rows = self._rows(statement, *values, page["after"] or "", limit + 1)
        items = [json.loads(item) for _, item in rows[:limit]]
        return {"items": items, "next": rows[limit - 1][0] if rows[limit:] else None}

    def users(self, page):
        return self._page(page, "SELECT id, facts FROM users WHERE id > ? ORDER BY id LIMIT ?")

    def list(self, user, page):
        self._known(user)
        return self._page(page, """SELECT uid, json_object('uid', uid, 'component', component, 'etag', etag)
            FROM objects WHERE user = ? AND uid > ? ORDER BY uid LIMIT ?""", user)

    def get(self, user, uid):
        found = self._rows("SELECT uid, etag, data FROM objects WHERE user = ? AND uid = ?", user, uid)
        return stored(*found[0]) if found else None

    def _delete(self, user, uid, when):
        """Takes an object away if the precondition holds; whether it was there."""
        self._known(user)
        there = [etag for (etag,) in self._rows("SELECT etag FROM objects WHERE user = ? AND uid = ?", user, uid)]
        if there and when == "absent" or isinstance(when, dict) and there != [when["matches"]]:
            raise Failure("conflict", "it is there, or not there, or in another version")
        self._rows("DELETE FROM objects WHERE user = ? AND uid = ?", user, uid)
        return bool(there)

    def put(self, user, object, when):
        index, etag, data = object["index"], uuid.uuid4().hex, b64decode(object["data"])
        self._delete(user, uid := index["uid"], when)
        self._rows("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
                   user, uid, etag, index["component"], index["open_before"], index["open_after"], data)
        spans = [(user, uid, span["range"]["start"], span["range"]["end"], span["kind"]) for span in index["spans"]]
        self._db.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", spans)
        return etag

    def remove(self, user, uid, when):
        if not self._delete(user, uid, when):
            raise Failure("not-found", "there is no such object")

    def busy(self, user, range):
        self._known(user)
        spans = self._rows("SELECT start, end, kind FROM spans WHERE user = ? AND start < ? AND end > ?",
                           user, range["end"], range["start"])
        found = self._rows("""SELECT uid, etag, data FROM objects
            WHERE user = ? AND (open_before > ? OR open_after < ?)""", user, range["start"], range["end"])
        return {"spans": [{"range": {"start": start, "end": end}, "kind": kind} for start, end, kind in spans],
                "objects": [stored(*row) for row in found]}

    def _call(self, method, arguments):
        if method.startswith("_") or not hasattr(self, method):
            raise Failure("unsupported", f"this store has no {method}")
        with self._db:  # all of it, or nothing
            self._db.execute("BEGIN IMMEDIATE")
            return getattr(self, method)(**arguments)

def attempt(work, *arguments):
    """What came of it: a value, or an error."""
    try:
        return work(*arguments), None
    except (Failure, sqlite3.Error) as error:
        return None, {"kind": getattr(error, "kind", "unavailable"), "message": str(error)}

def say(**message):
    frame = json.dumps(message).encode()
    sys.stdout.buffer.write(len(frame).to_bytes(4, "little") + frame)
    sys.stdout.buffer.flush()

say(hello=HELLO)
while len(head := sys.stdin.buffer.read(4)) == 4:
    [(name, frame)] = json.loads(sys.stdin.buffer.read(int.from_bytes(head, "little"))).items()
    if name == "open":
        store, error = attempt(Store, frame["folder"], frame["config"])
        say(opened={"refused": error and {"error": error}})
    elif name == "call":
        value, error = attempt(store._call, frame["method"], frame["arguments"])
        say(answer={"id": frame["id"], "value": value, "error": error})
    elif name == "ping":
        say(pong=frame)
    elif name == "close":
        break
