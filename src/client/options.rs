//! What the application can do, and how long it is willing to wait.

#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};

use super::meaning::Credential;
use crate::time::Millis;
use crate::wire::AuthType;

/// The application's side of a flow: the same for every call, and kept by nobody but it.
///
/// It borrows the names of its stages. A [`ClientBuf`] owns them.
///
/// ```
/// use matrix_uia::client::Client;
/// use matrix_uia::wire::AuthType;
/// const CAN: &[AuthType<'static>] = &[AuthType::Password, AuthType::Terms];
/// let client = Client::new(CAN).with_browser();
/// # let _ = client;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Client<'c> {
    known: u16,
    custom: Custom<'c>,
    pub(super) browser: bool,
    pub(super) attended: bool,
    pub(super) credential: Credential,
    pub(super) patience: Patience,
}

/// Stages that the spec doesn't know.
#[derive(Clone, Copy, Debug)]
enum Custom<'c> {
    /// Among others: those are in the set of known ones.
    Listed(&'c [AuthType<'c>]),
    #[cfg(feature = "alloc")]
    Named(&'c [String]),
}

/// The place of a stage that the spec knows in the set of those.
const fn bit(stage: &AuthType<'_>) -> u16 {
    match stage.code() {
        Some(code) => 1_u16.wrapping_shl(code),
        None => 0,
    }
}

impl<'c> Client<'c> {
    /// An application that can ask its user what `stages` take. `m.login.dummy` takes
    /// nothing and need not be among them.
    ///
    /// `m.login.email.identity` and `m.login.msisdn` also take an address to be given, see
    /// [`Progress::address_given`](super::Progress::address_given).
    #[must_use]
    pub const fn new(stages: &'c [AuthType<'c>]) -> Self {
        let (mut known, mut left) = (0, stages);
        while let [stage, rest @ ..] = left {
            known |= bit(stage);
            left = rest;
        }
        Self {
            known,
            custom: Custom::Listed(stages),
            browser: false,
            attended: true,
            credential: Credential::AccessToken,
            patience: Patience::DEFAULT,
        }
    }

    /// The same where a web page can be opened, or its address shown: then the
    /// [fallback](https://spec.matrix.org/v1.19/client-server-api/#fallback) can do what
    /// the application can't.
    #[must_use]
    pub const fn with_browser(mut self) -> Self {
        self.browser = true;
        self
    }

    /// The same with nobody there to ask: what was refused once would be again, so that
    /// ends the flow with [`FlowFailure::Refused`](super::FlowFailure::Refused), instead of
    /// another prompt for the same. A link that hasn't been followed yet is no refusal.
    #[must_use]
    pub const fn unattended(mut self) -> Self {
        self.attended = false;
        self
    }

    /// The same for a call that is made with that credential: what its errors mean for the
    /// stored login depends on it (rule C8). Default: [`Credential::AccessToken`].
    #[must_use]
    pub const fn with_credential(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// The same with another patience.
    #[must_use]
    pub const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The stages of the spec's that the application can do, a bit for each.
    pub(super) const fn known(&self) -> u16 {
        self.known
    }

    /// Whether the application can do that stage.
    pub(super) fn lists(&self, stage: AuthType<'_>) -> bool {
        if let AuthType::Custom(name) = stage {
            return match self.custom {
                Custom::Listed(stages) => stages.contains(&AuthType::Custom(name)),
                #[cfg(feature = "alloc")]
                Custom::Named(names) => names.iter().any(|listed| name == **listed),
            };
        }
        self.known & bit(&stage) != 0
    }
}

/// A [`Client`] that owns the names of its stages, for a program that keeps it in a
/// structure of its own.
///
/// ```
/// use matrix_uia::client::{Client, ClientBuf};
/// use matrix_uia::wire::AuthType;
/// let pin = String::from("org.example.pin");
/// let kept = ClientBuf::from(Client::new(&[AuthType::Password, AuthType::custom(&pin)]).unattended());
/// drop(pin);
/// let client: Client<'_> = kept.client();
/// # let _ = client;
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug)]
pub struct ClientBuf {
    custom: Vec<String>,
    rest: Client<'static>,
}

