-- Layout 9. Messages that are gathered and sent as one, and what is remembered of destinations.
CREATE TABLE groups (
  id TEXT PRIMARY KEY,
  rule TEXT NOT NULL,
  labels TEXT NOT NULL,
  destination TEXT NOT NULL,
  episode TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  due INTEGER,
  rests_until INTEGER,
  open TEXT NOT NULL,
  unnamed TEXT NOT NULL,
  format INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX groups_of ON groups (episode);

-- What a message has to do with a group.
ALTER TABLE intents ADD COLUMN grouping TEXT;

DROP INDEX intents_ended;
CREATE INDEX intents_ended ON intents (at) WHERE delivery IN ('delivered', 'dead', 'merged');

-- How many messages they were sent, what their limits left out, and whether they fail.
CREATE TABLE destinations (
  name TEXT PRIMARY KEY,
  counts TEXT NOT NULL,
  left_out TEXT,
  trouble TEXT,
  format INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
