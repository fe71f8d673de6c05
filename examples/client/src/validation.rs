//! The validation of the e-mail address: what the stage that proves it asks for.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use matrix_uia::endpoint::threepid::{GivenAddress, RequestTokenRequest};
use matrix_uia::wire::ThreepidCreds;
use matrix_uia::{Secret, Text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whoever has it can prove the address as well: it is printed nowhere, and its file is its owner's alone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    pub email: String,
    client_secret: String,
    /// The server's name for it, once it has sent a token.
    pub sid: Option<String>,
}

impl Validation {
    /// A new one of that address.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub fn of(email: &str) -> Result<Self, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let client_secret = BASE64_URL_SAFE_NO_PAD.encode(random);
        Ok(Self { email: email.to_owned(), client_secret, sid: None })
    }

    /// The body that asks for the token.
    pub fn request(&self, send_attempt: u32) -> Result<String, fmt::Error> {
        let secret = Secret::new(&self.client_secret);
        let mut body = String::new();
        let email = GivenAddress::Email(Text::new(&self.email));
        RequestTokenRequest::new(secret, email, send_attempt.into()).write(&mut body)?;
        Ok(body)
    }

    /// What the stage is answered with.
    pub fn creds(&self) -> Option<ThreepidCreds<'_>> {
        let sid = self.sid.as_deref()?;
        Some(ThreepidCreds::new(Text::new(sid), Secret::new(&self.client_secret)))
    }
}

impl fmt::Debug for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { email, client_secret: _, sid } = self;
        f.debug_struct("Validation").field("email", email).field("sid", sid).finish_non_exhaustive()
    }
}
