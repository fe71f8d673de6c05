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
//! # The exchange
//!
//! ```text
//!  request ─► Request::parse ─► check ─► Checked ─► call ─► Incoming::new
//!                                                               │
//!      ┌──────── answer the question, and the next one comes ◄──┤
//!      │                                                        │
//!  Load      the session and the caller's account, in a transaction that begins now
//!  Account   the account of a user that a stage has proved
//!  Admit     is this call let in at all?
//!  Recall    has the claimed call been carried out?
//!  Verify    is this credential right? Answer with a Verdict
//!  Hash      hash the new password, outside of the transaction
//!  Perform   carry the plan out, in the transaction
//!  Repeat    make the answer again: the call has succeeded before
//!  Commit    carry out these changes and end the transaction, all or nothing
//!  Respond   the end: what to send
//! ```
//!
//! An [`Incoming`] request has an [`Exchange`]. Each of its variants is a question; the only
//! way to the next is to answer it. So the order of the steps, the check of the account in
//! the transaction that writes, what is given back after a lost race and what is recorded of
//! a call are not the host's to remember. [`server::drive`] has the loop written once, for
//! hosts that implement its [`Host`](server::drive::Host).
//!
//! # One program
//!
//! The exchange by hand and without a heap, as on a microcontroller. The front page of the
//! repository has the same call by the driver and a growing store.
//!
//! ```
//! use matrix_uia::endpoint::password::{ChangePasswordRequest, Effect, PasswordStrength};
//! use matrix_uia::server::account::{Account, AccountStatus, Caller};
//! use matrix_uia::server::check::Named;
//! use matrix_uia::server::commit::Committed;
//! use matrix_uia::server::endpoint::Endpoint;
//! use matrix_uia::server::exchange::{HostKind, OneTransaction};
//! use matrix_uia::server::grant::Outcome;
//! use matrix_uia::server::operation::ChangePassword;
//! use matrix_uia::server::question::Check;
//! use matrix_uia::server::reference::{Subject, UserRef};
//! use matrix_uia::server::respond::Respond;
//! use matrix_uia::server::store::{FixedStore, Lifetimes, OwnerKey, Store};
//! use matrix_uia::{BindingKey, Exchange, Incoming, Rules, SessionId, Timestamp, flows};
//!
//! // Once, at the start.
//! let flows = flows!(ChangePassword: [["m.login.password"]]);
//! let rules = Rules::default();
//! let key = BindingKey::from_entropy([7; 16]); // from the host's generator
//! let mut store = FixedStore::<(), 8>::new(Lifetimes::of(&rules));
//! let alice = Subject::new(UserRef::new(1), 0);
//! let (mut password, mut devices_ended) = ("wonderland", false);
//!
//! // A request comes in, with the access token of alice.
//! let body = br#"{"new_password":"correct horse","auth":{
//!     "type":"m.login.password","user":"alice","password":"wonderland"}}"#;
//! let request = ChangePasswordRequest::parse(body)?.check(&PasswordStrength::default(), true)?;
//! let fresh = SessionId::from_entropy([1; 24]); // from the host's generator
//! let now = Timestamp::from_millis(1_000);
//!
//! // Sessions and the password lie in one memory, and requests come one by one.
//! struct Memory;
//! impl OneTransaction for Memory {}
//! let kind = HostKind::assume_one_transaction::<Memory>();
//! let mut incoming = Incoming::new(&flows, &rules, kind, request.call(&key), fresh, now);
//! let mut exchange = incoming.exchange();
//! let respond = loop {
//!     exchange = match exchange {
//!         Exchange::Load(load) => {
//!             let found = load.session_id().and_then(|id| store.load(&id));
//!             let session = found.map(|record| record.session);
//!             load.found(session.as_ref(), Caller::User(Account::new(alice, AccountStatus::default())), now)
//!         }
//!         Exchange::Account(account) => {
//!             let found = account.user() == alice.user;
//!             account.found(found.then(|| Account::new(alice, AccountStatus::default())))
//!         }
//!         Exchange::Admit(admit) => admit.admitted(),
//!         Exchange::Recall(recall) => recall.unknown(),
//!         Exchange::Verify(verify) => {
//!             let Check::Password(check) = verify.question().check() else { unreachable!() };
//!             let comparison = check.named(Named::User(alice));
//!             let matches = comparison.password().expose() == password;
//!             verify.verdict_in_transaction(comparison.verdict(matches))
//!         }
//!         Exchange::Hash(hash) => hash.hashed(),
//!         Exchange::Perform(perform) => {
//!             let (grant, performing) = perform.grant();
//!             match request.plan(&key, grant, None, Some("correct horse")) {
//!                 Ok(change) => {
//!                     for effect in change.effects() {
//!                         match effect {
//!                             Effect::SetPassword(new) => password = new,
//!                             Effect::EndDevices(_) => devices_ended = true,
//!                             Effect::EndPushers(_) => {}
//!                         }
//!                     }
//!                     performing.succeeded(Outcome::NOTHING, now)
//!                 }
//!                 Err(refusal) => performing.refused(refusal),
//!             }
//!         }
//!         Exchange::Repeat(repeat) => repeat.repeated(),
//!         Exchange::Commit(commit) => {
//!             let stored = store.commit(commit.session_changes(), None, OwnerKey::NOBODY, now);
//!             commit.committed(stored.map_or_else(Committed::from, |_| Committed::Stored))
//!         }
//!         Exchange::Respond(respond) => break respond,
//!     }
//! };
//! assert!(matches!(respond, Respond::Performed));
//! assert_eq!(password, "correct horse");
//! assert!(devices_ended);
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
//! | [`server::exchange`] | one request on its way: the questions a host answers |
//! | [`server::drive`] | the loop over those questions, written once |
//! | [`server::prelude`] | what a host names, in one import |
//! | [`server::session`] | the stored value |
//! | [`server::flows`] | the policy: which stages, checked when it is built |
//! | [`server::operation`] | which call a session is for; your own calls |
//! | [`server::store`] | keeping sessions: without a heap, or growing to a limit |
//! | [`server::account`] | active, locked, suspended, deactivated: who may do what |
//! | [`server::digest`] | what a session remembers of a request's parameters |
//! | [`endpoint`] | a module for each call: its request, its checks, its plan |
//! | [`endpoint::threepid`] | e-mail addresses and phone numbers: validating, adding, removing them |
//! | [`pages`] | the web pages for what a client can't do itself |
//! | [`client`] | the client's side: the stored value, what to do next, the calls and their answers |
//! | [`wire`] | what crosses HTTP, the one JSON codec, and the errors |
//! | [`_manual`] | why it is built so, the threat model, lessons, peers, notes on the spec, and the rules that "rule U5" refers to |
//!
//! # Features
//!
//! - **`alloc`** (default): what owns its text, such as `SecretBuf` and the policy of
//!   `Flows::new`, and what grows, the `HashedStore`. It needs a global allocator and no
//!   operating system.
//! - **`seal`** (default): parameters that may hold a password are sealed with the session's
//!   ID before they are stored, by ChaCha20-Poly1305. Without it, a host that stores them
//!   hashes the password first.
//! - **`unicode`** (default): what Unicode's tables say of the characters of e-mail addresses, user
//!   names and links: case, white space, what nobody sees. Without it, what is ASCII is read the same
//!   and the rest is not: an e-mail address that is not ASCII, in either part, is refused with 400
//!   `M_INVALID_PARAM`, and no library for its domain is asked; nor is one taken from a stored value or
//!   from a server's list. A [`WebUrl`](pages::WebUrl) is ASCII. A name that failed attempts are
//!   [counted by](wire::UserIdentifier::canonical) is in lower case but for letters that are not ASCII.
//! - **`sealed`**: a session that nothing has happened to is held by its ID, which the host seals
//!   with a key of its own, and takes no place in a store: see [`server::sealed`]. It brings `seal`.
//! - **`http`**: access tokens and answers in the types of the `http` crate, which axum and hyper
//!   share, in the module `http`. It brings `alloc`, and `std`, which that crate needs.
//! - **`testkit`**: `testkit`, which drives a host's handlers through every question and
//!   names the duty they forget. It brings `alloc`.
//! - **`ruma`**: conversions from and to the types of `ruma-client-api` 0.25, in the module
//!   `ruma`. It brings `alloc`, and `std`, which ruma needs.
//!
//! Without them everything else is there: the codec, the transition, every endpoint and the
//! [`FixedStore`](server::store::FixedStore). A feature only ever adds; none changes what another
//! item does, but that with `unicode` more text is read.
//!
//! # Limits
//!
//! | what | bound | beyond it |
//! | --- | --- | --- |
//! | a session, in memory | 192 bytes | |
//! | what a client keeps of a challenge | the `N` of its [`Progress`](client::Progress) | [`FlowFailure::TooLarge`](client::FlowFailure::TooLarge) |
//! | flows, stages of a flow, different stages | [`MAX_FLOWS`](server::flows::MAX_FLOWS), [`MAX_STAGES`](server::flows::MAX_STAGES), [`MAX_TYPES`](server::flows::MAX_TYPES) | [`PolicyError`] |
//! | name of a stage | [`MAX_AUTH_TYPE_LEN`](wire::MAX_AUTH_TYPE_LEN) bytes | [`PolicyError`] |
//! | nesting, and keys open at once | [`MAX_DEPTH`](wire::MAX_DEPTH), [`MAX_OPEN_KEYS`](wire::MAX_OPEN_KEYS) | [`ParseError`](wire::ParseError) |
//! | a password | [`MAX_PASSWORD_LEN`](wire::MAX_PASSWORD_LEN) bytes | `M_INVALID_PARAM` |
//! | a user ID | [`MAX_USER_ID_LEN`](endpoint::register::MAX_USER_ID_LEN) bytes | `M_INVALID_USERNAME` |
//! | a device's ID or name | [`MAX_DEVICE_TEXT_LEN`](endpoint::register::MAX_DEVICE_TEXT_LEN) bytes | `M_INVALID_PARAM` |
//! | a login or refresh token | [`MAX_LOGIN_TOKEN_LEN`](endpoint::login::MAX_LOGIN_TOKEN_LEN), [`MAX_REFRESH_TOKEN_LEN`](endpoint::refresh::MAX_REFRESH_TOKEN_LEN) bytes | `M_INVALID_PARAM`; `M_UNKNOWN_TOKEN` |
//! | a cross-signing key | [`MAX_SIGNING_KEY_LEN`](endpoint::signing_keys::MAX_SIGNING_KEY_LEN) bytes | `M_INVALID_PARAM` |
//! | an identity server's name | [`MAX_ID_SERVER_LEN`](endpoint::deactivate::MAX_ID_SERVER_LEN) bytes | `M_INVALID_PARAM` |
//! | a 3PID's address, in canonical form | [`MAX_ADDRESS_LEN`](endpoint::threepid::MAX_ADDRESS_LEN) bytes | `M_INVALID_PARAM` |
//! | a validation's `sid`, client secret or token | [`MAX_SECRET_LEN`](endpoint::threepid::MAX_SECRET_LEN) bytes | `M_INVALID_PARAM` |
//! | a validation's `next_link` | [`MAX_NEXT_LINK_LEN`](endpoint::threepid::MAX_NEXT_LINK_LEN) bytes | `M_INVALID_PARAM` |
//! | fields of a page's form | [`MAX_FIELDS`](pages::MAX_FIELDS) | [`FormError`](pages::FormError) |
//! | an e-mail address's domain | [`MAX_DOMAIN_LEN`](endpoint::threepid::MAX_DOMAIN_LEN) bytes | `M_INVALID_PARAM` |
//! | operations that one validated address may authorise | [`MAX_AUTHORISED`](endpoint::threepid::MAX_AUTHORISED) | [`CapacityError`] |
//! | life, and wrong tokens, of a validation | [`ValidationRules`](endpoint::threepid::ValidationRules) | `M_SESSION_EXPIRED` |
//! | life, and failed attempts, of a session | [`Rules`] | a new session; 429 |
//! | sessions of a store | its capacity | [`NotStored::Full`](server::store::NotStored::Full) |
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
//!   [questions](server::question::Check) it asks.
//! - **Counting attempts per user or address**: it says [which counter](server::question::LimitKey),
//!   the host keeps it.
//! - **Bounding a body's length**: that has to happen before there is a body.
//! - **OAuth 2.0**: only the `m.oauth` stage that the legacy API keeps for it.
//! - **Rooms, events, federation.**
//! - **Verifying signatures** of cross-signing keys, which takes an implementation of
//!   Ed25519: see [`endpoint::signing_keys`].
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
mod characters;
pub mod client;
mod decode;
pub mod endpoint;
#[cfg(feature = "http")]
pub mod http;
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
    #[doc = include_str!("manual/guides/client.md")]
    pub mod _07_client_guide {}
    #[doc = include_str!("manual/guides/sessions_in_a_database.md")]
    pub mod _08_sessions_in_a_database {}
    #[doc = include_str!("manual/guides/sealed_sessions.md")]
    pub mod _09_sealed_sessions {}
}

