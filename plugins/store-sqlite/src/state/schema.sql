-- What a host must not forget. `id` keeps the index of keys small, however large the values are.
CREATE TABLE entries (
    id      INTEGER PRIMARY KEY,
    key     BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    expires INTEGER, -- milliseconds since 1970; NULL for never
    value   BLOB NOT NULL -- last: the columns before it are read without it
) STRICT;
CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;

-- One row: counts the commits that wrote.
CREATE TABLE counter (version INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES (0);

-- One row, once the file is made: what the system calls it. A copy is called otherwise.
CREATE TABLE origin (inode INTEGER NOT NULL, born INTEGER) STRICT; -- microseconds since 1970, where the system says it
