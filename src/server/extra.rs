//! What a stage of several requests says to the client.

use core::fmt;

use crate::wire::json::{Raw, write_others};

/// The keys of a stage that takes another request, for the 401 body.
///
/// Those that say how the session stands (`flows`, `params`, `session`, `completed`,
/// `errcode` and `error`) are left out: nobody else says that.
///
/// ```
/// use matrix_uia::server::{reference::Reference, verdict::{Extra, Verdict}};
/// use matrix_uia::wire::Raw;
/// let extra = Extra::from(Raw::parse(r#"{"challenge":"9f"}"#)?);
/// let verdict = Verdict::Continue { extra, reference: Reference::new(7) };
/// # let _ = verdict;
/// # Ok::<(), matrix_uia::wire::ParseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Extra<'r> {
    object: Raw<'r>,
    // It comes with the value: what never makes one has no code that writes one.
    write: fn(Raw<'_>, &mut Piece<'_>) -> fmt::Result,
}

/// Where each piece of text goes.
type Piece<'p> = dyn FnMut(&str) -> fmt::Result + 'p;

/// What says how a session stands.
const OURS: [&str; 6] = ["flows", "params", "session", "completed", "errcode", "error"];

impl Extra<'_> {
    /// Writes each key and its value, with a comma before it.
    pub(super) fn write(&self, piece: &mut Piece<'_>) -> fmt::Result {
        (self.write)(self.object, piece)
    }
}

/// A JSON object; of anything else nothing is written.
impl<'r> From<Raw<'r>> for Extra<'r> {
    fn from(object: Raw<'r>) -> Self {
        Self { object, write: |object, piece| write_others(&mut Sink(piece), object, &OURS) }
    }
}

struct Sink<'p, 'w>(&'p mut Piece<'w>);

impl fmt::Write for Sink<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        (self.0)(text)
    }
}

/// It may hold what only the client is to see.
impl fmt::Debug for Extra<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extra([redacted])")
    }
}
