//! The command line.

use crate::store_url::StoreUrl;
use clap::Parser;
use clap::error::{ContextKind, ErrorKind};
use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A homeserver that speaks the account part of the Matrix Client-Server API, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "homeserver", version)]
struct Flags {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8008", value_parser = listen)]
    listen: SocketAddr,

    /// The config file (JSON); without it the server is `localhost`, with a user alice in wonderland
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Keep everything in DIR/homeserver.sqlite instead of in memory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Where UIA sessions live: memory, sqlite, redis://HOST:PORT[/DB] or postgres://USER@HOST:PORT/NAME [default:
    /// memory, or sqlite with --data]
    #[arg(long, value_name = "URL")]
    sessions: Option<Sessions>,
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Args {
    pub listen: SocketAddr,
    pub config: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub sessions: Sessions,
}

/// Where UIA sessions live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sessions {
    /// In the crate's own store; lost with the process.
    Memory,
    /// In the database, beside the accounts.
    Sqlite,
    /// In a database that any number of servers with the same data share.
    Redis(StoreUrl),
    Postgres(StoreUrl),
}

impl Args {
    /// # Errors
    ///
    /// One line that names the flag and the mend. `--help` and `--version` are answered here and end the
    /// process.
    pub fn from_command_line() -> Result<Self, String> {
        Flags::try_parse().map(Self::from).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => one_line(&error),
        })
    }
}

impl From<Flags> for Args {
    fn from(flags: Flags) -> Self {
        let Flags { listen, config, data, sessions } = flags;
        let sessions = sessions.unwrap_or(if data.is_some() { Sessions::Sqlite } else { Sessions::Memory });
        Self { listen, config, data, sessions }
    }
}

impl FromStr for Sessions {
    type Err = &'static str;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url {
            "memory" => Ok(Self::Memory),
            "sqlite" => Ok(Self::Sqlite),
            _ if url.starts_with("redis:") => StoreUrl::redis(url).map(Self::Redis),
            _ if url.starts_with("postgres:") => StoreUrl::postgres(url).map(Self::Postgres),
            _ => {
                Err("no such store; use memory, sqlite, redis://HOST:PORT or postgres://USER@HOST:PORT/NAME")
            }
        }
    }
}

fn listen(address: &str) -> Result<SocketAddr, &'static str> {
    address.parse().map_err(|_| "not an IP address and port; give one such as 127.0.0.1:8008")
}

/// clap explains over several lines, with the values it was given. Here the flag and the mend are enough,
/// and a value may hold a password (`redis://:password@host`).
fn one_line(error: &clap::Error) -> String {
    // "--listen <ADDR>", of which the flag is the first word.
    let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let flag = argument.split_whitespace().next().unwrap_or("command line");
    match error.kind() {
        // Somebody else's text: a line break in it must not make two lines.
        ErrorKind::UnknownArgument if flag.starts_with('-') => {
            format!("{}: no such flag; --help lists them", argument.escape_debug())
        }
        ErrorKind::UnknownArgument => "command line: takes flags only; --help lists them".to_owned(),
        ErrorKind::ArgumentConflict => format!("{flag}: given twice; give it once"),
        ErrorKind::InvalidUtf8 => "command line: not UTF-8; --help lists the flags".to_owned(),
        _ => match error.source() {
            Some(reason) => format!("{flag}: {reason}"),
            None => format!("{flag}: has no value; --help shows what it takes"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Args, String> {
        let line = std::iter::once("homeserver").chain(flags.iter().copied());
        Flags::try_parse_from(line).map(Args::from).map_err(|error| one_line(&error))
    }

    #[test]
    fn without_flags_everything_is_in_memory() {
        let args = parse(&[]).unwrap();
        let listen = "127.0.0.1:8008".parse().unwrap();
        assert_eq!(args, Args { listen, config: None, data: None, sessions: Sessions::Memory });
    }

    #[test]
    fn sessions_follow_the_data_unless_told_otherwise() {
        assert_eq!(parse(&["--data", "d"]).unwrap().sessions, Sessions::Sqlite);
        assert_eq!(parse(&["--data", "d", "--sessions", "memory"]).unwrap().sessions, Sessions::Memory);
        assert_eq!(parse(&["--sessions=sqlite"]).unwrap().sessions, Sessions::Sqlite);
    }

    #[test]
    fn a_bad_flag_is_one_line_with_its_name_and_the_mend() {
        for (flags, line) in [
            (
                &["--listen", "here"][..],
                "--listen: not an IP address and port; give one such as 127.0.0.1:8008",
            ),
            (&["--listen"], "--listen: has no value; --help shows what it takes"),
            (&["--listen", "--data", "d"], "--listen: has no value; --help shows what it takes"),
            (
                &["--sessions", "redis://:hunter2@localhost"],
                "--sessions: redis is given as redis://HOST:PORT, or as redis://HOST:PORT/DB",
            ),
            (
                &["--sessions", "postgres://alice:hunter2@localhost/uia"],
                "--sessions: postgres is given as postgres://USER@HOST:PORT/NAME",
            ),
            (
                &["--sessions", "hunter2"],
                "--sessions: no such store; use memory, sqlite, redis://HOST:PORT or postgres://USER@HOST:PORT/NAME",
            ),
            (&["--colour"], "--colour: no such flag; --help lists them"),
            (&["--a\nb"], "--a\\nb: no such flag; --help lists them"),
            (&["alice"], "command line: takes flags only; --help lists them"),
            (&["--data", "a", "--data", "b"], "--data: given twice; give it once"),
            (&["--config="], "--config: has no value; --help shows what it takes"),
        ] {
            assert_eq!(parse(flags).unwrap_err(), line);
        }
    }
}
