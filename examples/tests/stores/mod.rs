//! Sessions in Redis and PostgreSQL, shared by several processes with one `--data`.

mod down;
mod killed;
mod rounds;
mod shared;

/// One test for each of the databases; skipped, and it is said, where one is not installed.
macro_rules! with_each_database {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        mod redis {
            $($(#[$doc])* #[test] fn $name() {
                let started = crate::support::Database::start(crate::support::Kind::Redis);
                if let Some(database) = started { super::$name(database) }
            })+
        }
        mod postgres {
            $($(#[$doc])* #[test] fn $name() {
                let started = crate::support::Database::start(crate::support::Kind::Postgres);
                if let Some(database) = started { super::$name(database) }
            })+
        }
    };
}
use with_each_database;
