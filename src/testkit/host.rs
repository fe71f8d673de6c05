//! The host under test, as the kit sees it.

use alloc::string::String;
use core::future::Future;

use crate::server::account::{AccountStatus, Event};
use crate::server::exchange::HostKind;
use crate::server::session::{Session, SessionId};

/// The endpoints that the kit calls, all by `POST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a host under test has to serve each of them")]
pub enum Endpoint {
    /// `/register`.
    Register,
    /// `/account/password`.
    Password,
    /// `/account/deactivate`.
    Deactivate,
}

/// A request to one of the host's handlers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// Which handler.
    pub endpoint: Endpoint,
    /// The access token that it carries.
    pub token: Option<String>,
    /// The JSON body.
    pub body: String,
}

impl Request {
    /// A request, for a host's own tests beside the kit's.
    #[must_use]
    pub const fn new(endpoint: Endpoint, token: Option<String>, body: String) -> Self {
        Self { endpoint, token, body }
    }
}

/// What the handler answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "every host under test makes it")]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
}

/// What a host knows of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "every host under test makes it")]
pub struct AccountFacts {
    /// Its status.
    pub status: AccountStatus,
    /// How often its credentials were replaced.
    pub epoch: u32,
    /// How many devices are logged in.
    pub devices: usize,
}

/// A host under test: how a request reaches its handlers, and what the kit asks and changes
/// behind their back.
///
/// Several futures may be alive at once, and are polled in turn on one thread. What is asked
/// may wait, for a lock that a request holds; the kit goes on with that request then.
pub trait TestHost {
    /// How the host keeps sessions beside accounts.
    const KIND: HostKind<'static>;

    /// Sends one request to the host's own handler.
    fn request(&self, request: Request) -> impl Future<Output = Answer>;

    /// Makes an account and logs it in on a new device; if it is there, only logs it in. The
    /// access token.
    fn log_in(&self, name: &str, password: &str) -> impl Future<Output = String>;

    /// Adds a registration token that can be used so often.
    fn add_registration_token(&self, token: &str, uses: u32) -> impl Future<Output = ()>;

    /// How many uses of a registration token are neither spent nor reserved.
    fn uses_left(&self, token: &str) -> impl Future<Output = u32>;

    /// How many reservations are open, for whatever session.
    fn reservations(&self) -> impl Future<Output = usize>;

    /// The session under that ID, as it is stored.
    fn session(&self, id: SessionId) -> impl Future<Output = Option<Session>>;

    /// The account of that name.
    fn account(&self, name: &str) -> impl Future<Output = Option<AccountFacts>>;

    /// Whether this is the password of that account now.
    fn password_works(&self, name: &str, password: &str) -> impl Future<Output = bool>;

    /// Changes the status of an account, as an administrator would.
    fn change_status(&self, name: &str, event: Event) -> impl Future<Output = ()>;

    /// Replaces the password of an account otherwise than by the handler that is tested, with
    /// all that the host does then. The devices stay.
    fn set_password(&self, name: &str, password: &str) -> impl Future<Output = ()>;

    /// What the host does now and then: removes sessions whose time is over, goes on with
    /// deactivations that were interrupted.
    fn tidy(&self) -> impl Future<Output = ()>;

    /// Makes the next commit lose its race: that of a request which waits, and has loaded what it is
    /// about before. So a host may do it by writing something that such a commit is compared with.
    /// `false` if the host can't.
    fn lose_next_commit(&self) -> impl Future<Output = bool> {
        core::future::ready(false)
    }

    /// Makes the accounts' database fail at its `nth` write from now on and at every later one,
    /// that of a commit included, as on a disk that is full; `None` makes it work again. `false`
    /// if the host can't.
    fn fail_writes(&self, nth: Option<usize>) -> impl Future<Output = bool> {
        let _ = nth;
        core::future::ready(false)
    }

    /// Called again and again while a future waits for another thread.
    fn idle(&self) {
        core::hint::spin_loop();
    }
}
