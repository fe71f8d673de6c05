//! The server as its clients see it, in this process: with a clock that is set, and a database that fails.

mod appservices;
mod claims;
mod disk;
mod flood;
mod forms;
mod guests;
mod interleavings;
mod kit;
mod limits;
mod messages;
mod rows;
mod starts;
mod time;
mod tokens;
mod world;
