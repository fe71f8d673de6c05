//! What is wrong with a database, in words for who runs the server.

use rusqlite::{Error, ErrorCode, ffi};

/// What is wrong, and the mend: one line, whatever of a damaged file SQLite quotes.
pub fn explain(error: &Error) -> String {
    let said: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let Some(sqlite) = error.sqlite_error() else { return format!("{said}; {WRITABLE}") };
    let (wrong, mend) = match sqlite.code {
        ErrorCode::NotADatabase => ("it is no database", "give another directory, or move the file away"),
        ErrorCode::DatabaseCorrupt => ("it is damaged", "restore it from a backup"),
        ErrorCode::DiskFull => FULL,
        // The index of the journal found no room to grow.
        ErrorCode::SystemIoFailure if sqlite.extended_code == ffi::SQLITE_IOERR_SHMSIZE => FULL,
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

const FULL: (&str, &str) = ("the disk is full", "make room");
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
}
