//! The progress in a file, so that a call can go on where it was when the program ended.
//!
//! ```text
//!  FILE.new, for its owner alone ─► synced ─► renamed to FILE ─► gone once the call is decided
//! ```
//!
//! It holds the session's ID and the e-mail validation's secret, and no password or token.

use crate::flow::Progress;
use crate::output::End;
use crate::validation::Validation;
use matrix_uia::client::CallName;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const VERSION: u32 = 2;

/// What is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    /// Which call it belongs to: nothing of one is any good for another.
    call: String,
    pub progress: Progress,
    pub validation: Option<Validation>,
}

impl Kept {
    pub fn new(call: String, name: CallName<'_>) -> Self {
        Self { version: VERSION, call, progress: Progress::new(name), validation: None }
    }
}

/// The file, if there is to be one.
#[derive(Debug)]
pub struct File {
    path: Option<PathBuf>,
    written: String,
}

impl File {
    pub fn at(path: Option<&Path>) -> Self {
        Self { path: path.map(Path::to_owned), written: String::new() }
    }

    /// What the file has of that call, or a beginning.
    ///
    /// # Errors
    ///
    /// [`End::Usage`] if it is no such file, or of another call.
    pub fn read(&mut self, call: String, name: CallName<'_>) -> Result<Kept, End> {
        let Some(path) = &self.path else { return Ok(Kept::new(call, name)) };
        let usage = |what: &str| {
            End::Usage(format!("--resume: {}: {what}; give another file, or remove it", path.display()))
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::new(call, name)),
            Err(error) => return Err(usage(&error.to_string())),
        };
        // serde's own words quote what they don't like, and that could be a secret.
        let kept: Kept =
            serde_json::from_str(&text).map_err(|_| usage("not a progress that this program wrote"))?;
        if kept.version != VERSION {
            return Err(usage("written by another version"));
        }
        if kept.call != call || kept.progress.call() != name.as_str() {
            return Err(usage("of another call"));
        }
        Ok(kept)
    }

    /// Writes it, if it has changed.
    ///
    /// # Errors
    ///
    /// [`End::Usage`] if it can't be written.
    pub fn write(&mut self, kept: &Kept) -> Result<(), End> {
        let Some(path) = &self.path else { return Ok(()) };
        let usage = |error: String| End::Usage(format!("--resume: {}: {error}", path.display()));
        let text = serde_json::to_string(kept).map_err(|error| usage(error.to_string()))?;
        if text != self.written {
            replace(path, &text).map_err(|error| usage(error.to_string()))?;
            self.written = text;
        }
        Ok(())
    }

    /// The call is decided: there is nothing to go on with.
    pub fn remove(&self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whole or not at all, and nobody else's to read at any moment.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> CallName<'static> {
        CallName::new("/a").unwrap()
    }

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("matrix-uia-client-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn what_was_written_is_read_and_is_its_owners_alone() {
        let path = scratch("kept");
        let mut file = File::at(Some(&path));
        let mut kept = file.read("reset".to_owned(), name()).unwrap();
        kept.validation = Some(Validation::of("alice@example.org").unwrap());
        file.write(&kept).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let read = File::at(Some(&path)).read("reset".to_owned(), name()).unwrap();
        assert_eq!(read.progress, kept.progress);
        assert_eq!(read.validation.unwrap().request(1), kept.validation.unwrap().request(1));
        assert!(matches!(File::at(Some(&path)).read("register".to_owned(), name()), Err(End::Usage(_))));
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_progress_is_refused_without_a_quotation() {
        for text in ["", "{}", "null", r#"{"version":2,"call":"reset","progress":"hunter2"}"#] {
            let path = scratch("odd");
            fs::write(&path, text).unwrap();
            let Err(End::Usage(line)) = File::at(Some(&path)).read("reset".to_owned(), name()) else {
                panic!("{text}")
            };
            assert!(line.starts_with("--resume: ") && !line.contains("hunter2"), "{line}");
            fs::remove_file(&path).unwrap();
        }
    }
}
