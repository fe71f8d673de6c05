//! Why a config is refused, in one line for the person who wrote it.

use std::fmt;

/// Names the field, what is wrong with it and the mend. Never shows a value that may be a secret.
#[derive(Debug)]
pub struct ConfigError {
    field: String,
    wrong: String,
    mend: String,
}

impl ConfigError {
    pub fn new(field: impl Into<String>, wrong: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { field: field.into(), wrong: wrong.into(), mend: mend.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, wrong, mend } = self;
        let line = format!("config: {field}: {wrong}; {mend}");
        // A key or a path may hold a line break, and this is one line.
        line.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => write!(f, "{c}"),
        })
    }
}

impl std::error::Error for ConfigError {}
