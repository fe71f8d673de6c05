-- UIA sessions are kept under a keyed digest of their ID, and so is what was reserved for them. What stands under
-- an ID itself is found by nobody any more.
DELETE FROM uia_sessions;
DELETE FROM registration_token_reservations;

-- What became of a call: written in the transaction of its effects, so that it is never in doubt whether a session
-- that is kept elsewhere has been used.
CREATE TABLE uia_records (
    session   BLOB PRIMARY KEY,
    outcome   INTEGER NOT NULL,
    -- Whom it was about, and the epoch of the account then.
    user      INTEGER,
    epoch     INTEGER,
    -- What its answer is made of again, should that be lost: JSON.
    result    TEXT NOT NULL,
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uia_records_by_end ON uia_records (forget_at);

-- The epoch of the account when UIA was last completed with this token.
ALTER TABLE access_tokens ADD COLUMN uia_epoch INTEGER;
