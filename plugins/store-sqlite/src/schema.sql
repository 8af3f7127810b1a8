-- Instants are microseconds since 1970, rounded outwards.

CREATE TABLE users (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice, as the host may remember it
    name        TEXT,
    timezone    TEXT,
    kind        TEXT NOT NULL,
    schedulable INTEGER NOT NULL DEFAULT 1,
    change      INTEGER NOT NULL DEFAULT 0         -- counts the writes to the user's objects
) STRICT;

CREATE TABLE addresses (
    key      TEXT PRIMARY KEY, -- the address in one case
    user     INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    position INTEGER NOT NULL, -- 0 is the main address
    address  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_of_user ON addresses (user, position);

CREATE TABLE objects (
    id          INTEGER PRIMARY KEY,
    user        INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    uid         TEXT NOT NULL,
    component   TEXT NOT NULL,
    change      INTEGER NOT NULL,
    etag        TEXT NOT NULL,
    open_before INTEGER,
    open_after  INTEGER,
    data        BLOB NOT NULL, -- last: the columns before it are read without it
    UNIQUE (user, uid)
) STRICT;
CREATE INDEX objects_by_change ON objects (user, change);
CREATE INDEX objects_open_before ON objects (user, open_before) WHERE open_before IS NOT NULL;
CREATE INDEX objects_open_after ON objects (user, open_after) WHERE open_after IS NOT NULL;

-- `band` groups spans by how long they are: see busy.rs.
CREATE TABLE spans (
    user   INTEGER NOT NULL,
    band   INTEGER NOT NULL,
    start  INTEGER NOT NULL,
    end    INTEGER NOT NULL,
    kind   INTEGER NOT NULL,
    object INTEGER NOT NULL REFERENCES objects ON DELETE CASCADE,
    PRIMARY KEY (user, band, start, end, kind, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX spans_of_object ON spans (object);

CREATE TABLE removed (
    user   INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    uid    TEXT NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (user, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_by_change ON removed (user, change);

CREATE TABLE kept (
    id         INTEGER PRIMARY KEY,
    user       INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    originator TEXT NOT NULL,
    recipient  TEXT NOT NULL,
    method     TEXT NOT NULL,
    uid        TEXT NOT NULL,
    data       BLOB NOT NULL
) STRICT;
CREATE INDEX kept_of_user ON kept (user);
