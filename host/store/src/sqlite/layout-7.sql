-- Layout 7. What is kept of the keys that fire beyond a rule's limit of open episodes.
ALTER TABLE rules ADD COLUMN overflow TEXT;
