-- Layout 2. Every record says how it is written. A row of an older format is read as it was written then, and is of
-- the newest once it is written again.
ALTER TABLE rules ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE episodes ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE intents ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE gaps ADD COLUMN format INTEGER NOT NULL DEFAULT 1;

-- Format 2 of episodes has these; `chain`, `step`, `repeat` and `told` are format 1's alone.
ALTER TABLE episodes ADD COLUMN steps TEXT;
ALTER TABLE episodes ADD COLUMN stepped_until INTEGER;
ALTER TABLE episodes ADD COLUMN notified TEXT;
