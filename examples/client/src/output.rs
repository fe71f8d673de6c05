//! How it ends: on standard output, and in the exit status.
//!
//! ```text
//!  Ok(body) ─► 0   Refused ─► 1   Usage ─► 2   Missing ─► 3   Network ─► 4
//! ```

use crate::args::{Args, Command};
use crate::screen::printable;
use matrix_uia::client::{SessionImpact, StageError};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::ExitCode;

/// How it ends when it doesn't succeed.
#[derive(Debug)]
pub enum End {
    /// The server said no.
    Refused { status: Option<u16>, errcode: Option<String>, error: Option<String>, meaning: SessionImpact },
    /// The command line or the environment is at fault.
    Usage(String),
    /// These stages, or variables of the environment, would have to be answered.
    Missing(Vec<String>),
    /// No answer came.
    Network(String),
    /// It ended so after the tokens were renewed: nobody else has the new ones.
    Renewed { end: Box<Self>, renewed: Value },
}

impl End {
    pub fn refused(status: u16, error: Option<StageError<'_>>, meaning: SessionImpact) -> Self {
        let code = error.and_then(|error| error.code);
        let words = error.and_then(|error| error.message);
        Self::Refused {
            status: Some(status),
            errcode: code.map(|code| code.name().to_string()),
            error: words.map(|words| words.to_string()),
            meaning,
        }
    }

    pub fn missing(what: impl Into<String>) -> Self {
        Self::Missing(vec![what.into()])
    }

    const fn exit_status(&self) -> u8 {
        match self {
            Self::Refused { .. } => 1,
            Self::Usage(_) => 2,
            Self::Missing(_) => 3,
            Self::Network(_) => 4,
            Self::Renewed { end, .. } => end.exit_status(),
        }
    }

    fn json(&self) -> Option<Value> {
        let error = match self {
            Self::Refused { status, errcode, error, meaning } => {
                json!({ "status": status, "errcode": errcode, "error": error, "meaning": name_of(*meaning) })
            }
            Self::Missing(missing) => json!({ "meaning": "no_flow", "missing": missing }),
            Self::Network(error) => {
                json!({ "status": null, "errcode": null, "error": error, "meaning": "network" })
            }
            Self::Renewed { end, renewed } => {
                let mut line = end.json().unwrap_or_else(|| json!({}));
                if let Some(line) = line.as_object_mut() {
                    line.insert("refreshed".to_owned(), renewed.clone());
                }
                return Some(line);
            }
            // There was no call that this could be the answer to.
            Self::Usage(_) => return None,
        };
        Some(json!({ "error": error }))
    }

    fn words(&self) -> String {
        match self {
            Self::Refused { status, errcode, error, meaning } => {
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                let code = printable(errcode.as_deref().unwrap_or("no Matrix error"));
                let words =
                    error.as_deref().map(|words| format!(": {}", printable(words))).unwrap_or_default();
                format!("The server says no: {status}{code}{words}{}", advice(*meaning))
            }
            Self::Usage(line) => line.clone(),
            Self::Missing(missing) if missing.is_empty() => "The server offers no way to do this.".to_owned(),
            Self::Missing(missing) => format!("This needs an answer: {}", printable(&missing.join(", "))),
            Self::Network(error) => format!("No answer: {}", printable(error)),
            Self::Renewed { end, renewed } => {
                format!(
                    "{}\nThe tokens were renewed before: {}",
                    end.words(),
                    printable(&renewed.to_string())
                )
            }
        }
    }
}

fn name_of(meaning: SessionImpact) -> &'static str {
    match meaning {
        // No refresh token was given, or it has been tried: the program never leaves it at that.
        SessionImpact::Refresh | SessionImpact::SoftLogout => "soft_logout",
        SessionImpact::Gone => "gone",
        SessionImpact::Locked => "locked",
        SessionImpact::Suspended => "suspended",
        SessionImpact::Deactivated => "deactivated",
        SessionImpact::RateLimited(_) => "rate_limited",
        _ => "keep",
    }
}

