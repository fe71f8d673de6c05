//! An answer by value, for an application that keeps prompts and answers apart.

use core::fmt;

use crate::secret::Secret;
use crate::wire::json::Raw;
use crate::wire::{ThreepidCreds, UserIdentifier};

/// What a user gave for a stage. A window that was drawn from
/// [`Client::look`](super::Client::look) makes it, and [`Client::give`](super::Client::give)
/// sends it if its stage is still the one that is asked for.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Given<'r> {
    /// For [`Prompt::Password`](super::Prompt::Password).
    Password {
        /// Whose password.
        identifier: UserIdentifier<'r>,
        /// Which.
        password: Secret<'r>,
    },
    /// For [`Prompt::Recaptcha`](super::Prompt::Recaptcha): what the captcha gave back.
    Recaptcha(Secret<'r>),
    /// For [`Prompt::Terms`](super::Prompt::Terms): all of them are accepted.
    Terms,
    /// For [`Prompt::RegistrationToken`](super::Prompt::RegistrationToken).
    RegistrationToken(Secret<'r>),
    /// For [`Prompt::Threepid`](super::Prompt::Threepid).
    Threepid(ThreepidCreds<'r>),
    /// For [`Prompt::Custom`](super::Prompt::Custom): the keys of the auth dict.
    Custom(Raw<'r>),
}

/// Custom data can be a secret as well.
impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password([redacted])",
            Self::Recaptcha(_) => "Recaptcha([redacted])",
            Self::Terms => "Terms",
            Self::RegistrationToken(_) => "RegistrationToken([redacted])",
            Self::Threepid(_) => "Threepid([redacted])",
            Self::Custom(_) => "Custom([redacted])",
        })
    }
}

/// The stage that was answered is not the one that is asked for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "there is nothing else to say")]
pub struct NotAsked;

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is for a stage that is not asked for now")
    }
}

impl core::error::Error for NotAsked {}
