//! What a `requestToken` may answer.

use super::address::Threepid;
use super::purpose::Purpose;
use crate::wire::error::{ErrorCode, MatrixError};

/// What is sent to the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a message nobody sends has to break the build")]
pub enum Delivery {
    /// The token.
    Token,
    /// A notice that says why there is no token: nobody here has this address, or somebody
    /// has it already. The answer to who asked looks like the other's.
    Notice,
}

/// Who has the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "there is no fourth case")]
pub enum Owner {
    /// No account.
    Nobody,
    /// The account whose access token the request carries.
    Requester,
    /// Another account.
    Another,
}

/// What the host knows about a `requestToken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a fact nobody looks up has to break the build")]
pub struct TokenRequestContext {
    /// What the token is for.
    pub purpose: Purpose,
    /// Who has the address.
    pub owner: Owner,
    /// Whether the server allows the address, such as its domain.
    pub allowed: bool,
    /// Whether the request's `id_server` is trusted; true if it names none.
    pub trusted: bool,
    /// Whether there is a way to send to that medium.
    pub sendable: bool,
    /// Whether it is kept from who asks which addresses have an account (lesson 31).
    pub hide_existence: bool,
}

impl TokenRequestContext {
    /// What to send (rule P7).
    ///
    /// What holds for every address comes first, so that it tells nothing about one.
    ///
    /// # Errors
    ///
    /// 400 `M_SERVER_NOT_TRUSTED`; 403 `M_THREEPID_DENIED`; 400
    /// `M_THREEPID_MEDIUM_NOT_SUPPORTED` if there is no way to send; 400
    /// `M_THREEPID_NOT_FOUND` if a password is to be reset and nobody has the address;
    /// 400 `M_THREEPID_IN_USE` if an address is to be taken that somebody has. Of an
    /// address of one's own that is no secret, and said even where existence is hidden.
    pub const fn decide(self) -> Result<Delivery, MatrixError> {
        if !self.trusted {
            return Err(MatrixError::new(
                ErrorCode::ServerNotTrusted,
                "This identity server is not trusted here.",
            ));
        }
        if !self.allowed {
            return Err(MatrixError::new(
                ErrorCode::ThreepidDenied,
                "This address is not allowed on this server.",
            ));
        }
        if !self.sendable {
            return Err(MatrixError::new(
                ErrorCode::ThreepidMediumNotSupported,
                "This server has no way to send to such an address.",
            ));
        }
        match (self.purpose, self.owner) {
            (Purpose::Reset, Owner::Requester | Owner::Another)
            | (Purpose::Register | Purpose::Add, Owner::Nobody) => Ok(Delivery::Token),
            (Purpose::Register | Purpose::Add, Owner::Requester) => Err(Threepid::in_use()),
            _ if self.hide_existence => Ok(Delivery::Notice),
            (Purpose::Reset, Owner::Nobody) => Err(Threepid::not_found()),
            (Purpose::Register | Purpose::Add, Owner::Another) => Err(Threepid::in_use()),
        }
    }
}
