//! What is wrong with a database, in words for who runs the server.

use rusqlite::{Error, ErrorCode};

/// What is wrong, and the mend.
pub fn explain(error: &Error) -> String {
    let Some(code) = error.sqlite_error_code() else { return format!("{error}; {WRITABLE}") };
    let (wrong, mend) = match code {
        ErrorCode::NotADatabase => ("it is no database", "give another directory, or move the file away"),
        ErrorCode::DatabaseCorrupt => ("it is damaged", "restore it from a backup"),
        ErrorCode::DiskFull => ("the disk is full", "make room"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            ("another program has locked it", "end that program")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => ("it can't be written", WRITABLE),
        ErrorCode::SystemIoFailure => {
            ("reading or writing it failed", "see to the disk, and whether it is full")
        }
        _ => return format!("{error}; {WRITABLE}"),
    };
    format!("{wrong} ({error}); {mend}")
}

const WRITABLE: &str = "give a directory that this server may write to";