pub use capacity::CapacityError;
pub use secret::Secret;
#[cfg(feature = "alloc")]
pub use secret::SecretBuf;
pub use server::call::Call;
pub use server::digest::BindingKey;
pub use server::exchange::{Exchange, Incoming};
pub use server::flows::{Flows, FlowsBuffer, PolicyError, StageOrder};
pub use server::grant::Grant;
pub use server::rules::Rules;
pub use server::session::{Session, SessionId};
pub use text::{Chars, Text};
pub use time::{CLOCK_TOLERANCE, Millis, Timestamp};
pub use wire::error::MatrixError;

/// The front page's limits are those of the code:
///
/// ```
/// use matrix_uia::{Rules, client, endpoint::deactivate, pages, server, server::flows, endpoint::refresh, endpoint::register, endpoint::signing_keys, endpoint::threepid, wire};
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
///     format!("`register::MAX_USER_ID_LEN` = {} ", register::MAX_USER_ID_LEN),
///     format!("`register::MAX_DEVICE_TEXT_LEN` = {} ", register::MAX_DEVICE_TEXT_LEN),
///     format!("`deactivate::MAX_ID_SERVER_LEN` = {} ", deactivate::MAX_ID_SERVER_LEN),
///     format!("`refresh::MAX_REFRESH_TOKEN_LEN` = {} ", refresh::MAX_REFRESH_TOKEN_LEN),
///     format!("`signing_keys::MAX_SIGNING_KEY_LEN` = {} ", signing_keys::MAX_SIGNING_KEY_LEN),
///     format!("`threepid::MAX_ADDRESS_LEN` = {} ", threepid::MAX_ADDRESS_LEN),
///     format!("`threepid::MAX_SECRET_LEN` = {} ", threepid::MAX_SECRET_LEN),
///     format!("`threepid::MAX_DOMAIN_LEN` = {} ", threepid::MAX_DOMAIN_LEN),
///     format!("`threepid::MAX_AUTHORISED` = {} ", threepid::MAX_AUTHORISED),
///     format!("`digest::MAX_SET` = {} ", server::digest::MAX_SET),
///     format!("`store::SESSIONS_PER_OWNER` = {} ", server::store::SESSIONS_PER_OWNER),
///     format!("`commit::MAX_LOST_COMMITS` = {} ", server::commit::MAX_LOST_COMMITS),
///     format!("`client::MAX_CALL_NAME` = {} ", client::MAX_CALL_NAME),
///     format!("`WebUrl::MAX_LEN` = {} ", wire::WebUrl::MAX_LEN),
///     format!("`threepid::MAX_NEXT_LINK_LEN` = {} ", threepid::MAX_NEXT_LINK_LEN),
///     format!("`pages::MAX_FIELDS` = {} ", pages::MAX_FIELDS),
///     format!("`Rules::session_lifetime`, {} minutes ", rules.session_lifetime.get() / 60_000),
///     format!("`Rules::max_failed_attempts`, {} ", rules.max_failed_attempts),
/// ] {
///     assert!(page.contains(&stated), "{stated}");
/// }
/// ```
///
/// And its client, compiled. Its server is part of `examples/axum_server`, whose tests hold the two alike.
///
#[cfg(all(doctest, feature = "alloc"))]
#[doc = include_str!("../README.md")]
struct Readme;
