-- Layout 3. When a rule was switched off or its file removed: what was told is kept for a while, should it come back.
ALTER TABLE rules ADD COLUMN off_since INTEGER;
-- Events of hours in which nothing begins.
ALTER TABLE rules ADD COLUMN later TEXT;
-- Before this everything was told for good; without a number, before what is settled.
ALTER TABLE rules ADD COLUMN told_from INTEGER;
