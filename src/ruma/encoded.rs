//! A value of ruma's as JSON, to be parsed like any request.

use core::fmt;
use std::io;

use alloc::vec::Vec;
use ruma_client_api::uiaa;
use ruma_common::api::error;
use serde::Serialize;
use zeroize::Zeroize;

/// The JSON of a value of ruma's, wiped when it is dropped.
///
/// Read it with what reads it off the wire: an auth dict with [`Auth::parse`], a 401 with
/// [`ChallengeBody::parse`], an error with [`ErrorBody::parse`]. What ruma itself can't
/// write as JSON (a wait of 300,000 years, a body that is none) leaves a text that each of
/// them refuses with [`ParseError::NotJson`].
///
/// ```
/// use matrix_uia::wire::error::ErrorBody;
/// use matrix_uia::ruma::Encoded;
/// use ruma_common::api::error::{ErrorKind, StandardErrorBody};
///
/// let theirs = StandardErrorBody::new(ErrorKind::UserLocked, "Locked.".to_owned());
/// let encoded = Encoded::from(&theirs);
/// assert_eq!(ErrorBody::parse(encoded.as_bytes())?.soft_logout, Some(true));
/// # Ok::<(), matrix_uia::wire::ParseError>(())
/// ```
///
/// [`Auth::parse`]: crate::wire::Auth::parse
/// [`ChallengeBody::parse`]: crate::wire::ChallengeBody::parse
/// [`ErrorBody::parse`]: crate::wire::error::ErrorBody::parse
/// [`ParseError::NotJson`]: crate::wire::ParseError::NotJson
#[derive(Default, zeroize::ZeroizeOnDrop)]
pub struct Encoded(Vec<u8>);

impl Encoded {
    /// The `auth` of a request of ruma's, which may have none.
    #[must_use]
    pub fn auth(auth: Option<&uiaa::AuthData>) -> Self {
        Self::of(&auth)
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The JSON of any value: what [`Convert`](super::Convert) makes of a request of a
    /// host's own.
    #[must_use]
    pub fn of(value: &impl Serialize) -> Self {
        let mut encoded = Self::default();
        match serde_json::to_writer(&mut encoded, value) {
            Ok(()) => encoded,
            Err(_) => Self::default(),
        }
    }

    /// Appends, and leaves no earlier copy behind where there was no room.
    fn append(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let mut grown = Vec::with_capacity(needed.saturating_mul(2).max(256));
            grown.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = grown;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl From<&uiaa::AuthData> for Encoded {
    fn from(auth: &uiaa::AuthData) -> Self {
        Self::of(auth)
    }
}

impl From<&uiaa::UiaaInfo> for Encoded {
    fn from(info: &uiaa::UiaaInfo) -> Self {
        Self::of(info)
    }
}

impl From<&error::StandardErrorBody> for Encoded {
    fn from(body: &error::StandardErrorBody) -> Self {
        Self::of(body)
    }
}

impl From<&error::ErrorBody> for Encoded {
    fn from(body: &error::ErrorBody) -> Self {
        match body {
            error::ErrorBody::Standard(body) => Self::of(body),
            error::ErrorBody::Json(body) => Self::of(body),
            error::ErrorBody::NotJson { .. } => Self::default(),
        }
    }
}

/// For `serde_json`, which writes there.
impl io::Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For this crate's own writers.
impl fmt::Write for Encoded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.append(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoded([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::string::{String, ToString as _};

    use ruma_common::api::error::{ErrorKind, LimitExceededErrorData, RetryAfter, StandardErrorBody};

    use super::*;
    use crate::wire::error::ErrorBody;
    use crate::wire::{Auth, ParseError};

    #[test]
    fn no_auth_is_absent() {
        assert!(matches!(Auth::parse(Encoded::auth(None).as_bytes()), Ok(Auth::Absent)));
    }

    #[test]
    fn a_text_that_grew_is_whole() {
        let mut encoded = Encoded::default();
        let mut whole = String::new();
        for number in 0..2_000 {
            let text = number.to_string();
            fmt::Write::write_str(&mut encoded, &text).unwrap();
            whole.push_str(&text);
        }
        assert_eq!(encoded.as_bytes(), whole.as_bytes());
    }

    #[test]
    fn what_ruma_cannot_write_is_refused() {
        let mut data = LimitExceededErrorData::new();
        data.retry_after = Some(RetryAfter::Delay(Duration::MAX));
        let body = StandardErrorBody::new(ErrorKind::LimitExceeded(data), String::new());
        assert_eq!(ErrorBody::parse(Encoded::from(&body).as_bytes()).err(), Some(ParseError::NotJson));
    }

    #[test]
    fn it_shows_nothing() {
        let auth = uiaa::AuthData::RegistrationToken(uiaa::RegistrationToken::new("ZXQmark".into()));
        assert!(!format!("{:?}", Encoded::from(&auth)).contains("ZXQmark"));
    }
}
