//! The command line.

use clap::{Args as Group, Parser, Subcommand};
use std::path::PathBuf;

/// A client for the account part of the Matrix Client-Server API.
///
/// Secrets are asked for, or come from the environment: MATRIX_PASSWORD, MATRIX_NEW_PASSWORD and
/// MATRIX_ACCESS_TOKEN. With MATRIX_REFRESH_TOKEN too, an access token that has expired is renewed once, and the
/// new pair printed with the answer. Exit status: 0 done, 1 the server said no, 2 wrong usage, 3 an answer is
/// missing, 4 no network.
#[derive(Debug, Parser)]
#[command(name = "client", version)]
pub struct Args {
    /// The homeserver's base URL, such as <https://matrix.example.org>
    #[arg(long, value_name = "URL", global = true)]
    homeserver: Option<String>,

    /// Print one line of JSON: the answer's body, or {"error": …}
    #[arg(long, global = true)]
    pub json: bool,

    /// Ask nothing
    #[arg(long, global = true)]
    pub non_interactive: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an account
    Register(Register),
    /// Log in
    Login(Login),
    /// Trade a refresh token for a new access token
    Refresh(Refresh),
    /// Whose the access token is
    Whoami,
    /// List the devices
    Devices,
    /// End the access token's device
    Logout,
    /// End all devices
    LogoutAll,
    /// Change the password
    Password(Password),
    /// Set a new password by an e-mail, without the old one
    Reset(Reset),
    /// End the account
    Deactivate(Deactivate),
    /// End some devices
    DeleteDevices(DeleteDevices),
}

#[derive(Debug, Group)]
pub struct Register {
    /// The name asked for
    #[arg(long, value_name = "NAME")]
    pub user: String,
    /// An address to prove, where the server wants one
    #[arg(long, value_name = "ADDR")]
    pub email: Option<String>,
    /// The token that the server's administrator gave out
    #[arg(long, value_name = "T")]
    pub registration_token: Option<String>,
    /// Accept the server's terms
    #[arg(long)]
    pub accept_terms: bool,
    #[command(flatten)]
    pub device: Device,
    #[command(flatten)]
    pub resume: Resume,
}

#[derive(Debug, Group)]
pub struct Login {
    #[command(flatten)]
    pub with: LoginWith,
    #[command(flatten)]
    pub device: Device,
}

/// One of them, and only one.
#[derive(Debug, Group)]
#[group(required = true, multiple = false)]
pub struct LoginWith {
    /// Log in by name and password
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Log in by e-mail address and password
    #[arg(long, value_name = "ADDR")]
    pub email: Option<String>,
    /// Log in by a login token
    #[arg(long, value_name = "T")]
    pub token: Option<String>,
}

#[derive(Debug, Group)]
pub struct Device {
    /// The device to log in on; without it the server names one
    #[arg(long, value_name = "ID")]
    pub device_id: Option<String>,
    /// Take a refresh token as well
    #[arg(long)]
    pub refresh: bool,
}

#[derive(Debug, Group)]
pub struct Resume {
    /// Keep the progress in FILE, and go on from there
    #[arg(long = "resume", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub struct Refresh {
    /// The refresh token
    #[arg(long, value_name = "T")]
    pub refresh_token: String,
}

#[derive(Debug, Group)]
pub struct Password {
    #[command(flatten)]
    pub who: Who,
    /// Leave the other devices logged in
    #[arg(long)]
    pub keep_devices: bool,
}

#[derive(Debug, Group)]
pub struct Reset {
    /// The account's address
    #[arg(long, value_name = "ADDR")]
    pub email: String,
    /// Leave the devices logged in
    #[arg(long)]
    pub keep_devices: bool,
    #[command(flatten)]
    pub resume: Resume,
}

#[derive(Debug, Group)]
pub struct Deactivate {
    #[command(flatten)]
    pub who: Who,
    /// Erase what was written as far as possible
    #[arg(long)]
    pub erase: bool,
    /// The identity server to take the addresses off
    #[arg(long, value_name = "HOST")]
    pub id_server: Option<String>,
}

