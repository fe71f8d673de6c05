//! Secrets from the environment: a process' arguments are everybody's to read, its environment isn't.

use crate::output::End;

/// A password for the account that a stage asks for, or a new account's.
pub const PASSWORD: &str = "MATRIX_PASSWORD";
/// The password to be set.
pub const NEW_PASSWORD: &str = "MATRIX_NEW_PASSWORD";
/// The login that a call is made with.
pub const ACCESS_TOKEN: &str = "MATRIX_ACCESS_TOKEN";
/// What a login that has run out is renewed with.
pub const REFRESH_TOKEN: &str = "MATRIX_REFRESH_TOKEN";
/// All of them: what no other program is handed on.
pub const ALL: [&str; 4] = [PASSWORD, NEW_PASSWORD, ACCESS_TOKEN, REFRESH_TOKEN];

/// The secret of that name; an empty one is none.
///
/// # Errors
///
/// [`End::Usage`] if it isn't text.
pub fn from_environment(name: &str) -> Result<Option<String>, End> {
    match std::env::var(name) {
        Ok(secret) => Ok(Some(secret).filter(|secret| !secret.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(End::Usage(format!("{name}: not UTF-8; give text"))),
    }
}
