//! The progress in a file: it holds the session's ID, and no password or token.
//!
//! It is small, and written without an `await`. `tokio::fs` does its work on another thread, where a write whose
//! future is dropped goes on: it could end after a later one, and leave the file as it was before that.

use crate::Error;
use matrix_uia::client::{CallName, Progress};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

/// Where the progress of one call is kept, until that is decided.
pub struct File {
    path: PathBuf,
}

impl File {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// What it has of that call, or a beginning.
    pub(crate) fn read(&self, call: CallName<'_>) -> Result<Progress, Error> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Progress::new(call)),
            Err(error) => return Err(error.into()),
        };
        // serde's own words quote what they don't like, and that could be the session's ID.
        let progress: Progress = serde_json::from_slice(&text).map_err(|_| "not a stored progress")?;
        if progress.call() != call.as_str() {
            return Err(format!("it is the progress of another call: {}", progress.call()).into());
        }
        Ok(progress)
    }

    /// Writes it, whole or not at all, for the file's owner alone.
    pub(crate) fn write(&self, progress: &Progress) -> Result<(), Error> {
        let text = serde_json::to_vec(progress)?;
        let new = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        Ok(fs::rename(&new, &self.path)?)
    }

    /// The call is decided: there is nothing to go on with.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
