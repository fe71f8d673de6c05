//! The endpoints of the account part of the Client-Server API, one module each: their
//! bodies, the checks of them, and what a call comes to.
//!
//! ```text
//!  client:  EndpointPath ─► method and path     XRequest ─► write ─► body
//!                                                                    │
//!  server:  XResponse ─► write ─► body ◄── decisions ◄── parse ◄─────┘
//!                                  │
//!  client:                         └──► XResponse::parse, or SessionImpact::of for an error
//! ```
//!
//! Client and server use one type for each body. The server's direction of a request is
//! strict: `parse` refuses what the spec or a bound refuses. Of a request that needs
//! authentication it refuses only what can't be read, with a
//! [`ParseError`](crate::wire::ParseError), and `check` the rest: only a [`Checked`] one can
//! be called. Any other request is read and checked at once, with a
//! [`MatrixError`](crate::MatrixError). A client can write what a server of another kind would
//! take. Answers are read tolerantly: what a call doesn't need
//! may be missing, or odd.
//!
//! A body written without `auth` is the `original` that
//! [`client::Request::write`](crate::client::Request::write) repeats.

pub mod appservice;
mod canonical;
mod checked;
pub mod deactivate;
pub mod devices;
pub mod login;
pub mod moderation;
pub mod password;
mod path;
pub mod refresh;
pub mod register;
pub mod signing_keys;
pub mod threepid;
pub mod whoami;

pub use canonical::{CanonicalName, MAX_CANONICAL_LEN};
pub use checked::Checked;
pub use path::{EndpointPath, TokenUse};
