-- Layout 1. Times and spans are milliseconds; unsigned numbers are kept bit for bit.
CREATE TABLE heads (
  partition INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  nonce INTEGER,
  bundle TEXT
) STRICT;

CREATE TABLE rules (
  name TEXT PRIMARY KEY,
  partition INTEGER NOT NULL,
  meaning TEXT NOT NULL,
  cursor INTEGER NOT NULL,
  state_settled INTEGER,
  state_version INTEGER,
  priming_reached INTEGER,
  priming_until INTEGER,
  told TEXT NOT NULL,
  committed_at INTEGER,
  last_run TEXT,
  failure TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX rules_of ON rules (partition);

-- Apart from the rules: a state may be megabytes, and one that did not change is not written again.
CREATE TABLE states (
  rule TEXT PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE episodes (
  id TEXT PRIMARY KEY,
  partition INTEGER NOT NULL,
  rule TEXT NOT NULL,
  labels TEXT NOT NULL,
  phase TEXT NOT NULL,
  phase_at INTEGER,
  phase_note TEXT,
  severity TEXT NOT NULL,
  since INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  last TEXT NOT NULL,
  chain TEXT NOT NULL,
  step INTEGER NOT NULL,
  repeat INTEGER,
  announced_at INTEGER,
  told TEXT NOT NULL,
  ordinal INTEGER NOT NULL
) STRICT;
CREATE INDEX episodes_open ON episodes (partition) WHERE phase <> 'resolved';
CREATE INDEX episodes_resolved ON episodes (phase_at) WHERE phase = 'resolved';
CREATE INDEX episodes_of ON episodes (rule, opened_at);

CREATE TABLE intents (
  -- The order of first commits: deliveries to one destination are first in, first out.
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  partition INTEGER NOT NULL,
  destination TEXT NOT NULL,
  rule TEXT NOT NULL,
  episode TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  delivery TEXT NOT NULL,
  at INTEGER,
  attempt INTEGER NOT NULL,
  owner TEXT,
  epoch INTEGER,
  maybe_repeated INTEGER NOT NULL,
  note TEXT,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX intents_open ON intents (partition) WHERE delivery IN ('owed', 'claimed');
CREATE INDEX intents_ended ON intents (at) WHERE delivery IN ('delivered', 'dead');
CREATE INDEX intents_of ON intents (episode);
CREATE INDEX intents_by ON intents (rule);

CREATE TABLE gaps (
  rule TEXT NOT NULL,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  reason TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (rule, starts, ends, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_recorded ON gaps (recorded_at);

-- Written and emptied at every start, to learn then whether there is room.
CREATE TABLE probe (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
