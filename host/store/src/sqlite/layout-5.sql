-- Layout 5. Partitions and the notifier are owned apart, each under an epoch of its own.
CREATE TABLE owned (
  -- A partition's number; -1: the notifier.
  what INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  -- Its commits so far, over all epochs, and the nonce of the last one.
  number INTEGER NOT NULL,
  nonce INTEGER,
  -- The number of a partition's last transition.
  transitions INTEGER NOT NULL
) STRICT;

-- All of them begin at the epoch of the old head, so that each takeover rises above the epoch of any claim.
WITH RECURSIVE every (what) AS (SELECT -1 UNION ALL SELECT what + 1 FROM every WHERE what < 15)
INSERT INTO owned (what, owner, epoch, number, transitions)
SELECT what, owner, epoch, 0, 0
FROM every, (SELECT owner, max(epoch) AS epoch FROM heads HAVING count(*) > 0);

-- What the store says of itself, in one row. Ids are derived from its incarnation.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  incarnation TEXT NOT NULL,
  bundle TEXT,
  generation INTEGER
) STRICT;
INSERT INTO meta (id, incarnation) VALUES (1, lower(hex(randomblob(16))));
UPDATE meta SET (bundle, generation) =
  (SELECT bundle, 1 FROM heads WHERE bundle IS NOT NULL ORDER BY epoch DESC LIMIT 1);
DROP TABLE heads;

-- What passes from the partitions to the notifier, until it has decided it.
CREATE TABLE transitions (
  partition INTEGER NOT NULL,
  number INTEGER NOT NULL,
  rule TEXT NOT NULL,
  generation INTEGER NOT NULL,
  judged INTEGER NOT NULL,
  change TEXT NOT NULL,
  format INTEGER NOT NULL,
  PRIMARY KEY (partition, number)
) STRICT, WITHOUT ROWID;

-- Up to where the notifier has decided.
CREATE TABLE positions (
  partition INTEGER PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;

-- What holds on the data's clock. What people hear of it is the episode of the same id.
CREATE TABLE levels (
  id TEXT PRIMARY KEY,
  partition INTEGER NOT NULL,
  rule TEXT NOT NULL,
  labels TEXT NOT NULL,
  has_begun INTEGER NOT NULL,
  severity TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  last TEXT NOT NULL,
  format INTEGER NOT NULL
) STRICT;
CREATE INDEX levels_of ON levels (partition, id);
-- SQL cannot tell the partition of a rule: `spread_rules` sets it, here and in `rules`.
INSERT INTO levels (id, partition, rule, labels, has_begun, severity, since, until, last, format)
SELECT id, 0, rule, labels, phase <> 'pending', severity, since, until, last, 1
FROM episodes WHERE phase <> 'resolved';

-- These are the notifier's, and it is one.
DROP INDEX episodes_open;
ALTER TABLE episodes DROP COLUMN partition;
CREATE INDEX episodes_open ON episodes (id) WHERE phase <> 'resolved';
DROP INDEX intents_open;
ALTER TABLE intents DROP COLUMN partition;
CREATE INDEX intents_open ON intents (ordinal) WHERE delivery IN ('owed', 'claimed');

ALTER TABLE rules RENAME COLUMN told TO seen;
ALTER TABLE rules RENAME COLUMN told_from TO final_before;
ALTER TABLE rules RENAME COLUMN gap_told TO gap_announced;
