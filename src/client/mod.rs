//! The client's side of one authentication: what the application does next, and what
//! the server's answer changes.
//!
//! ```text
//!                        ┌──────────────── 401 with flows ◄─────────────┐
//!                        ▼                                              │
//!  Progress ─► next ─┬─ Send ──────────────────────► the server ─► receive ─► Done, Failed
//!      ▲             ├─ Prompt ── answer ─────────────▲   ▲  │
//!      │             ├─ Page ──── opened ─► Wait ─────┘   │  │ no answer, 429
//!      │             ├─ RequestToken ─ sent ─► Wait ──────┘  ▼
//!      │             └─ Wait ◄──────────────────────────── back off
//!      └── serialise it after every step, and go on from there after a restart
//! ```
//!
//! - [`Progress`] is the value between two steps: the last challenge, and where the flow
//!   stands. It holds no credential; only the session's ID, which is redacted.
//! - [`Client::next`] says what is to be done now. It can be asked at any time, and says
//!   the same again until something has happened.
//! - A credential leaves only by the `answer` of a [`Prompt`], and a prompt is only ever
//!   for the next stage of a flow that the server offers. So nothing is sent unasked, and
//!   nothing that wasn't advertised.
//! - [`Client::receive`] takes what came back. One request is on its way at a time: until
//!   its answer, or [`no_answer`](Client::no_answer), there is no other.
//!
//! # The loop
//!
//! ```
//! use matrix_uia::client::{Answer, Client, Next, Progress, Prompt, Received};
//! use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
//! use matrix_uia::{Secret, Timestamp};
//!
//! # let mut replies = [(401, r#"{"flows":[{"stages":["m.login.password"]}],"session":"s"}"#), (200, "{}")].into_iter();
//! # let mut http = |_: &str| replies.next().unwrap();
//! # let now = || Timestamp::from_millis(1_000);
//! let client = Client::new(&[AuthType::Password]);
//! let original = Raw::parse(r#"{"new_password":"correct horse"}"#)?;
//! let mut progress = Progress::<4096>::new();
//! let result = loop {
//!     let request = match client.next(&mut progress, now()) {
//!         Next::Send(request) => request,
//!         Next::Prompt(Prompt::Password(prompt)) => {
//!             prompt.answer(UserIdentifier::User("alice".into()), Secret::new("wonderland"))
//!         }
//!         other => panic!("wait, open a page, or tell the user: {other:?}"),
//!     };
//!     let (ticket, mut body) = (request.ticket(), String::new());
//!     request.write(original, &mut body)?;
//!     let (status, answer) = http(&body);
//!     let answer = Answer::new(status, answer.as_bytes());
//!     if let Received::Result(body) = client.receive(&mut progress, ticket, answer, now()) {
//!         break body.to_vec();
//!     }
//! };
//! assert_eq!(result, b"{}");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The rules that "rule C4" refers to are in [the manual](crate::_manual::_06_rules). See
//! [User-Interactive Authentication](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api).

mod choice;
mod failure;
mod kept;
mod next;
mod options;
mod page;
mod params;
mod prompt;
mod receive;
mod request;
mod state;
mod stored;

pub use crate::endpoint::threepid::Medium;
pub use failure::{FlowFailure, Missing, SessionImpact, StageError};
pub use next::{Next, StageStatus, Uncertain};
pub use options::{Client, Patience};
pub use page::Page;
pub use params::{Policy, Terms};
pub use prompt::{
    CustomPrompt, PasswordPrompt, Prompt, RecaptchaPrompt, RegistrationTokenPrompt, TermsPrompt,
    ThreepidPrompt, TokenRequest,
};
pub use receive::{Answer, Received};
pub use request::Request;
pub use state::{Ticket, WaitReason};

use core::fmt;

use kept::Kept;
use state::{Ended, State};

/// How far an authentication has come: what the application stores between two steps.
///
/// `N` bounds, in bytes, what of a challenge is kept: its flows, params, completed stages
/// and session. 4096 is ample but for terms in many languages. A longer one ends the flow
/// with [`FlowFailure::TooLarge`].
///
/// It serialises with any format of `serde`. Store it after every step, before the
/// request that came of it is sent: a value that was read back asks the server how things
/// stand, if a request was on its way.
///
/// ```
/// use matrix_uia::client::{Client, Next, Progress};
/// use matrix_uia::Timestamp;
/// let client = Client::new(&[]);
/// let mut progress = Progress::<4096>::new();
/// // The first request has no `auth`:
/// assert!(matches!(client.next(&mut progress, Timestamp::from_millis(0)), Next::Send(_)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Progress<const N: usize = 4096> {
    kept: Kept<N>,
    state: State,
}

impl<const N: usize> Progress<N> {
    /// Nothing has been sent yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { kept: Kept::new(), state: State::new() }
    }

    /// That the application has an address to give for the stages that prove one: flows
    /// with such a stage are possible now, and preferred.
    pub fn address_given(&mut self, medium: Medium) {
        self.with_address(medium, true);
    }

    /// That it hasn't, or not any more.
    pub fn address_withdrawn(&mut self, medium: Medium) {
        self.with_address(medium, false);
    }

    fn with_address(&mut self, medium: Medium, has_address: bool) {
        let validation = self.state.validation(medium);
        if validation.has_address != has_address {
            validation.has_address = has_address;
            self.state.flow = None;
            self.state.touched();
        }
    }

    /// That a stage has been completed elsewhere, as far as anybody here can tell: the
    /// server is asked at once. Only its answer counts (a page's `onAuthDone` is a hint).
    pub fn stage_completed_elsewhere(&mut self) {
        self.state.touched();
        if self.state.pause.is_some_and(|pause| pause.why == WaitReason::Elsewhere) {
            self.state.pause = None;
        }
    }

    /// Ends the flow; nothing is sent any more.
    pub fn cancel(&mut self) {
        if !self.state.is_over() {
            self.state.end(Ended::Cancelled);
        }
    }

    /// What the server said when it last refused a stage, or the whole call.
    #[must_use]
    pub fn error(&self) -> Option<StageError<'_>> {
        StageError::of(&self.kept.challenge())
    }

    /// Whether the flow has ended, one way or the other.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.state.is_over()
    }
}

impl<const N: usize> Default for Progress<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The session is a capability, and params are anybody's text: neither is shown.
impl<const N: usize> fmt::Debug for Progress<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept: _, state } = self;
        f.debug_struct("Progress").field("state", state).finish_non_exhaustive()
    }
}
