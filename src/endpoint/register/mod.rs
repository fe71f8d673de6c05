//! [`POST /register`]: names, the checks before and after authentication, the account.
//!
//! ```text
//!  body ─► RegisterRequest ─► check ─► Call ─► exchange: admitted? (is the name free?) ─► Grant
//!                                                                                          │
//!              answer ◄── the host makes the account in one act ◄── NewAccount ◄── plan ◄──┘
//! ```
//!
//! Guests ([`RegisterGuestRequest`]) and application services' users
//! ([`may_register`](crate::endpoint::appservice::may_register)) are made without a guard.
//!
//! An open session reserves no name: whether it is free is asked before the first
//! challenge, and again in the act that makes the account (rule R2).
//!
//! [`POST /register`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register

mod answers;
mod create;
mod guest;
mod name;
mod offer;
mod request;

pub use crate::endpoint::login::{LoginResponse, MAX_DEVICE_TEXT_LEN, NewLogin};
pub use answers::{AvailabilityResponse, TokenValidityResponse};
pub use create::{DeviceText, NewAccount, StoredRegistration};
pub use guest::RegisterGuestRequest;
pub use name::Localpart;
pub use offer::{Kind, Offer, missing_query};
pub use request::{RegisterRequest, Registration};

/// Longest full user ID, in bytes, by the [user identifiers] appendix.
///
/// [user identifiers]: https://spec.matrix.org/v1.19/appendices/#user-identifiers
pub const MAX_USER_ID_LEN: usize = 255;
