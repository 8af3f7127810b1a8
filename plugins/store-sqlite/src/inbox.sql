-- What a kept message is about besides its UID, and how long it is: the later of two about the same takes the place of
-- the earlier, and what a sender takes is counted from an index.
ALTER TABLE kept ADD COLUMN instance TEXT NOT NULL DEFAULT '';
ALTER TABLE kept ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE kept SET size = length(data);
DROP INDEX kept_of_user;
CREATE INDEX kept_of_user ON kept (user, originator COLLATE NOCASE, size);
CREATE INDEX kept_about ON kept (user, uid, method, instance, originator COLLATE NOCASE);
