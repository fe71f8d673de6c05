-- Times are milliseconds since 1970. What can be made again from a secret (tokens, client secrets) is kept
-- as its SHA-256 only. What belongs to a device goes with it by foreign key: no token outlives its device.

CREATE TABLE server_key (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    key  BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;

CREATE TABLE users (
    -- AUTOINCREMENT: the key of a user is never given to another.
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    localpart     TEXT NOT NULL UNIQUE,
    -- NULL: there is no password, and nothing typed in is one.
    password_hash TEXT,
    locked        INTEGER NOT NULL DEFAULT 0 CHECK (locked IN (0, 1)),
    suspended     INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    phase         TEXT NOT NULL DEFAULT 'active' CHECK (phase IN ('active', 'deactivating', 'deactivated')),
    erased        INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1)),
    admin         INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
    guest         INTEGER NOT NULL DEFAULT 0 CHECK (guest IN (0, 1)),
    -- Counts what ends everything begun before it: a new password, the fence of a deactivation.
    epoch         INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE threepids (
    medium       TEXT NOT NULL,
    address      TEXT NOT NULL,
    user         INTEGER NOT NULL REFERENCES users (id),
    id_server    TEXT,
    bound        INTEGER NOT NULL CHECK (bound IN (0, 1)),
    validated_at INTEGER NOT NULL,
    added_at     INTEGER NOT NULL,
    PRIMARY KEY (medium, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX threepids_of_user ON threepids (user);

CREATE TABLE devices (
    user         INTEGER NOT NULL REFERENCES users (id),
    device_id    TEXT NOT NULL,
    display_name TEXT,
    created      INTEGER NOT NULL,
    last_seen_ts INTEGER NOT NULL,
    -- The newest generation of tokens that has been used. Older ones are spent.
    generation   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_tokens (
    hash       BLOB PRIMARY KEY,
    user       INTEGER NOT NULL,
    device_id  TEXT NOT NULL,
    generation INTEGER NOT NULL,
    expires_at INTEGER,
    -- When UIA was last completed with this token.
    uia_at     INTEGER,
    FOREIGN KEY (user, device_id) REFERENCES devices ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_of_device ON access_tokens (user, device_id);

CREATE TABLE refresh_tokens (
    hash       BLOB PRIMARY KEY,
    user       INTEGER NOT NULL,
    device_id  TEXT NOT NULL,
    generation INTEGER NOT NULL,
    FOREIGN KEY (user, device_id) REFERENCES devices ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_of_device ON refresh_tokens (user, device_id);

CREATE TABLE login_tokens (
    hash       BLOB PRIMARY KEY,
    user       INTEGER NOT NULL REFERENCES users (id),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_tokens_of_user ON login_tokens (user);
CREATE INDEX login_tokens_by_end ON login_tokens (expires_at);

-- What a whole homeserver would keep of a user. Here it is there to be removed.
CREATE TABLE pushers (
    user      INTEGER NOT NULL,
    name      TEXT NOT NULL,
    data      TEXT NOT NULL,
    device_id TEXT NOT NULL,
    PRIMARY KEY (user, name),
    FOREIGN KEY (user, device_id) REFERENCES devices ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX pushers_of_device ON pushers (user, device_id);
CREATE TABLE key_backups (
    user INTEGER NOT NULL REFERENCES users (id), name TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE account_data (
    user INTEGER NOT NULL REFERENCES users (id), name TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE profiles (
    user INTEGER NOT NULL REFERENCES users (id), name TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE directory (
    user INTEGER NOT NULL REFERENCES users (id), name TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE cross_signing_keys (
    user INTEGER NOT NULL REFERENCES users (id), name TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE uia_sessions (
    id       BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    user     INTEGER REFERENCES users (id),
    -- Whether a stage has passed, which makes it worth more than one where none has.
    passed   INTEGER NOT NULL CHECK (passed IN (0, 1)),
    made_at  INTEGER NOT NULL,
    ends_at  INTEGER NOT NULL,
    session  TEXT NOT NULL,
    kept     TEXT NOT NULL
) STRICT;
CREATE INDEX uia_sessions_by_worth ON uia_sessions (passed, made_at);
CREATE INDEX uia_sessions_by_end ON uia_sessions (ends_at);
CREATE INDEX uia_sessions_of_user ON uia_sessions (user) WHERE user IS NOT NULL;

-- SQLite counts rows by reading them all; the limit is asked for on every insert.
CREATE TABLE uia_session_count (n INTEGER NOT NULL) STRICT;
INSERT INTO uia_session_count VALUES (0);
CREATE TRIGGER uia_session_made AFTER INSERT ON uia_sessions
    BEGIN UPDATE uia_session_count SET n = n + 1; END;
CREATE TRIGGER uia_session_gone AFTER DELETE ON uia_sessions
    BEGIN UPDATE uia_session_count SET n = n - 1; END;

CREATE TABLE deactivations (
    user     INTEGER PRIMARY KEY REFERENCES users (id),
    progress TEXT NOT NULL
) STRICT;

-- How often a registration token was spent. What it allows is the config's to say.
CREATE TABLE registration_token_uses (
    token TEXT PRIMARY KEY,
    spent INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- A use that is promised to a UIA session, and free again when the session ends.
CREATE TABLE registration_token_reservations (
    session BLOB PRIMARY KEY,
    token   TEXT NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX registration_token_reservations_of_token ON registration_token_reservations (token, ends_at);

CREATE TABLE validations (
    sid          TEXT PRIMARY KEY,
    medium       TEXT NOT NULL,
    address      TEXT NOT NULL,
    client_secret BLOB NOT NULL,
    purpose      TEXT NOT NULL,
    -- Who asked, if it was asked with an access token.
    user         INTEGER REFERENCES users (id),
    send_attempt INTEGER NOT NULL,
    next_link    TEXT,
    ends_at      INTEGER NOT NULL,
    validated_at INTEGER,
    -- The one UIA session that it authenticates.
    claimed_by   BLOB
) STRICT, WITHOUT ROWID;
-- One validation for each of these, so that no secret given for one address proves another.
CREATE UNIQUE INDEX validations_by_request
    ON validations (medium, address, client_secret, purpose, ifnull(user, 0));
CREATE INDEX validations_of_user ON validations (user) WHERE user IS NOT NULL;
CREATE INDEX validations_by_end ON validations (ends_at);
