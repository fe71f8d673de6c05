//! Matrix [User-Interactive Authentication] as a sans-IO state machine: **bytes and facts
//! go in, bytes and requests for facts come out, and nothing else happens.**
//!
//! Some calls of the Matrix Client-Server API need more than an access token: changing the
//! password, deactivating the account, registering one. The server answers 401 with
//! *flows*, lists of *stages*; the client sends the call again with proof for one stage
//! after the other, until a flow is whole. This crate is both halves of that, and the
//! server's of the endpoints that use it: what was asked, what has been proved, what may
//! happen now, in which order, and what to answer; and for a client, which flow, which
//! stage, what to send next, and what an error means.
//!
//! # The loop
//!
//! ```text
//!  request ─► Request::parse ─► check ─► call ──┐
//!  store   ─► the session, if the call names one├─► Guard::receive ─► Step
//!  host    ─► entropy for a new ID, the time ───┘                      │
//!                                                                      ▼
//!  Challenge  store its write, send its 401
//!  Verify     a question: look it up, resolve it with a Verdict, apply ─► Step
//!  Grant      store its write; the grant lets the operation happen ─► effects ─► receipt
//!  Replay     the call has succeeded before: send its result again
//!  MatrixError     store its write, send its error
//! ```
//!
//! Every step that changes something says so in a [`Write`](session::Write), which is
//! carried out as «replace if the revision is still N». Whoever loses that race reads the
//! session again and takes the step again: of any number of requests one wins.
//!
//! # One program
//!
//! Without a heap, as on a microcontroller. The front page of the repository has the same
//! with a growing store, for a server with many threads.
//!
//! ```
//! use matrix_uia::server::operation::{ChangePassword, Reference, Subject, UserRef};
//! use matrix_uia::endpoint::password::{self, ChangePasswordRequest, Effect};
//! use matrix_uia::server::session::{Check, StageFailure, Proof, Verdict};
//! use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
//! use matrix_uia::{BindingKey, Flows, Guard, Rules, SessionId, Step, Timestamp};
//!
//! // Once, at the start.
//! let mut buffer = [0; 128];
//! let flows = Flows::<ChangePassword>::in_buffer([["m.login.password"]], None, &mut buffer)?;
//! let rules = Rules::default();
//! let key = BindingKey::from_entropy([7; 16]); // from the host's generator
//! let mut store = FixedStore::<(), 8>::new(Lifetimes::of(&rules));
//!
//! // A request comes in, with the access token of alice.
//! let alice = UserRef::new(1);
//! let body = br#"{"new_password":"correct horse","auth":{
//!     "type":"m.login.password","user":"alice","password":"wonderland"}}"#;
//! let request = ChangePasswordRequest::parse(body)?;
//! let call = request.call(&key, Some(Subject::new(alice, 0)));
//! let now = Timestamp::from_millis(1_000);
//! let fresh = SessionId::from_entropy([1; 24]); // from the host's generator
//! let load = |store: &FixedStore<(), 8>, id| store.load(&id).map(|found| found.session.clone());
//!
//! // What is to be looked up?
//! let stored = call.session_id().and_then(|id| load(&store, id));
//! let step = Guard::new(&flows, &rules).receive(call, stored, fresh, now);
//! let Step::Verify(question) = step else { unreachable!("a stage is attempted") };
//! let verdict = match question.check() {
//!     Check::Password { password, .. } if password.expose() == "wonderland" => Verdict::Passed(Proof::User(alice)),
//!     _ => Verdict::Failed(StageFailure::Credentials),
//! };
//!
//! // Answer it, to the session as it is by now.
//! let resolved = question.resolve(verdict);
//! let step = resolved.apply(load(&store, resolved.session_id()), fresh, now);
//! let Step::Grant(claim) = step else { unreachable!("the only stage has passed") };
//! let _ = store.apply(claim.write(), None, now)?;
//!
//! // The grant is proof; what to do comes back as data.
//! let change = password::change(claim.assume_stored(), &request, None).map_err(|denied| denied.reject().message())?;
//! assert_eq!(change.effects().next(), Some(Effect::SetPassword));
//! let ended = change.receipt().succeeded(Reference::new(0), now);
//! let _ = store.apply(ended.write(), None, now)?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # The client's loop
//!
//! ```text
//!                        ┌─────────────── 401 with flows ◄────────────┐
//!                        ▼                                            │
//!  Progress ─► next ─┬─ Send ────────────────────► the server ─► receive ─► Result, Failed
//!                    ├─ Prompt   ask, answer ───────▲
//!                    ├─ Page     open it, then poll │
//!                    └─ Wait     until then         │
//! ```
//!
//! A [`Progress`](client::Progress) is the client's session: a plain value to be stored
//! between two steps. [`Client::next`](client::Client::next) reads off it what to do;
//! credentials leave only as the answer to a prompt. The whole loop is in [`client`].
//!
//! # Where to look for what
//!
//! | module | what it is about |
//! | --- | --- |
//! | [`session`] | the stored value, the transition, questions and verdicts, grants |
//! | [`flows`] | the policy: which stages, checked when it is built |
//! | [`operation`] | which call a session is for, and who makes it; your own calls |
//! | [`store`] | keeping sessions: without a heap, or growing to a limit |
//! | [`client`] | the client's side: the stored value, what to do next, the calls and their answers |
//! | [`password`], [`deactivation`], [`registration`], [`login`], [`refresh`], [`devices`], [`signing_keys`] | an endpoint each: its request, its checks, its effects |
//! | [`threepid`] | e-mail addresses and phone numbers: validating, adding, removing them |
//! | [`fallback`] | the web pages for what a client can't do itself |
//! | [`account`] | active, locked, suspended, deactivated: who may do what, and who may change that |
//! | [`appservice`] | what an application service may do by its token |
//! | [`error`] | error codes, statuses, the error body |
//! | [`wire`] | what crosses HTTP, and the one JSON codec |
//! | [`digest`] | what a session remembers of a request's parameters |
//! | [`_manual`] | why it is built so, the threat model, lessons, peers, notes on the spec, and the rules that «rule U5» refers to |
//!
//! # Features
//!
//! - **`alloc`** (default): what owns its text, such as `SecretBuf` and the policy of
//!   `Flows::new`, and what grows, the `HashedStore`. It needs a global allocator and no
//!   operating system.
//! - **`ruma`**: conversions from and to the types of `ruma-client-api` 0.25, in the module
//!   `ruma`. It brings `alloc`, and `std`, which ruma needs.
//!
//! Without them everything else is there: the codec, the transition, every endpoint and the
//! [`FixedStore`](store::FixedStore). A feature only ever adds; none changes what another
//! item does.
//!
//! # Limits
//!
//! | what | bound | beyond it |
//! | --- | --- | --- |
//! | a session, in memory | 192 bytes | |
//! | what a client keeps of a challenge | the `N` of its [`Progress`](client::Progress) | [`StageFailure::TooLarge`](client::StageFailure::TooLarge) |
//! | flows, stages of a flow, different stages | [`MAX_FLOWS`](flows::MAX_FLOWS), [`MAX_STAGES`](flows::MAX_STAGES), [`MAX_TYPES`](flows::MAX_TYPES) | [`PolicyError`] |
//! | name of a stage | [`MAX_AUTH_TYPE_LEN`](wire::MAX_AUTH_TYPE_LEN) bytes | [`PolicyError`] |
//! | nesting, and keys open at once | [`MAX_DEPTH`](wire::MAX_DEPTH), [`MAX_OPEN_KEYS`](wire::MAX_OPEN_KEYS) | [`ParseError`](wire::ParseError) |
//! | a password | [`MAX_PASSWORD_LEN`](wire::MAX_PASSWORD_LEN) bytes | `M_INVALID_PARAM` |
//! | a user ID | [`MAX_USER_ID_LEN`](registration::MAX_USER_ID_LEN) bytes | `M_INVALID_USERNAME` |
//! | a device's ID or name | [`MAX_DEVICE_TEXT_LEN`](registration::MAX_DEVICE_TEXT_LEN) bytes | `M_INVALID_PARAM` |
//! | a login or refresh token | [`MAX_LOGIN_TOKEN_LEN`](login::MAX_LOGIN_TOKEN_LEN), [`MAX_REFRESH_TOKEN_LEN`](refresh::MAX_REFRESH_TOKEN_LEN) bytes | `M_INVALID_PARAM`; `M_UNKNOWN_TOKEN` |
//! | a cross-signing key | [`MAX_SIGNING_KEY_LEN`](signing_keys::MAX_SIGNING_KEY_LEN) bytes | `M_INVALID_PARAM` |
//! | an identity server's name | [`MAX_ID_SERVER_LEN`](deactivation::MAX_ID_SERVER_LEN) bytes | `M_INVALID_PARAM` |
//! | a 3PID's address, in canonical form | [`MAX_ADDRESS_LEN`](threepid::MAX_ADDRESS_LEN) bytes | `M_INVALID_PARAM` |
//! | a validation's `sid`, client secret or token | [`MAX_SECRET_LEN`](threepid::MAX_SECRET_LEN) bytes | `M_INVALID_PARAM` |
//! | a validation's `next_link` | [`MAX_NEXT_LINK_LEN`](threepid::MAX_NEXT_LINK_LEN) bytes | `M_INVALID_PARAM` |
//! | fields of a page's form | [`MAX_FIELDS`](fallback::MAX_FIELDS) | [`FormError`](fallback::FormError) |
//! | life, and wrong tokens, of a validation | [`ValidationRules`](threepid::ValidationRules) | `M_SESSION_EXPIRED` |
//! | life, and failed attempts, of a session | [`Rules`] | a new session; 429 |
//! | sessions of a store | its capacity | [`NotStored::Full`](store::NotStored::Full) |
//!
//! # Panics
//!
//! Never, on any input. Arithmetic, indexing, `unwrap` and `expect` that could are refused
//! by lints in the whole of the crate, and every entry point is fuzzed.
//!
//! # Lowest Rust version
//!
//! The `rust-version` of `Cargo.toml`. Raising it is a change of the second version number,
//! and in the changelog.
//!
//! # What it does not do
//!
//! - **IO of any kind**: no HTTP, no database, no clock, no random numbers, no log.
//! - **Hashing passwords**, asking a captcha's service, sending e-mails: those are the
//!   [questions](session::Check) it asks.
//! - **Counting attempts per user or address**: it says [which counter](session::LimitKey),
//!   the host keeps it.
//! - **Bounding a body's length**: that has to happen before there is a body.
//! - **OAuth 2.0**: only the `m.oauth` stage that the legacy API keeps for it.
//! - **Rooms, events, federation.**
//! - **Verifying signatures** of cross-signing keys, which takes an implementation of
//!   Ed25519: see [`signing_keys`].
//! - Not yet: sessions sealed into their own ID.
//!
//! [User-Interactive Authentication]: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "tests run where std is")
)]

