//! The tables, and how a file of an older version gets them.

use rusqlite::{Connection, ErrorCode, TransactionBehavior, ffi};

/// What brings a database from version N to N + 1, from version 0, an empty file, on.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// Runs the migrations that are still to come, in one transaction: a crash leaves the old version whole,
/// and of two processes that start at once the second finds nothing left to do.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: usize = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = MIGRATIONS.get(version..) else {
        let error = ffi::Error { code: ErrorCode::CannotOpen, extended_code: ffi::SQLITE_CANTOPEN };
        return Err(rusqlite::Error::SqliteFailure(
            error,
            Some(format!("it was written by a newer version of this program (schema {version})")),
        ));
    };
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
    }

    #[test]
    fn a_file_of_the_first_version_keeps_its_accounts_and_gets_the_rest() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection.execute("INSERT INTO users (localpart) VALUES ('alice')", []).unwrap();
        migrate(&mut connection).unwrap();
        let columns = |table: &str| -> Vec<String> {
            let mut rows =
                connection.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert!(columns("devices").contains(&"last_seen_ip".to_owned()));
        assert!(columns("access_tokens").contains(&"replaced".to_owned()));
        assert!(columns("validations").contains(&"identity".to_owned()));
        let names: u64 = connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
        assert_eq!(names, 1);
    }

    #[test]
    fn lesson_78_a_key_in_the_database_and_what_followed_from_it_end_and_logins_go_on() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..3] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", 3).unwrap();
        let old = "INSERT INTO server_key (only, key) VALUES (1, zeroblob(32));
            INSERT INTO users (id, localpart, password_hash) VALUES (1, 'alice', 'hash');
            INSERT INTO devices (user, device_id, created, last_seen_ts) VALUES (1, 'PHONE', 0, 0);
            INSERT INTO access_tokens (hash, user, device_id, generation) VALUES (x'00', 1, 'PHONE', 0);
            INSERT INTO deactivations (user, progress) VALUES (1, 'begun');
            INSERT INTO validations (sid, identity, value, forget_at, medium, address)
                VALUES ('sid', x'00', '{}', 9, 'email', 'a@b');
            INSERT INTO uia_sessions (id, revision, owner, worth, made_at, ends_at, session, kept)
                VALUES (x'00', 0, 0, 0, 0, 9, '{}', '');";
        connection.execute_batch(old).unwrap();
        migrate(&mut connection).unwrap();
        let count = |query: &str| -> u64 {
            connection.query_row(&format!("SELECT count(*) FROM {query}"), [], |row| row.get(0)).unwrap()
        };
        for (kept, expected) in [
            ("access_tokens JOIN devices USING (user, device_id) JOIN users ON id = user", 1),
            ("deactivations WHERE forget_at IS NULL", 1),
            ("validations", 0),
            ("uia_sessions", 0),
            ("uia_session_count WHERE n = 0", 1),
            ("sqlite_schema WHERE name = 'server_key'", 0),
        ] {
            assert_eq!(count(kept), expected, "{kept}");
        }
    }

    #[test]
    fn the_sessions_of_each_owner_are_counted_when_the_count_begins() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..4] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", 4).unwrap();
        let row = "INSERT INTO uia_sessions (id, revision, owner, worth, made_at, ends_at, session, kept)";
        for (id, owner) in [(1, 7), (2, 7), (3, 0), (4, -9)] {
            connection
                .execute(&format!("{row} VALUES (x'0{id}', 0, {owner}, 0, 0, 9, '{{}}', '')"), [])
                .unwrap();
        }
        migrate(&mut connection).unwrap();
        let mut counts =
            connection.prepare("SELECT owner, n FROM uia_session_owners ORDER BY owner").unwrap();
        let counts = counts.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(counts.collect::<Result<Vec<(i64, u64)>, _>>().unwrap(), [(-9, 1), (7, 2)]);
    }

    #[test]
    fn a_newer_schema_is_refused_in_words() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection).unwrap_err().to_string();
        assert!(error.contains("newer version"), "{error}");
    }
}
