//! Questions to whoever is there, on standard error: standard output is for the answer alone.

use std::io::{IsTerminal as _, Write as _};

/// Whoever is there.
pub struct Ask;

impl Ask {
    /// One line; `None` if nobody answers.
    pub fn line(&self, question: &str) -> Option<String> {
        say(question);
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).unwrap_or(0);
        (read > 0).then(|| line.trim().to_owned())
    }

    /// The same, unseen. What is no terminal shows nothing anyway.
    pub fn hidden(&self, question: &str) -> Option<String> {
        say(question);
        if std::io::stdin().is_terminal() {
            return rpassword::read_password().ok();
        }
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).unwrap_or(0);
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// No, unless it is clearly yes; `None` if nobody answers.
    pub fn yes(&self, question: &str) -> Option<bool> {
        let answer = self.line(&format!("{question} [y/N] "))?;
        Some(matches!(answer.as_str(), "y" | "Y" | "yes"))
    }
}

fn say(question: &str) {
    let mut out = std::io::stderr();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}
