//! How often what may be done.

use super::object;
use serde::{Deserialize, Deserializer};
use std::num::NonZeroU32;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct RateLimits {
    /// By user, for requests with an access token; by canonical name, for those without.
    pub failed_auth: RateLimit,
    #[serde(deserialize_with = "per_address")]
    pub failed_auth_per_address: RateLimit,
    pub request_token: RateLimit,
    #[serde(deserialize_with = "messages")]
    pub messages_per_recipient: RateLimit,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            failed_auth: RateLimit::default(),
            failed_auth_per_address: PER_ADDRESS,
            request_token: RateLimit::default(),
            messages_per_recipient: MESSAGES,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    pub burst: NonZeroU32,
    pub per_second: f64,
}

const USUAL: RateLimit = RateLimit { burst: NonZeroU32::new(100).unwrap(), per_second: 10.0 };
const PER_ADDRESS: RateLimit = RateLimit { burst: NonZeroU32::new(1000).unwrap(), per_second: 100.0 };
const MESSAGES: RateLimit = RateLimit { burst: NonZeroU32::new(20).unwrap(), per_second: 0.02 };

impl Default for RateLimit {
    fn default() -> Self {
        USUAL
    }
}

/// What a file gives of a limit. What it leaves out is not the same for all of them.
#[derive(Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct Given {
    burst: Option<NonZeroU32>,
    per_second: Option<f64>,
}

impl Given {
    fn over(self, default: RateLimit) -> RateLimit {
        RateLimit {
            burst: self.burst.unwrap_or(default.burst),
            per_second: self.per_second.unwrap_or(default.per_second),
        }
    }
}

impl<'de> Deserialize<'de> for RateLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Given::deserialize(deserializer).map(|given| given.over(USUAL))
    }
}

fn per_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    Given::deserialize(deserializer).map(|given| given.over(PER_ADDRESS))
}

fn messages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateLimit, D::Error> {
    Given::deserialize(deserializer).map(|given| given.over(MESSAGES))
}

object::only!(RateLimits, Given);
