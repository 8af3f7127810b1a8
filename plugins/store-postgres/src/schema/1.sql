-- Version 1. Instants of calendars are microseconds since 1970, rounded outwards.
--
-- Every write is one call of a function here, so one statement and one round trip, whose plans PostgreSQL keeps although the
-- statements of the plugin have no names (PgBouncer). Each ends by noting its token: see `commits`.

-- What each write answered, by a token of its writer, so that one whose connection was lost learns whether the write was made.
-- A token without an answer is one whose write shall not be made any more.
CREATE TABLE convoke.commits (
    token  uuid PRIMARY KEY,
    answer text,
    at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX commits_by_time ON convoke.commits (at);

-- Notes that a write was made. Fails if its writer has given it up. Older tokens go little by little: more than come.
CREATE FUNCTION convoke.made(the_token uuid, the_answer text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM convoke.commits WHERE token IN (
        SELECT token FROM convoke.commits WHERE at < clock_timestamp() - interval '10 minutes'
        ORDER BY at LIMIT 3 FOR UPDATE SKIP LOCKED
    );
    INSERT INTO convoke.commits (token, answer) VALUES (the_token, the_answer);
$$;

-- What a write answered, waiting for it if it is being made; NULL: it was not made, and will not be. This is a write itself, so
-- what it tells of is on disk, and on a synchronous standby, as it is.
CREATE FUNCTION convoke.settle(the_token uuid) RETURNS text LANGUAGE sql AS $$
    INSERT INTO convoke.commits (token) VALUES (the_token)
        ON CONFLICT (token) DO UPDATE SET at = clock_timestamp() RETURNING answer;
$$;

-- Calendars.

CREATE TABLE convoke.users (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never used twice, as the host may remember it
    profile text NOT NULL, -- JSON: addresses, name, time zone…
    change  bigint NOT NULL DEFAULT 0, -- counts the writes to the user's objects
    written xid8 NOT NULL DEFAULT pg_current_xact_id() -- the transaction of the last of them
);
CREATE INDEX users_by_write ON convoke.users (written);

-- Users that were removed, for those who wait for changes.
CREATE TABLE convoke.departed (
    id      bigint PRIMARY KEY,
    written xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX departed_by_write ON convoke.departed (written);

CREATE TABLE convoke.addresses (
    key     text COLLATE "C" PRIMARY KEY, -- the address in one case
    user_id bigint NOT NULL REFERENCES convoke.users ON DELETE CASCADE
);
CREATE INDEX addresses_of_user ON convoke.addresses (user_id);

CREATE TABLE convoke.objects (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES convoke.users ON DELETE CASCADE,
    uid         text COLLATE "C" NOT NULL,
    component   text NOT NULL,
    change      bigint NOT NULL,
    etag        text NOT NULL,
    open_before bigint,
    open_after  bigint,
    data        bytea NOT NULL,
    UNIQUE (user_id, uid)
);
CREATE INDEX objects_by_change ON convoke.objects (user_id, change);
CREATE INDEX objects_open_before ON convoke.objects (user_id, open_before) WHERE open_before IS NOT NULL;
CREATE INDEX objects_open_after ON convoke.objects (user_id, open_after) WHERE open_after IS NOT NULL;

-- `band` groups spans by how long they are: see busy.rs.
CREATE TABLE convoke.spans (
    user_id bigint NOT NULL,
    band    smallint NOT NULL,
    starts  bigint NOT NULL,
    ends    bigint NOT NULL,
    kind    smallint NOT NULL,
    object  bigint NOT NULL REFERENCES convoke.objects ON DELETE CASCADE
);
CREATE INDEX spans_by_start ON convoke.spans (user_id, band, starts) INCLUDE (ends, kind);
CREATE INDEX spans_of_object ON convoke.spans (object);

CREATE TABLE convoke.removed (
    user_id bigint NOT NULL REFERENCES convoke.users ON DELETE CASCADE,
    uid     text COLLATE "C" NOT NULL,
    change  bigint NOT NULL,
    PRIMARY KEY (user_id, uid)
);
CREATE INDEX removed_by_change ON convoke.removed (user_id, change);

CREATE TABLE convoke.inbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES convoke.users ON DELETE CASCADE,
    sender  text COLLATE "C" NOT NULL, -- the originator in one case
    about   text COLLATE "C" NOT NULL, -- what a later message about the same has, too
    size    bigint NOT NULL,
    header  text NOT NULL, -- JSON: all but the iCalendar
    data    bytea NOT NULL
);
CREATE INDEX inbox_of_user ON convoke.inbox (user_id, id);
-- The digest, as the text may be longer than an index takes.
CREATE INDEX inbox_about ON convoke.inbox (user_id, md5(about));

-- Gives a user these addresses; fails with CV001 if one is somebody else's.
CREATE FUNCTION convoke.give_addresses(the_user bigint, the_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    the_key text;
    owner_id bigint;
BEGIN
    FOREACH the_key IN ARRAY the_keys LOOP
        INSERT INTO convoke.addresses (key, user_id) VALUES (the_key, the_user) ON CONFLICT (key) DO NOTHING;
        IF NOT FOUND THEN
            SELECT user_id INTO owner_id FROM convoke.addresses WHERE key = the_key;
            -- An alias that is written twice is no matter.
            IF owner_id IS DISTINCT FROM the_user THEN
                RAISE EXCEPTION '%', the_key USING ERRCODE = 'CV001';
            END IF;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION convoke.add_user(the_token uuid, the_profile text, the_keys text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made_id bigint;
BEGIN
    INSERT INTO convoke.users (profile) VALUES (the_profile) RETURNING id INTO made_id;
    PERFORM convoke.give_addresses(made_id, the_keys);
    PERFORM convoke.made(the_token, '=' || made_id);
    RETURN '=' || made_id;
END $$;

CREATE FUNCTION convoke.update_user(the_token uuid, the_user bigint, the_profile text, the_keys text[])
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE convoke.users SET profile = the_profile WHERE id = the_user;
    IF NOT FOUND THEN
        RETURN 'no-user';
    END IF;
    DELETE FROM convoke.addresses WHERE user_id = the_user AND NOT key = ANY (the_keys);
    PERFORM convoke.give_addresses(the_user, the_keys);
    PERFORM convoke.made(the_token, '=');
    RETURN '=';
END $$;

CREATE FUNCTION convoke.remove_user(the_token uuid, the_user bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM convoke.users WHERE id = the_user;
    IF NOT FOUND THEN
        RETURN 'no-user';
    END IF;
    INSERT INTO convoke.departed (id) VALUES (the_user);
    PERFORM convoke.made(the_token, '=');
    RETURN '=';
END $$;

-- Locks the row of a user until the end of the transaction, so that writes to the objects of one user are made one after the
-- other, in the order of their numbers: whoever sees a number sees all before it. Whether the user is there.
CREATE FUNCTION convoke.lock_user(the_user bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM convoke.users WHERE id = the_user FOR NO KEY UPDATE;
    RETURN FOUND;
END $$;

-- Why a write to an object must not be made; NULL: it may. `wanted`: NULL for any version, '' for none, else a tag.
CREATE FUNCTION convoke.unmet(wanted text, there text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN wanted IS NULL OR wanted = coalesce(there, '') THEN NULL
        WHEN wanted = '' THEN 'there'
        WHEN there IS NULL THEN 'gone'
        ELSE 'changed'
    END
$$;

CREATE FUNCTION convoke.put_object(
    the_token uuid, the_user bigint, the_uid text, the_component text, wanted text, run text, is_open_before bigint,
    is_open_after bigint, content bytea, bands smallint[], span_starts bigint[], span_ends bigint[], kinds smallint[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    there text;
    problem text;
    the_object bigint;
    the_change bigint;
    tag text;
BEGIN
    IF NOT convoke.lock_user(the_user) THEN
        RETURN 'no-user';
    END IF;
    SELECT etag INTO there FROM convoke.objects WHERE user_id = the_user AND uid = the_uid;
    problem := convoke.unmet(wanted, there);
    IF problem IS NOT NULL THEN
        RETURN problem;
    END IF;
    UPDATE convoke.users SET change = change + 1, written = pg_current_xact_id() WHERE id = the_user
        RETURNING change INTO the_change;
    tag := the_change || '-' || run;
    INSERT INTO convoke.objects (user_id, uid, component, change, etag, open_before, open_after, data)
        VALUES (the_user, the_uid, the_component, the_change, tag, is_open_before, is_open_after, content)
        ON CONFLICT (user_id, uid) DO UPDATE SET component = excluded.component, change = excluded.change,
            etag = excluded.etag, open_before = excluded.open_before, open_after = excluded.open_after,
            data = excluded.data
        RETURNING id INTO the_object;
    IF there IS NULL THEN
        DELETE FROM convoke.removed WHERE user_id = the_user AND uid = the_uid;
    ELSE
        DELETE FROM convoke.spans WHERE object = the_object;
    END IF;
    INSERT INTO convoke.spans (user_id, band, starts, ends, kind, object)
        SELECT DISTINCT the_user, band, starts, ends, kind, the_object
        FROM unnest(bands, span_starts, span_ends, kinds) AS span (band, starts, ends, kind);
    PERFORM convoke.made(the_token, '=' || tag);
    RETURN '=' || tag;
END $$;

CREATE FUNCTION convoke.remove_object(the_token uuid, the_user bigint, the_uid text, wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    there text;
    problem text;
    the_change bigint;
BEGIN
    IF NOT convoke.lock_user(the_user) THEN
        RETURN 'no-user';
    END IF;
    SELECT etag INTO there FROM convoke.objects WHERE user_id = the_user AND uid = the_uid;
    problem := convoke.unmet(wanted, there);
    IF problem IS NOT NULL OR there IS NULL THEN
        RETURN coalesce(problem, 'no-object');
    END IF;
    UPDATE convoke.users SET change = change + 1, written = pg_current_xact_id() WHERE id = the_user
        RETURNING change INTO the_change;
    DELETE FROM convoke.objects WHERE user_id = the_user AND uid = the_uid;
    INSERT INTO convoke.removed (user_id, uid, change) VALUES (the_user, the_uid, the_change);
    PERFORM convoke.made(the_token, '=');
    RETURN '=';
END $$;

-- Keeps a message in the place of an earlier one about the same. Bytes for all messages of the user, and for those of the
-- sender, may be NULL: any number.
CREATE FUNCTION convoke.inbox_add(
    the_token uuid, the_user bigint, the_sender text, the_about text, the_header text, content bytea, most_messages bigint,
    most_bytes bigint, most_of_sender bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    replaced bigint;
    messages bigint;
    all_bytes bigint;
    of_sender bigint;
    made_id bigint;
BEGIN
    IF NOT convoke.lock_user(the_user) THEN
        RETURN 'no-user';
    END IF;
    SELECT id INTO replaced FROM convoke.inbox
        WHERE user_id = the_user AND md5(about) = md5(the_about) AND about = the_about;
    SELECT count(*), coalesce(sum(size), 0), coalesce(sum(size) FILTER (WHERE sender = the_sender), 0)
        INTO messages, all_bytes, of_sender FROM convoke.inbox WHERE user_id = the_user AND id IS DISTINCT FROM replaced;
    IF messages >= most_messages OR all_bytes + length(content) > most_bytes
        OR of_sender + length(content) > most_of_sender THEN
        RETURN 'full';
    END IF;
    DELETE FROM convoke.inbox WHERE id = replaced;
    INSERT INTO convoke.inbox (user_id, sender, about, size, header, data)
        VALUES (the_user, the_sender, the_about, length(content), the_header, content) RETURNING id INTO made_id;
    PERFORM convoke.made(the_token, '=' || made_id);
    RETURN '=' || made_id;
END $$;

CREATE FUNCTION convoke.inbox_remove(the_token uuid, the_user bigint, the_message bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM convoke.inbox WHERE user_id = the_user AND id = the_message;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    PERFORM convoke.made(the_token, '=');
    RETURN '=';
END $$;

-- What a host must not forget.

CREATE TABLE convoke.entries (
    key     bytea PRIMARY KEY,
    value   bytea NOT NULL,
    version bigint NOT NULL,
    expires timestamptz -- NULL for never
);
CREATE INDEX entries_by_expiry ON convoke.entries (expires) WHERE expires IS NOT NULL;
CREATE SEQUENCE convoke.versions;

-- Makes the writes of a batch if its conditions hold. `wanted`: the version of each key that is to hold, NULL for a key that is
-- to hold nothing. A value of NULL deletes. `lives`: milliseconds, NULL for ever. Answers `=version`, or `!n` for the first
-- condition that does not hold. No key is written twice.
--
-- Each key that is read or written is locked first, in one order, until the end of the transaction: two-phase locking, so what
-- comes out is what some order of the batches would give, also where a condition is about a key that is not there. A batch of
-- many keys locks all there are.
CREATE FUNCTION convoke.commit_batch(
    the_token uuid, if_keys bytea[], if_versions bigint[], keys bytea[], new_values bytea[], lives bigint[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    locks bigint[];
    the_lock bigint;
    wrong integer;
    the_version bigint;
BEGIN
    IF cardinality(if_keys) + cardinality(keys) > 64 THEN
        PERFORM pg_advisory_xact_lock(1129272144, 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(1129272144, 0);
        SELECT array_agg(DISTINCT hashtextextended(encode(key, 'hex'), 0) ORDER BY hashtextextended(encode(key, 'hex'), 0))
            INTO locks FROM unnest(if_keys || keys) AS key;
        FOREACH the_lock IN ARRAY coalesce(locks, '{}') LOOP
            PERFORM pg_advisory_xact_lock(the_lock);
        END LOOP;
    END IF;
    SELECT min(wanted.position) INTO wrong
        FROM unnest(if_keys, if_versions) WITH ORDINALITY AS wanted (key, version, position)
        LEFT JOIN convoke.entries AS there
            ON there.key = wanted.key AND (there.expires IS NULL OR there.expires > clock_timestamp())
        WHERE there.version IS DISTINCT FROM wanted.version;
    IF wrong IS NOT NULL THEN
        RETURN '!' || wrong;
    END IF;
    -- The low bits are random: a version that a fail-over undid is no version again.
    the_version := (nextval('convoke.versions') << 20) + floor(random() * 1048576)::bigint;
    IF cardinality(keys) = 0 THEN
        RETURN '=' || the_version;
    END IF;
    DELETE FROM convoke.entries WHERE key IN (
        SELECT write.key FROM unnest(keys, new_values) AS write (key, value) WHERE write.value IS NULL
    );
    INSERT INTO convoke.entries (key, value, version, expires)
        SELECT write.key, write.value, the_version, clock_timestamp() + write.life * interval '1 millisecond'
        FROM unnest(keys, new_values, lives) AS write (key, value, life) WHERE write.value IS NOT NULL
        ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, version = excluded.version, expires = excluded.expires;
    -- What has expired goes little by little: more than is written. Last, so that nobody is waited for who waits for this.
    DELETE FROM convoke.entries WHERE key IN (
        SELECT key FROM convoke.entries WHERE expires <= clock_timestamp()
        ORDER BY expires LIMIT 2 + 2 * cardinality(keys) FOR UPDATE SKIP LOCKED
    );
    PERFORM convoke.made(the_token, '=' || the_version);
    RETURN '=' || the_version;
END $$;
