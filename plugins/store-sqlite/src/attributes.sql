-- Further facts by name, of users and of kept messages: a JSON object.
ALTER TABLE users ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}';
ALTER TABLE kept ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}';