#[cfg(feature = "alloc")]
extern crate alloc;
// ruma needs it; nothing else does.
#[cfg(any(feature = "ruma", test))]
#[cfg_attr(test, macro_use)]
extern crate std;

mod capacity;
pub mod client;
mod decode;
pub mod endpoint;
pub mod pages;
#[cfg(feature = "ruma")]
pub mod ruma;
mod secret;
pub mod server;
mod stored;
#[cfg(all(feature = "testkit", target_has_atomic = "64"))]
pub mod testkit;
mod text;
mod time;
pub mod wire;

/// The manual: what doesn't belong to any one item. Nothing to call is in here.
pub mod _manual {
    #[doc = include_str!("manual/design.md")]
    pub mod _01_design {}
    #[doc = include_str!("manual/threat_model.md")]
    pub mod _02_threat_model {}
    #[doc = include_str!("manual/lessons.md")]
    pub mod _03_lessons {}
    #[doc = include_str!("manual/peers.md")]
    pub mod _04_peers {}
    #[doc = include_str!("manual/spec_notes.md")]
    pub mod _05_spec_notes {}
    #[doc = include_str!("manual/rules.md")]
    pub mod _06_rules {}
}

pub use capacity::CapacityError;
pub use secret::Secret;
#[cfg(feature = "alloc")]
pub use secret::SecretBuf;
pub use server::call::Call;
pub use server::digest::BindingKey;
pub use server::exchange::Exchange;
pub use server::flows::{Flows, PolicyError, StageOrder};
pub use server::grant::Grant;
pub use server::rules::Rules;
pub use server::session::{Session, SessionId};
pub use text::{Chars, Text};
pub use time::{CLOCK_TOLERANCE, Millis, Timestamp};
pub use wire::error::MatrixError;

