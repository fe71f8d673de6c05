//! A small host in memory, of both kinds, that can be told to forget one duty.

mod db;
mod fault;
mod handlers;
mod host;
mod transaction;

pub use fault::Fault;
pub use host::MemoryHost;
