//! A test suite for stores: it tries what every store in a database has to promise.
//!
//! ```text
//!  the store's test ─► suite ─► a fresh store for each scenario ─► commits, loads, sweeps
//!                                   ▲  64 tasks at once, connections cut, times that run out
//!                                TestStore                    │
//!                                                             ▼
//!                                          what the store answers ─► Report, or Broken
//! ```
//!
//! The test of a store implements [`TestStore`], which takes a few lines for each method, and awaits
//! [`suite`] in a runtime of its choosing. The kit needs no runtime: what it does at once, it
//! does in one future.
//!
//! The scenarios that let time pass use short [`Lifetimes`](crate::server::store::Lifetimes), so
//! that a store that goes by the clock of its database can simply wait.

mod bench;
mod contention;
mod cuts;
mod expiry;
mod join;
mod promise;
mod random;
mod reference;
mod room;
mod sessions;
mod store;
mod suite;
mod versions;
mod writes;

pub use promise::{Breach, Broken, Promise, Report};
pub use store::{Effort, Found, TestStore};
pub use suite::suite;
