-- How many UIA sessions each owner has. SQLite counts rows by reading them, and the bound of an owner is asked for on
-- every insert. Owner 0 is nobody, and has no bound.
CREATE TABLE uia_session_owners (
    owner INTEGER PRIMARY KEY,
    n     INTEGER NOT NULL
) STRICT;
INSERT INTO uia_session_owners SELECT owner, count(*) FROM uia_sessions WHERE owner <> 0 GROUP BY owner;
CREATE TRIGGER uia_session_owned AFTER INSERT ON uia_sessions WHEN NEW.owner <> 0
    BEGIN
        INSERT INTO uia_session_owners (owner, n) VALUES (NEW.owner, 1) ON CONFLICT DO UPDATE SET n = n + 1;
    END;
CREATE TRIGGER uia_session_disowned AFTER DELETE ON uia_sessions WHEN OLD.owner <> 0
    BEGIN
        UPDATE uia_session_owners SET n = n - 1 WHERE owner = OLD.owner;
        DELETE FROM uia_session_owners WHERE owner = OLD.owner AND n = 0;
    END;
