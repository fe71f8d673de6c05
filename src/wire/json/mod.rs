//! The one JSON codec of the crate: a pull reader that borrows, and a writer over
//! [`fmt::Write`].
//!
//! The same code serves with and without a heap, so the two cannot differ. It is
//! stricter than most: duplicate keys, lone surrogates, trailing bytes and nesting
//! deeper than [`MAX_DEPTH`] are refused, because two readers that disagree about a
//! body are how a request authorised as one thing is carried out as another.
//!
//! ```text
//!  bytes ─► read ─► Reader ─► Text, Raw, numbers ─► ObjectWriter ─► any sink
//!                     └─ scan: where a string, a number, white space ends
//! ```

mod items;
mod limits;
mod raw;
mod read;
mod reader;
mod scan;
mod span;
mod table;
mod walk;
mod write;

pub(crate) use items::{Items, Members};
pub use limits::{MAX_DEPTH, MAX_OPEN_KEYS};
pub use raw::Raw;
pub(crate) use read::{read, walk};
pub(crate) use reader::Reader;
pub(crate) use span::Span;
pub(crate) use table::{Key, Kind, Table, table};
pub(crate) use write::{ObjectWriter, write_members, write_others, write_text};
