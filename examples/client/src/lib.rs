//! A terminal client for the account part of the Matrix Client-Server API. Which flow, which stage, what is
//! sent next and what an error means: the crate's client decides. What is here asks, sends and prints.
//!
//! ```text
//!  args, environment ─► commands ─► flow ─┬─ http      sends, and hands back what came
//!                                         ├─ ask       asks whoever is there, or nobody
//!                                         ├─ screen    says how far it is, on standard error
//!                                         └─ resume    keeps the progress in a file
//!                           output ◄──────┘            the answer, on standard output
//! ```

mod args;
mod ask;
mod browser;
mod clock;
mod commands;
mod failure;
mod flow;
mod http;
mod language;
mod output;
mod prompts;
mod resume;
mod screen;
mod secrets;
mod shape;
mod validation;

use args::Args;
use std::process::ExitCode;

/// Carries out the command that the command line names, and prints how it ended. The exit status is that of
/// the contract: 0 done, 1 refused by the server, 2 wrong usage, 3 an answer is missing, 4 no network.
#[must_use = "the exit status says how the command ended"]
pub fn run() -> ExitCode {
    let args = Args::from_command_line();
    let outcome = commands::run(&args);
    output::print(&args, &outcome)
}