fn advice(meaning: SessionImpact) -> String {
    match meaning {
        SessionImpact::Refresh | SessionImpact::SoftLogout => {
            "\nRefresh the token, or log in again on the same device.".to_owned()
        }
        SessionImpact::Gone => "\nThis login is over; log in again.".to_owned(),
        SessionImpact::Locked => "\nThe account is locked; keep the token, and try again later.".to_owned(),
        SessionImpact::Suspended => {
            "\nThe account is suspended; the login is good, this action is not.".to_owned()
        }
        SessionImpact::Deactivated => "\nThe account is no more.".to_owned(),
        SessionImpact::RateLimited(Some(wait)) => format!("\nTry again in {} s.", wait.get().div_ceil(1_000)),
        SessionImpact::RateLimited(None) => "\nTry again later.".to_owned(),
        _ => String::new(),
    }
}

/// Prints it.
pub fn print(args: &Args, outcome: &Result<Value, End>) -> ExitCode {
    let (line, status) = match outcome {
        Ok(body) if args.json => (Some(printable(&body.to_string())), 0),
        Ok(body) => (Some(words(&args.command, body)), 0),
        Err(end) => {
            let line = end.json().filter(|_| args.json).map(|error| printable(&error.to_string()));
            if line.is_none() {
                eprintln!("{}", end.words());
            }
            (line, end.exit_status())
        }
    };
    // In JSON as well it is escaped as JSON escapes it, which such a character only needs inside of a string.
    // Whoever reads it may have gone: what was done is done.
    if let Some(line) = line {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    ExitCode::from(status)
}

/// The answer for people. Tokens are in it: they are what was asked for.
fn words(command: &Command, body: &Value) -> String {
    let done = match command {
        Command::Devices => return devices(body),
        Command::Logout => "Logged out.",
        Command::LogoutAll => "Logged out everywhere.",
        Command::Password(_) | Command::Reset(_) => "The new password is set.",
        Command::Deactivate(_) => "The account is no more.",
        Command::DeleteDevices(_) => "The devices are no more.",
        _ => "",
    };
    let keys = body.as_object().into_iter().flatten();
    let lines = keys.map(|(key, value)| format!("{:<14} {}", printable(key), plain(value)));
    let done = (!done.is_empty()).then(|| done.to_owned());
    done.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

fn devices(body: &Value) -> String {
    let devices = body.get("devices").and_then(Value::as_array).into_iter().flatten();
    let line = |device: &Value| {
        let text = |key| device.get(key).map(plain).unwrap_or_default();
        format!("{:<14} {}", text("device_id"), text("display_name")).trim_end().to_owned()
    };
    devices.map(line).collect::<Vec<_>>().join("\n")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matrix_uia::Millis;

    #[test]
    fn every_meaning_has_its_name() {
        for (meaning, name) in [
            (SessionImpact::Keep, "keep"),
            (SessionImpact::SoftLogout, "soft_logout"),
            (SessionImpact::Gone, "gone"),
            (SessionImpact::Locked, "locked"),
            (SessionImpact::Suspended, "suspended"),
            (SessionImpact::Deactivated, "deactivated"),
            (SessionImpact::RateLimited(Some(Millis::new(1))), "rate_limited"),
        ] {
            let end = End::Refused { status: Some(403), errcode: None, error: None, meaning };
            assert_eq!(end.json().unwrap()["error"]["meaning"], name);
            assert_eq!(end.exit_status(), 1);
        }
    }

    #[test]
    fn the_lines_are_the_contracts() {
        let missing = End::missing("m.login.terms");
        let line = r#"{"error":{"meaning":"no_flow","missing":["m.login.terms"]}}"#;
        assert_eq!((missing.json().unwrap().to_string().as_str(), missing.exit_status()), (line, 3));
        let network = End::Network("refused".to_owned());
        assert_eq!(network.json().unwrap()["error"]["meaning"], "network");
        assert_eq!(network.exit_status(), 4);
        let usage = End::Usage("no".to_owned());
        assert!(usage.json().is_none() && usage.exit_status() == 2);
    }

    #[test]
    fn what_a_server_says_moves_no_cursor() {
        let body = json!({ "devices": [{ "device_id": "A", "display_name": "\u{1b}[2Jgone" }, { "device_id": "B" }] });
        assert_eq!(devices(&body), "A              \\u001b[2Jgone\nB");
    }
}
