//! What is wrong with a database, in words for who runs the server.

use rusqlite::{Error, ErrorCode, ffi};

/// What is wrong, and the mend: one line, whatever of a damaged file SQLite quotes.
pub fn explain(error: &Error) -> String {
    let said: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let Some(sqlite) = error.sqlite_error() else {
        return if is_of_a_row(error) {
            format!("a row of it can't be read ({said}); restore it from a backup, or mend the row")
        } else {
            format!("this program misused it ({said}); report it")
        };
    };
    let (wrong, mend) = match sqlite.code {
        // The index of the journal found no room to grow, which is an error of its own.
        _ if is_full(error) => ("the disk is full", "make room"),
        ErrorCode::NotADatabase => ("it is no database", "give another directory, or move the file away"),
        ErrorCode::DatabaseCorrupt => ("it is damaged", "restore it from a backup"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            ("another program has locked it", "end that program")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => ("it can't be written", WRITABLE),
        ErrorCode::SystemIoFailure => {
            ("reading or writing it failed", "see to the disk, and whether it is full")
        }
        _ => return format!("{said}; {WRITABLE}"),
    };
    format!("{wrong} ({said}); {mend}")
}

/// Whether there was no room on the disk.
pub fn is_full(error: &Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}

/// Whether it is the trouble of one row, which holds what this program can't read, and not that of the whole database.
pub const fn is_of_a_row(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}

const WRITABLE: &str = "give a directory that this server may write to";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_named_in_one_line() {
        for (code, named) in [
            (ffi::SQLITE_FULL, "the disk is full ("),
            (ffi::SQLITE_IOERR_SHMSIZE, "the disk is full ("),
            (ffi::SQLITE_IOERR_READ, "reading or writing it failed ("),
            (ffi::SQLITE_CORRUPT, "it is damaged ("),
            (ffi::SQLITE_NOTADB, "it is no database ("),
            (ffi::SQLITE_BUSY_RECOVERY, "another program has locked it ("),
            (ffi::SQLITE_READONLY_DIRECTORY, "it can't be written ("),
        ] {
            let quoted = "malformed schema\n\u{1b}[2J(users)".to_owned();
            let line = explain(&Error::SqliteFailure(ffi::Error::new(code), Some(quoted)));
            assert!(line.starts_with(named) && !line.contains(char::is_control), "{code}: {line}");
        }
    }

    #[test]
    fn lesson_109_a_row_that_cannot_be_read_is_no_directory_that_cannot_be_written() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let read =
            |value: &str| connection.query_row(&format!("SELECT {value}"), [], |row| row.get::<_, u64>(0));
        for value in ["-1", "'gar'", "NULL"] {
            let error = read(value).unwrap_err();
            assert!(is_of_a_row(&error), "{value}");
            let line = explain(&error);
            assert!(
                line.starts_with("a row of it can't be read (") && !line.contains("may write to"),
                "{line}"
            );
        }
        let closed = Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), None);
        assert!(!is_of_a_row(&closed) && explain(&closed).ends_with("may write to"));
        let misused = explain(&Error::InvalidParameterCount(1, 2));
        assert!(
            misused.starts_with("this program misused it (") && misused.ends_with("report it"),
            "{misused}"
        );
    }
}
