-- The rest of the account API: where a device was seen from, pairs of tokens that were replaced before anybody
-- used them, and validations as the crate's values. Nobody could begin one before.
ALTER TABLE devices ADD COLUMN last_seen_ip TEXT; -- NULL: nothing has come from it since it was logged in.
-- How many were handed out in its place before anybody used it.
ALTER TABLE access_tokens ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refresh_tokens ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0;

DROP TABLE validations;
CREATE TABLE validations (
    -- AUTOINCREMENT: a UIA session refers to it, and must never find another.
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    sid       TEXT NOT NULL UNIQUE,
    -- The crate's digest of address, client secret, purpose and requester: one validation for each.
    identity  BLOB NOT NULL UNIQUE,
    value     TEXT NOT NULL,
    next_link TEXT,
    forget_at INTEGER NOT NULL,
    -- What the value has too, to find all of a user's by.
    medium    TEXT NOT NULL,
    address   TEXT NOT NULL,
    user      INTEGER REFERENCES users (id)
) STRICT;
CREATE INDEX validations_of_user ON validations (user) WHERE user IS NOT NULL;
CREATE INDEX validations_of_address ON validations (medium, address);
CREATE INDEX validations_by_end ON validations (forget_at);
