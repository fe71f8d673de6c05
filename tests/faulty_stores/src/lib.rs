//! The crate's growing store behind a lock, and a small store of rows that can be told to break one promise.

mod fault;
mod memory;
mod rows;
mod tables;
mod wait;

pub use fault::Fault;
pub use memory::Memory;
pub use rows::Rows;
pub use wait::block_on;