#[cfg(feature = "alloc")]
impl ClientBuf {
    /// As what the flow's functions belong to.
    #[must_use]
    pub fn client(&self) -> Client<'_> {
        Client { custom: Custom::Named(&self.custom), ..self.rest }
    }
}

#[cfg(feature = "alloc")]
impl From<Client<'_>> for ClientBuf {
    fn from(client: Client<'_>) -> Self {
        let Client { known, custom, browser, attended, credential, patience } = client;
        let custom = match custom {
            Custom::Named(names) => names.to_vec(),
            Custom::Listed(stages) => stages
                .iter()
                .filter(|stage| matches!(stage, AuthType::Custom(_)))
                .map(|stage| stage.name().to_exact())
                .collect(),
        };
        Self {
            custom,
            rest: Client { known, custom: Custom::Listed(&[]), browser, attended, credential, patience },
        }
    }
}

/// How long to wait for what, and how often. Every wait of a flow has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patience {
    /// Between two questions whether a stage has been completed elsewhere; after each
    /// that says no it is half as long again. Default: 2 s.
    pub poll_interval: Millis,
    /// The longest that interval becomes. Default: 15 s.
    pub max_poll_interval: Millis,
    /// How long a stage may take that is completed elsewhere. Default: 15 minutes, which
    /// is how long many servers keep a session.
    pub poll_limit: Millis,
    /// How often it is asked at most, for clocks that stand still. Default: 200.
    pub max_polls: u16,
    /// The wait after no answer, or a 429 that names none; it doubles each time, up to
    /// 64 times this. Default: 1 s.
    pub retry_after: Millis,
    /// How many requests in a row may be limited. Default: 5.
    pub max_retries: u8,
    /// How many requests in a row may be sent anew because no answer came. Default: 5.
    pub max_unanswered: u8,
    /// The longest wait a server may ask for with a 429. A longer one ends the flow with
    /// [`FlowFailure::RateLimited`](super::FlowFailure::RateLimited), which says how long it is.
    /// Default: 15 minutes: the session would hardly be there any more.
    pub max_retry_after: Millis,
}

impl Patience {
    const DEFAULT: Self = Self {
        poll_interval: Millis::from_secs(2),
        max_poll_interval: Millis::from_secs(15),
        poll_limit: Millis::from_secs(15 * 60),
        max_polls: 200,
        retry_after: Millis::from_secs(1),
        max_retries: 5,
        max_unanswered: 5,
        max_retry_after: Millis::from_secs(15 * 60),
    };

    /// The wait before the `nth` poll after the first.
    pub(super) fn poll_wait(&self, nth: u16) -> Millis {
        let mut wait = self.poll_interval.get();
        for _ in 0..nth.min(64) {
            wait = wait.saturating_add(wait.div_ceil(2));
        }
        Millis::new(wait.min(self.max_poll_interval.get()).max(1))
    }

    /// The wait before the `nth` attempt after the first.
    pub(super) fn retry_wait(&self, nth: u8) -> Millis {
        Millis::new(self.retry_after.get().saturating_mul(1_u64.wrapping_shl(u32::from(nth.min(6)))))
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let patience = Patience::default();
        let polls: Vec<u64> = (0..8).map(|nth| patience.poll_wait(nth).get()).collect();
        assert_eq!(polls, [2_000, 3_000, 4_500, 6_750, 10_125, 15_000, 15_000, 15_000]);
        assert_eq!(patience.poll_wait(u16::MAX), patience.max_poll_interval);
        assert_eq!(patience.retry_wait(0), Millis::new(1_000));
        assert_eq!(patience.retry_wait(u8::MAX), Millis::new(64_000));
    }
}
