-- The server's key lies in a file beside the database. What followed from the key that lay here, or is kept under a
-- digest made with it, is over: the tokens of messages, and open sessions. Accounts, devices and their tokens stay.
DROP TABLE server_key;
DELETE FROM validations;
DELETE FROM uia_sessions;
DELETE FROM uia_records;
DELETE FROM registration_token_reservations;

-- NULL: it is under way. One that has ended is remembered for as long as its request may be repeated.
ALTER TABLE deactivations ADD COLUMN forget_at INTEGER;
CREATE INDEX deactivations_by_end ON deactivations (forget_at);
CREATE INDEX registration_token_reservations_by_end ON registration_token_reservations (ends_at);
