//! Third-party identifiers: e-mail addresses and phone numbers, their validation, adding
//! and removing them, and what they authenticate.
//!
//! ```text
//!  requestToken ─► RequestTokenRequest ─► TokenRequestContext::decide ─► Delivery
//!                                                                    │
//!      ┌──────────────────── Validation::request ◄───────────────────┘
//!      ▼
//!    Sent ── submit: the right token ──► Validated ── claim ──► Claimed by one UIA session
//!    │  ▲                                    │
//!    └──┘ a wrong token: counted             └── Addition::bind ──► Binding: used up
//!         a higher send_attempt: sent again
//!
//!  Sent, Validated ── the lifetime passes, or too many wrong tokens ──► over
//! ```
//!
//! A [`Validation`] is found again by everything that its request was about: medium,
//! address, client secret, purpose and requester. The same secret with another address is
//! another validation (lesson 61). What a host needs beside it: a way to send, the `sid`s
//! (opaque identifiers that nobody can guess) and the tokens, of which the value keeps a
//! digest. Only proofs that the host's own validations gave count; what an identity server
//! says about an address is never asked (lesson 29).

mod add;
mod address;
mod authority;
mod check;
mod claim;
mod delete;
mod domain;
mod email;
mod key;
mod list;
mod purpose;
mod request;
mod response;
mod rules;
mod sending;
mod stored;
mod submit;
mod token;
mod trimmed;
mod validation;

pub use add::{AddThreepidRequest, Addition, Binding, StoredAddition};
pub use address::{Medium, Threepid};
pub use authority::{AddressAuthority, Authorised, MAX_AUTHORISED};
pub use check::{MAX_NEXT_LINK_LEN, MAX_SECRET_LEN};
pub use claim::{ClaimBy, Claimant, Claimed};
pub use delete::{DeleteThreepidRequest, DeleteThreepidResponse};
pub use domain::{Domain, MAX_DOMAIN_LEN};
pub use email::MAX_ADDRESS_LEN;
pub use key::TokenRequestKey;
pub use list::{ListedThreepid, ThreepidsResponse};
pub use purpose::Purpose;
pub use request::{GivenAddress, RequestTokenRequest};
pub use response::RequestTokenResponse;
pub use rules::ValidationRules;
pub use sending::{Delivery, Owner, TokenRequestContext};
pub use submit::{SubmitTokenRequest, SubmitTokenResponse};
pub use token::{Requested, Submitted};
pub use validation::Validation;
