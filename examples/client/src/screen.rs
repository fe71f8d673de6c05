//! How far it is, on standard error: a line of stages, a spinner, a countdown.

use crate::clock;
use matrix_uia::client::{Printable, StageStatus, WaitReason};
use matrix_uia::wire::AuthType;
use matrix_uia::{Text, Timestamp};
use std::io::{IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const TICK: Duration = Duration::from_millis(100);

/// Standard error.
pub struct Screen {
    /// Whether a line can be written over.
    lively: bool,
    stages: String,
    waiting: String,
}

impl Screen {
    pub fn new() -> Self {
        Self { lively: std::io::stderr().is_terminal(), stages: String::new(), waiting: String::new() }
    }

    /// Whether somebody looks at it.
    pub const fn is_lively(&self) -> bool {
        self.lively
    }

    pub fn say(&self, line: &str) {
        eprintln!("{}", printable(line));
    }

    /// Shows where the stages stand, if that has changed.
    pub fn stages<'s>(&mut self, stages: impl Iterator<Item = (AuthType<'s>, StageStatus)>) {
        let line = stage_line(stages);
        if !line.is_empty() && line != self.stages {
            self.say(&line);
            self.stages = line;
        }
    }

    /// Waits until then; `stage` is the one that is next.
    pub fn wait(&mut self, until: Timestamp, why: WaitReason, stage: Option<&str>) {
        let span = Duration::from_millis(until.since(clock::now()).get());
        let words = match why {
            WaitReason::RateLimited => "The server asks to wait",
            WaitReason::NoAnswer => "No answer; trying again",
            _ if stage == Some("m.login.email.identity") => "Waiting for the link to be followed",
            _ => "Waiting for it to be done elsewhere",
        };
        if !self.lively {
            if self.waiting != words {
                self.say(words);
                words.clone_into(&mut self.waiting);
            }
            return sleep(span);
        }
        let (begun, mut err) = (Instant::now(), std::io::stderr());
        for frame in FRAMES.iter().cycle() {
            let Some(left) = span.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { break };
            let seconds = left.as_millis().div_ceil(1_000);
            let countdown =
                if why == WaitReason::Elsewhere { String::new() } else { format!(" {seconds} s") };
            let _ = write!(err, "\r\x1b[K{frame} {words}{countdown}").and_then(|()| err.flush());
            sleep(left.min(TICK));
        }
        let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
    }
}

/// `terms ✓ · registration_token … · dummy`
fn stage_line<'s>(stages: impl Iterator<Item = (AuthType<'s>, StageStatus)>) -> String {
    let word = |(stage, status): (AuthType<'_>, StageStatus)| {
        let name = stage.name().to_string();
        let name = name.strip_prefix("m.login.").unwrap_or(&name);
        match status {
            StageStatus::Completed => format!("{name} ✓"),
            StageStatus::Next => format!("{name} …"),
            _ => name.to_owned(),
        }
    };
    stages.map(word).collect::<Vec<_>>().join(" · ")
}

/// What comes from a server, as a terminal may show it: no control, format or direction character is in it.
pub fn printable(text: &str) -> String {
    Printable(Text::new(text)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_done() {
        let stages = [
            (AuthType::Terms, StageStatus::Completed),
            (AuthType::RegistrationToken, StageStatus::Next),
            (AuthType::custom("org.example.pin"), StageStatus::Later),
            (AuthType::Dummy, StageStatus::Later),
        ];
        assert_eq!(
            stage_line(stages.into_iter()),
            "terms ✓ · registration_token … · org.example.pin · dummy"
        );
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("a\u{1b}[2J\r\nb\u{9b}é"), r"a\u001b[2J\u000d\u000ab\u009bé");
    }
}
