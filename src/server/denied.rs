//! A granted call that was refused all the same.

use crate::MatrixError;
use crate::server::session::{Receipt, Redeemed};

/// The call can't be carried out, for a reason that is not authentication: the error to
/// send, and the session to be given back, which stays complete.
#[derive(Debug)]
#[must_use = "store its write, then send its error"]
pub struct Denied {
    reject: MatrixError,
    redeemed: Redeemed,
}

impl Denied {
    /// Refused for a reason of the host's: the same request may come again.
    pub fn new(reject: MatrixError, receipt: Receipt) -> Self {
        Self { reject, redeemed: receipt.failed() }
    }

    /// Refused for its parameters: the client may send others, which are bound anew.
    pub fn for_params(reject: MatrixError, receipt: Receipt) -> Self {
        Self { reject, redeemed: receipt.refused_for_params() }
    }

    /// The error to send.
    pub const fn reject(&self) -> MatrixError {
        self.reject
    }

    /// The session as it is to be stored.
    pub const fn redeemed(&self) -> &Redeemed {
        &self.redeemed
    }
}
