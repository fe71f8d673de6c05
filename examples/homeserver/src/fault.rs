//! Crash injection for tests: `MATRIX_UIA_FAULT=after:N` kills the process at the Nth [`point`] it reaches.
//!
//! Points stand between effects that must survive a crash. A test runs the server once for every N,
//! restarts it without the variable, and looks whether what was begun is finished. Only builds with
//! `debug_assertions` have it; in a release build the variable means nothing and a point is no code.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const VARIABLE: &str = "MATRIX_UIA_FAULT";

static LEFT: OnceLock<AtomicU64> = OnceLock::new();

/// Reads the variable. Called once, before anything that has points in it.
///
/// # Errors
///
/// A value that isn't `after:N`, as a line for the person who set it.
pub fn arm() -> Result<(), String> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    let Some(value) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let count = value.to_str().and_then(|text| text.strip_prefix("after:")?.parse().ok());
    match count {
        Some(count @ 1..) => {
            LEFT.get_or_init(|| AtomicU64::new(count));
            Ok(())
        }
        _ => Err(format!("{VARIABLE}: not of the form `after:N`; N is 1 for the first point")),
    }
}

/// A place where a crash must do no harm.
pub fn point(name: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let Some(left) = LEFT.get() else { return };
    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
        eprintln!("fault: dying at `{name}`");
        // No destructor runs and nothing is flushed: for the file system this is `kill -9`.
        std::process::abort();
    }
}

#[cfg(test)]
#[cfg(debug_assertions)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs `victim` in a process of its own, and returns how it ended and what it said.
    fn run_victim(value: &str) -> (bool, String) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fault::tests::victim", "--ignored", "--nocapture"])
            .env(VARIABLE, value)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    #[ignore = "the process that the other tests kill"]
    fn victim() {
        if let Err(line) = arm() {
            eprintln!("{line}");
        }
        for name in ["first", "second", "third"] {
            point(name);
        }
        eprintln!("survived");
    }

    #[test]
    fn the_nth_point_is_the_last() {
        for (value, last) in [("after:1", "first"), ("after:3", "third")] {
            let (ended_well, said) = run_victim(value);
            assert!(!ended_well && said.contains(&format!("dying at `{last}`")), "{said}");
        }
        assert!(run_victim("after:4").1.contains("survived"));
    }

    #[test]
    fn a_value_of_another_form_is_refused() {
        for value in ["", "3", "after:", "after:0", "after:-1", "after:x"] {
            assert!(run_victim(value).1.contains("not of the form"), "{value}");
        }
    }
}
