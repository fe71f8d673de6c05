//! What a request comes to, before it is made an answer.

use crate::server::extra::Extra;
use crate::wire::error::MatrixError;
use crate::wire::error::fault::Fault;

/// What is answered once everything is stored.
#[derive(Clone, Copy)]
pub(crate) enum Answer<'r> {
    /// What the host made of the call.
    Performed,
    Challenge {
        show_completed: bool,
        error: Option<Fault>,
        extra: Option<Extra<'r>>,
    },
    Error(MatrixError),
}
