-- Layout 9. What is remembered of destinations: how many messages they were sent, what their limits left out, and
-- whether they fail.
CREATE TABLE destinations (
  name TEXT PRIMARY KEY,
  counts TEXT NOT NULL,
  left_out TEXT,
  trouble TEXT,
  format INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
