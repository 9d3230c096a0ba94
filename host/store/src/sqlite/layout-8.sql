-- Layout 8. What people hold back, and how far the escalation of an episode is beyond its steps.
CREATE TABLE silences (
  id TEXT PRIMARY KEY,
  matchers TEXT NOT NULL,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  reason TEXT NOT NULL,
  who TEXT NOT NULL,
  at INTEGER NOT NULL,
  format INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pause (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  reason TEXT NOT NULL,
  who TEXT NOT NULL,
  format INTEGER NOT NULL
) STRICT;

ALTER TABLE episodes ADD COLUMN progress TEXT;
