-- Layout 6. The responses to those of a message's requests that a receiver accepted, although the attempt failed.
ALTER TABLE intents ADD COLUMN recorded TEXT;
