//! Rate limits: whose attempts count against whom.

mod buckets;
mod limiter;

pub use limiter::{Limited, Limiter};

use crate::config::RateLimits;
use limiter::Attempt;
use matrix_uia::server::reference::UserRef;
use std::net::IpAddr;

/// Every limit that the server keeps.
#[derive(Debug)]
pub struct Limits {
    /// Failed authentication, in UIA and at login: by user, for requests with an access token; by the name or
    /// address that is tried, for those without; by the peer's address, where nobody is named.
    failed_auth: Limiter,
    /// The same by the peer's address, whomever it tries.
    failed_auth_per_address: Limiter,
    /// `requestToken`: what would send an e-mail or an SMS.
    pub request_token: Limiter,
    /// What one address is sent, whoever asks.
    pub messages_per_recipient: Limiter,
}

impl Limits {
    pub fn new(config: RateLimits) -> Self {
        Self {
            failed_auth: Limiter::new(config.failed_auth),
            failed_auth_per_address: Limiter::new(config.failed_auth_per_address),
            request_token: Limiter::new(config.request_token),
            messages_per_recipient: Limiter::new(config.messages_per_recipient),
        }
    }

    /// Begins an attempt to authenticate as `whom`, `None` if it names nobody. Counted as failed unless it
    /// is forgiven.
    ///
    /// # Errors
    ///
    /// [`Limited`] if one of the keys has none left: verify nothing. Nothing is counted then.
    pub fn attempt(&self, whom: Option<&Whom>, peer: IpAddr) -> Result<AuthAttempt<'_>, Limited> {
        let peer = format!("address {peer}");
        let address = self.failed_auth_per_address.attempt(&peer)?;
        let key = whom.map_or(&peer, |whom| &whom.0);
        match self.failed_auth.attempt(key) {
            Ok(whom) => Ok(AuthAttempt { whom, address }),
            Err(limited) => {
                address.forgive();
                Err(limited)
            }
        }
    }
}

/// Whom an attempt to authenticate is about, in one spelling.
#[derive(Debug, PartialEq, Eq)]
pub struct Whom(String);

impl Whom {
    /// Whoever has already shown who they are, by an access token or an earlier stage. What strangers try
    /// with the user's name is not counted here: they can't lock the user out.
    pub fn user(user: UserRef) -> Self {
        Self(format!("token user {user:?}"))
    }

    /// Whoever has that name here, or nobody. No two kinds of names share a spelling.
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// An attempt to authenticate, under way.
#[derive(Debug)]
#[must_use = "an attempt that is dropped counts as failed"]
pub struct AuthAttempt<'l> {
    whom: Attempt<'l>,
    address: Attempt<'l>,
}

impl AuthAttempt<'_> {
    /// It was right, or it was no attempt at all.
    pub fn forgive(self) {
        let Self { whom, address } = self;
        whom.forgive();
        address.forgive();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RateLimit;
    use std::num::NonZeroU32;

    #[test]
    fn an_attempt_that_one_of_its_keys_refuses_counts_against_none() {
        let one = RateLimit { burst: NonZeroU32::MIN, per_second: 0.0 };
        let two = RateLimit { burst: NonZeroU32::new(2).unwrap(), per_second: 0.0 };
        let limits = Limits::new(RateLimits {
            failed_auth: one,
            failed_auth_per_address: two,
            request_token: one,
            messages_per_recipient: one,
        });
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(Whom::named);
        let [here, there] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        limits.attempt(Some(&alice), here).unwrap().forgive();
        drop(limits.attempt(Some(&alice), here).unwrap());
        for _ in 0..3 {
            assert!(limits.attempt(Some(&alice), here).is_err());
        }
        drop(limits.attempt(Some(&bob), here).unwrap());
        assert!(limits.attempt(Some(&carol), here).is_err(), "two failed from here, whomever they tried");
        assert!(limits.attempt(Some(&carol), there).is_ok());
    }
}
