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
//! use matrix_uia::client::{Answer, Call, Client, Next, Progress, Prompt, Received};
//! use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
//! use matrix_uia::{Secret, Timestamp};
//!
//! # let mut replies = [(401, r#"{"flows":[{"stages":["m.login.password"]}],"session":"s"}"#), (200, "{}")].into_iter();
//! # let mut http = |_: &str| replies.next().unwrap();
//! # let now = || Timestamp::from_millis(1_000);
//! let client = Client::new(&[AuthType::Password]);
//! let call = Call::new("password of alice", Raw::parse(r#"{"new_password":"correct horse"}"#)?)?;
//! let mut progress = Progress::<4096>::new(call.name());
//! let result = loop {
//!     let request = match client.next(&mut progress, now()) {
//!         Next::Send(request) => request,
//!         Next::Prompt(Prompt::Password(prompt)) => {
//!             prompt.answer(UserIdentifier::User("alice".into()), Secret::new("wonderland"))
//!         }
//!         other => panic!("wait, open a page, or tell the user: {other:?}"),
//!     };
//!     let (ticket, mut body) = (request.ticket(), String::new());
//!     request.write(&call, &mut body)?;
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

mod call;
mod choice;
mod failure;
mod flight;
mod given;
mod kept;
mod meaning;
mod next;
mod options;
#[cfg(feature = "alloc")]
mod owned;
mod page;
mod params;
mod printable;
mod progress;
mod prompt;
mod recalled;
mod receive;
mod request;
mod settle;
mod state;
mod stored;

pub use crate::endpoint::threepid::Medium;
pub use call::{Call, CallName, MAX_CALL_NAME, Ticket};
pub use failure::{FlowFailure, Missing, StageError};
pub use flight::Flight;
pub use given::{Given, NotAsked};
pub use meaning::{Credential, SessionImpact};
pub use next::{Next, StageStatus, Uncertain};
#[cfg(feature = "alloc")]
pub use options::ClientBuf;
pub use options::{Client, Patience};
#[cfg(feature = "alloc")]
pub use owned::OwnedFailure;
pub use page::Page;
pub use params::{Policy, Terms};
pub use printable::Printable;
pub use progress::Progress;
pub use prompt::{
    CustomPrompt, PasswordPrompt, Prompt, RecaptchaPrompt, RegistrationTokenPrompt, TermsPrompt,
    ThreepidPrompt, TokenRequest,
};
pub use receive::{Answer, Received};
pub use request::{Request, WriteError};
pub use settle::Reply;
pub use state::WaitReason;
