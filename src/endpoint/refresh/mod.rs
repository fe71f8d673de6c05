//! [`POST /refresh`]: new tokens for old, and which of a device's tokens are alive.
//!
//! A device's tokens come in generations. A login makes the first; a refresh makes the
//! one after that of the refresh token it was asked with. The newest generation of which
//! any token was *used* is the device's; older ones are spent.
//!
//! ```text
//!            ┌── refresh with n: another pair n+1, in the place of the first ──┐
//!            ▼                                                                 │
//!  login ─► n used ── refresh with n ─► n used, n+1 handed out ────────────────┘
//!            ▲                                    │
//!            └── n := n+1, the old n is spent ────┘ the first use of access or refresh token n+1
//! ```
//!
//! So the old refresh token works until the client has shown that the new pair arrived
//! (rule L4), and however often an answer is lost, it can ask again. There are never two
//! pairs alive beside that of the last use: one that was handed out and never used is
//! replaced. Two of a client's processes may have asked at once, and the one whose pair was
//! replaced must not take its user for logged out: the host remembers that pair, as spent.
//!
//! ```
//! use matrix_uia::endpoint::refresh::{Generation, Presented};
//! let first = Generation::FIRST;         // of the login
//! let second = first.next();             // handed out by a refresh
//! assert_eq!(first.presented(first), Presented::Live, "nobody has used the second yet");
//! assert_eq!(second.presented(first), Presented::FirstUse);
//! assert_eq!(first.presented(second), Presented::Spent);
//! ```
//!
//! [`POST /refresh`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh

mod decide;
mod generation;
mod request;
mod response;

pub use decide::{check_access, decide};
pub use generation::{Generation, Presented};
pub use request::{MAX_REFRESH_TOKEN_LEN, RefreshRequest};
pub use response::RefreshResponse;
