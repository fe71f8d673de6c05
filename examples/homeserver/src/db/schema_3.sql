-- UIA sessions are kept under a keyed digest of their ID, and so is what was reserved for them. What stands under
-- an ID itself is found by nobody any more.
DELETE FROM registration_token_reservations;
DROP TABLE uia_sessions;
CREATE TABLE uia_sessions (
    id       BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    user     INTEGER REFERENCES users (id),
    -- Against whose bound it counts; 0: nobody's.
    owner    INTEGER NOT NULL,
    -- What is lost when it is evicted: 0 nothing, 1 something for its owner, 2 it must not be.
    worth    INTEGER NOT NULL CHECK (worth IN (0, 1, 2)),
    made_at  INTEGER NOT NULL,
    ends_at  INTEGER NOT NULL,
    session  TEXT NOT NULL,
    kept     TEXT NOT NULL
) STRICT;
CREATE INDEX uia_sessions_by_worth ON uia_sessions (worth, made_at);
CREATE INDEX uia_sessions_of_owner ON uia_sessions (owner, worth, made_at);
CREATE INDEX uia_sessions_by_end ON uia_sessions (ends_at);
CREATE INDEX uia_sessions_of_user ON uia_sessions (user) WHERE user IS NOT NULL;
UPDATE uia_session_count SET n = 0;
CREATE TRIGGER uia_session_made AFTER INSERT ON uia_sessions
    BEGIN UPDATE uia_session_count SET n = n + 1; END;
CREATE TRIGGER uia_session_gone AFTER DELETE ON uia_sessions
    BEGIN UPDATE uia_session_count SET n = n - 1; END;

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
