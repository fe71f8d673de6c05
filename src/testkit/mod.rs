//! A test kit for hosts: it drives a host's own handlers and says which duty was forgotten.
//!
//! ```text
//!  the host's test ─► suite ─► a fresh host for each scenario ─► requests, polled by hand
//!                                  ▲   clock, entropy, pauses        │ dropped, interleaved
//!                               Outside                              ▼
//!                                            facts about the host ─► Report, or Forgotten
//! ```
//!
//! The host under test implements [`TestHost`]: how one request is sent to its handlers, and
//! what the kit may ask and change behind their back. [`suite`] then runs whole flows, wrong
//! passwords, parameters left out later, races, a full store, accounts that change between two
//! questions, and drops the future of a request at every point where it waits. A future is
//! polled again only after it was woken, so that "the third wait" means the same in every run.
//!
//! The host takes time and entropy from [`Outside`]. If it also awaits [`Outside::pause`]
//! wherever its database would make it wait, the kit can interleave and drop it there too.
//!
//! A host needs these flows: for a registration, one of `m.login.registration_token` and, if
//! it likes, `m.login.dummy`; for a password change and a deactivation with an access token,
//! `m.login.password`. If `m.login.password` is a flow of theirs without a token, too, the kit
//! goes through it. Whether its session IDs are sealed, they say themselves. It keeps at most [`Outside::SESSIONS`] sessions, by the default
//! [`Rules`](crate::Rules).

pub mod adapter;
mod bench;
mod body;
mod disk;
mod drops;
mod duty;
mod flows;
mod host;
mod losses;
mod outside;
mod races;
mod room;
mod suite;
mod task;
mod tokenless;

pub use duty::{Duty, Forgotten, Report, Violation};
pub use host::{AccountFacts, Answer, Endpoint, Request, TestHost};
pub use outside::{Outside, Pause};
pub use suite::suite;
