-- Several processes may start at once: one after the other makes what is not there.
SELECT pg_advisory_xact_lock(21830);

-- Ranks: 0 has proved nothing, 1 something, 2 claimed, 3 consumed. `due`: when an open one is over; `ends`: when this one is.
CREATE TABLE IF NOT EXISTS uia_sessions (
    id bytea PRIMARY KEY, serial bigint GENERATED ALWAYS AS IDENTITY, revision bigint NOT NULL, owner bigint NOT NULL,
    rank int NOT NULL, due timestamptz NOT NULL, ends timestamptz NOT NULL, session text NOT NULL, kept text NOT NULL);
-- Every session ends, and no index may ask for the time: the sweep's is of all of them. Those that say who makes room are
-- partial: of sessions that have proved nothing, and of those that somebody owns.
CREATE INDEX IF NOT EXISTS uia_sessions_ends ON uia_sessions (ends);
CREATE INDEX IF NOT EXISTS uia_sessions_free ON uia_sessions (serial) WHERE rank = 0;
CREATE INDEX IF NOT EXISTS uia_sessions_own ON uia_sessions (owner, rank, serial) WHERE owner <> 0;

-- How many there are, in 64 parts: a transaction locks the one of its own connection, and none waits for another.
CREATE TABLE IF NOT EXISTS uia_count (part int PRIMARY KEY, n bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
INSERT INTO uia_count (part) SELECT generate_series(0, 63) ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION uia_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE many bigint := (SELECT count(*) FROM changed);
BEGIN
    IF many > 0 THEN
        UPDATE uia_count SET n = n + CASE TG_OP WHEN 'INSERT' THEN many ELSE -many END WHERE part = pg_backend_pid() % 64;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER uia_in AFTER INSERT ON uia_sessions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION uia_counted();
CREATE OR REPLACE TRIGGER uia_out AFTER DELETE ON uia_sessions REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION uia_counted();

-- A whole commit in one statement: `leaving` is removed, `key` is put, or nothing happens. NULL: there is none.
CREATE OR REPLACE FUNCTION uia_commit(
    leaving bytea, leaving_at bigint, key bytea, expected bigint, next bigint, next_rank int, left_ms bigint, life_ms bigint,
    value text, keeps text, whose bigint, most bigint, most_each bigint,
    OUT outcome text, OUT wait_ms bigint, OUT gone bytea, OUT gone_session text
) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    t timestamptz := clock_timestamp();
    own boolean;
BEGIN
    outcome := 'lost';
    IF leaving IS NOT NULL THEN
        PERFORM FROM uia_sessions s WHERE s.id = leaving AND s.revision = leaving_at FOR UPDATE;
        IF NOT FOUND THEN RETURN; END IF;
    END IF;
    IF expected IS NOT NULL THEN
        UPDATE uia_sessions s SET revision = next, rank = next_rank, session = value, kept = coalesce(keeps, s.kept),
            ends = CASE WHEN next_rank = 2 THEN s.due + life_ms * interval '1 ms' WHEN next_rank < 2 THEN s.due
                        WHEN s.rank = 3 THEN s.ends ELSE t + left_ms * interval '1 ms' END
        WHERE s.id = key AND s.revision = expected;
        IF NOT FOUND THEN RETURN; END IF;
    ELSIF key IS NOT NULL THEN
        INSERT INTO uia_sessions (id, revision, owner, rank, due, ends, session, kept)
        VALUES (key, next, whose, next_rank, t + left_ms * interval '1 ms', t + left_ms * interval '1 ms', value, coalesce(keeps, ''))
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN RETURN; END IF;
        -- New sessions of one owner wait for each other, so that the owner's bound is exact.
        IF whose <> 0 THEN PERFORM pg_advisory_xact_lock(21829, hashint8(whose)); END IF;
        own := whose <> 0 AND (SELECT count(*) FROM uia_sessions s WHERE s.owner = whose) > most_each;
        IF own OR (SELECT sum(c.n) FROM uia_count c) > most THEN
            IF NOT own THEN
                SELECT s.id INTO gone FROM uia_sessions s WHERE s.ends <= t AND s.id <> key ORDER BY s.ends LIMIT 1 FOR UPDATE SKIP LOCKED;
                IF gone IS NULL THEN
                    SELECT s.id INTO gone FROM uia_sessions s WHERE s.rank = 0 AND s.id <> key ORDER BY s.serial LIMIT 1 FOR UPDATE SKIP LOCKED;
                END IF;
            END IF;
            IF gone IS NULL AND whose <> 0 THEN
                SELECT s.id INTO gone FROM uia_sessions s WHERE s.owner = whose AND s.id <> key AND (s.ends <= t OR s.rank < 2)
                ORDER BY s.ends > t, s.rank, s.serial LIMIT 1 FOR UPDATE SKIP LOCKED;
            END IF;
            IF gone IS NULL THEN
                DELETE FROM uia_sessions s WHERE s.id = key;
                SELECT coalesce(greatest(1, ceil(extract(epoch FROM min(s.ends) - t) * 1000)), 1) INTO wait_ms
                FROM uia_sessions s WHERE s.owner = whose OR NOT own;
                outcome := 'full';
                RETURN;
            END IF;
            DELETE FROM uia_sessions s WHERE s.id = gone RETURNING s.session INTO gone_session;
        END IF;
    END IF;
    DELETE FROM uia_sessions s WHERE s.id = leaving;
    IF gone = leaving THEN gone := NULL; END IF;
    outcome := 'stored';
END $$;
