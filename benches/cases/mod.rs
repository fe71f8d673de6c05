//! The steps that are measured, on the same bytes for everybody: `peers` takes their time,
//! `instructions` counts what they execute.
//!
//! The server's step: a password-change request with its auth dict comes in, the password is
//! wrong, the 401 with the state goes out. Verifying the password is the host's and takes
//! no time here.
//!
//! - [`server::Ours`]: parse, check, load the session, ask for the verdict, load the session
//!   again, commit, write the 401.
//! - [`ruma::Server`]: the same on `ruma-client-api`'s types, the way homeservers do it: parse
//!   the request, look the `UiaaInfo` up in a map, check the stage, serialise the answer.
//! - [`floor::Server`]: what `serde_json` needs to skip the same bytes (`IgnoredAny`), and a
//!   copy of the answer: no server can do much better while it reads its input at all.
//!
//! The client's step: a 401 comes back for a wrong password, and the same stage is asked
//! for again.
//!
//! - [`client::Ours`]: parse, merge with what is known, choose the flow, make the prompt. The
//!   challenge is the one it has seen before, or it differs from the last one in its flows
//!   and in its params.
//! - [`ruma::Client`]: only parse the same body as a `UiaaInfo`; the rest is each client's own.
//! - [`floor::Client`]: `serde_json` skips the same bytes.

// Each bench uses its part of it.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod bytes;
pub mod client;
pub mod floor;
pub mod ruma;
pub mod server;
