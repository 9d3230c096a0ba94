-- Layout 4. Whether the rule's destinations were told of a gap since a run last committed.
ALTER TABLE rules ADD COLUMN gap_told INTEGER NOT NULL DEFAULT 0;

-- Format 3 of episodes has `repeat` again: of the rule when the escalation was last carried out. Format 2 has none.
-- And the steps that fired before their time.
ALTER TABLE episodes ADD COLUMN early TEXT;

-- Format 2 of intents: what a message is about is `message`, and its `text` is there from the first claim on.
ALTER TABLE intents ADD COLUMN text TEXT;

-- What people asked for, in the order in which it was applied: the audit log.
CREATE TABLE commands (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  command TEXT NOT NULL,
  episode TEXT NOT NULL,
  note TEXT,
  refused TEXT,
  format INTEGER NOT NULL
) STRICT;