#[derive(Debug, Group)]
pub struct DeleteDevices {
    /// The devices' IDs
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    #[command(flatten)]
    pub who: Who,
}

#[derive(Debug, Group)]
pub struct Who {
    /// Whose password is asked for
    #[arg(long, value_name = "NAME")]
    pub user: String,
    #[command(flatten)]
    pub resume: Resume,
}

impl Args {
    /// Wrong usage, `--help` and `--version` are answered here and end the process.
    pub fn from_command_line() -> Self {
        Self::parse()
    }

    /// The base URL.
    ///
    /// # Errors
    ///
    /// One line that names the flag and the mend.
    pub fn homeserver(&self) -> Result<&str, String> {
        let url = self
            .homeserver
            .as_deref()
            .ok_or("--homeserver: not given; give a URL such as https://matrix.example.org")?;
        let mend = || "--homeserver: not a base URL; give one such as https://matrix.example.org".to_owned();
        let parsed: ureq::http::Uri = url.parse().map_err(|_| mend())?;
        let is_web = matches!(parsed.scheme_str(), Some("http" | "https"));
        let is_base = parsed.authority().is_some_and(|host| !host.as_str().contains('@'))
            && parsed.query().is_none()
            && !url.contains('#');
        if is_web && is_base { Ok(url.trim_end_matches('/')) } else { Err(mend()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::error::ErrorKind> {
        Args::try_parse_from(std::iter::once("client").chain(line.split(' '))).map_err(|error| error.kind())
    }

    #[test]
    fn the_contracts_lines_are_taken() {
        for line in [
            "--homeserver http://h --json --non-interactive register --user neo --email a@b --registration-token t \
             --accept-terms --device-id D --refresh",
            "--homeserver http://h login --user alice --device-id D --refresh",
            "--homeserver http://h login --email a@b",
            "--homeserver http://h login --token t",
            "--homeserver http://h refresh --refresh-token t",
            "--homeserver http://h whoami",
            "devices --homeserver http://h --json",
            "--homeserver http://h logout",
            "--homeserver http://h logout-all",
            "--homeserver http://h password --user alice --keep-devices",
            "--homeserver http://h reset --email a@b --keep-devices --resume f",
            "--homeserver http://h deactivate --user alice --erase --id-server id.example.org",
            "--homeserver http://h delete-devices A B --user alice",
        ] {
            let args = parse(line).unwrap_or_else(|kind| panic!("{line}: {kind}"));
            assert_eq!(args.homeserver(), Ok("http://h"), "{line}");
        }
    }

    #[test]
    fn help_names_every_variable_of_the_environment() {
        use crate::secrets::{ACCESS_TOKEN, NEW_PASSWORD, PASSWORD, REFRESH_TOKEN};
        let help = <Args as clap::CommandFactory>::command().render_long_help().to_string();
        for variable in [PASSWORD, NEW_PASSWORD, ACCESS_TOKEN, REFRESH_TOKEN] {
            assert!(help.contains(variable), "{variable}: {help}");
        }
    }

    #[test]
    fn anything_else_is_wrong_usage() {
        for line in [
            "--homeserver http://h",
            "--homeserver http://h fly",
            "register",
            "login",
            "login --user a --token t",
            "login --user a --email a@b",
            "refresh",
            "password",
            "reset",
            "deactivate",
            "delete-devices --user alice",
            "delete-devices A",
            "whoami now",
            "whoami --password hunter2",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_base_url_is_one() {
        for (url, taken) in [
            ("https://matrix.example.org", true),
            ("http://127.0.0.1:8008/", true),
            ("https://example.org/matrix/", true),
            ("matrix.example.org", false),
            ("file:///etc/passwd", false),
            ("https://", false),
            ("https://alice:wonderland@example.org", false),
            ("https://example.org/?a", false),
            ("https://example.org/#a", false),
        ] {
            let args = parse(&format!("--homeserver {url} whoami")).unwrap();
            assert_eq!(args.homeserver().is_ok(), taken, "{url}");
        }
        assert!(parse("whoami").unwrap().homeserver().is_err());
    }
}