/// The front page's limits are those of the code:
///
/// ```
/// use matrix_uia::{Rules, endpoint::deactivate, pages, server::flows, endpoint::refresh, endpoint::register, endpoint::signing_keys, endpoint::threepid, wire};
/// let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
/// let rules = Rules::default();
/// for stated in [
///     format!("`flows::MAX_FLOWS` = {} ", flows::MAX_FLOWS),
///     format!("`flows::MAX_STAGES` = {} ", flows::MAX_STAGES),
///     format!("`flows::MAX_TYPES` = {} ", flows::MAX_TYPES),
///     format!("`wire::MAX_AUTH_TYPE_LEN` = {} ", wire::MAX_AUTH_TYPE_LEN),
///     format!("`wire::MAX_DEPTH` = {} ", wire::MAX_DEPTH),
///     format!("`wire::MAX_OPEN_KEYS` = {} ", wire::MAX_OPEN_KEYS),
///     format!("`wire::MAX_PASSWORD_LEN` = {} ", wire::MAX_PASSWORD_LEN),
///     format!("`registration::MAX_USER_ID_LEN` = {} ", registration::MAX_USER_ID_LEN),
///     format!("`registration::MAX_DEVICE_TEXT_LEN` = {} ", registration::MAX_DEVICE_TEXT_LEN),
///     format!("`deactivation::MAX_ID_SERVER_LEN` = {} ", deactivation::MAX_ID_SERVER_LEN),
///     format!("`refresh::MAX_REFRESH_TOKEN_LEN` = {} ", refresh::MAX_REFRESH_TOKEN_LEN),
///     format!("`signing_keys::MAX_SIGNING_KEY_LEN` = {} ", signing_keys::MAX_SIGNING_KEY_LEN),
///     format!("`threepid::MAX_ADDRESS_LEN` = {} ", threepid::MAX_ADDRESS_LEN),
///     format!("`threepid::MAX_SECRET_LEN` = {} ", threepid::MAX_SECRET_LEN),
///     format!("`threepid::MAX_NEXT_LINK_LEN` = {} ", threepid::MAX_NEXT_LINK_LEN),
///     format!("`fallback::MAX_FIELDS` = {} ", fallback::MAX_FIELDS),
///     format!("`Rules::session_lifetime`, {} minutes ", rules.session_lifetime.get() / 60_000),
///     format!("`Rules::max_failed_attempts`, {} ", rules.max_failed_attempts),
/// ] {
///     assert!(page.contains(&stated), "{stated}");
/// }
/// ```
///
/// And its code, compiled; it keeps sessions in the growing store.
///
#[cfg(all(doctest, feature = "alloc"))]
#[doc = include_str!("../README.md")]
struct Readme;
