//! The server's handlers, called without a network.

mod host;
mod interleavings;
mod testkit;
