//! What a server has to do about User-Interactive Authentication, once more in plain values,
//! and a host that drives the crate beside it.
//!
//! ```text
//!  events ─► World ─┬─► the crate's exchanges, many at a time ─┐
//!                   │        ▲ the host: accounts, sessions,   ├─► equal, at every question
//!                   │          reservations, records           │
//!                   └─► the model: facts in, decision out ─────┘
//! ```
//!
//! The property tests make events at random, the fuzz target `server_ops` reads them from
//! its input. The model knows no digest, no revision of the store and no JSON. What
//! [`World`] asserts beside it holds whatever the model says: no call is carried out
//! twice, what was reserved is given back or spent once, no claim is left for ever.
//!
//! [`pair`] is something else: a client and a server joined by a bad network, with no
//! model of either.

mod answers;
mod ends;
mod facts;
mod flight;
mod host;
mod judge;
pub mod pair;
mod params;
mod request;
mod seen;
mod session;
mod steps;
mod verify;
mod visit;
mod visited;
mod world;

pub use facts::{OPERATIONS, POLICIES, POLICIES_OF_REGISTRATION, STAGES, Setup, Status};
pub use request::{Admission, Ask, Ending, Form, Named, Request, Said};
pub use visit::{Brings, Visit};
pub use world::{Event, World, run};
