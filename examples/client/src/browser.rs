//! The system's browser.

use crate::secrets;
use std::process::Stdio;

/// The page's address has the session in it, and is all that the browser is told: no secret of the environment.
pub fn open(url: &str) {
    for mut command in open::commands(url) {
        for secret in secrets::ALL {
            command.env_remove(secret);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.spawn().is_ok() {
            return;
        }
    }
}
