//! The next request: the call's own body, with the auth dict of this step.

use core::fmt::{self, Write};

use super::call::{Call, CallName, Owner, Ticket};
use crate::secret::Secret;
use crate::wire::{Auth, AuthData, AuthType, json};

/// A request to be sent now, once. While it is on its way there is no other.
///
/// The call is repeated whole each time, with another auth dict: the spec asks for "the
/// same request", and some servers remember nothing of the one before.
///
/// Write it, store the progress, then send it. [`Client::flight`](super::Client::flight)
/// makes a guard for the time it is on its way.
#[derive(Debug)]
#[must_use = "the progress counts this request as sent; `Client::not_sent` takes it back"]
pub struct Request<'r> {
    auth: Auth<'r>,
    ticket: Ticket,
    call: &'r str,
}

/// Why a request's body is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The sink is full.
    Full,
    /// The body is another call's than the one the progress belongs to.
    OtherCall,
}

impl From<fmt::Error> for WriteError {
    fn from(_: fmt::Error) -> Self {
        Self::Full
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "there is no room for the request's body",
            Self::OtherCall => "the progress belongs to another call",
        })
    }
}

impl core::error::Error for WriteError {}

impl<'r> Request<'r> {
    /// Without `auth`, or with only the session if there is one.
    pub(super) fn poll(session: Option<Secret<'r>>, call: &'r Owner, number: u32) -> Self {
        let auth = session.map_or(Auth::Absent, |session| Auth::Poll { session });
        Self { auth, ticket: call.origin().ticket(number), call: call.name() }
    }

    pub(super) fn attempt(
        auth_type: AuthType<'r>,
        data: AuthData<'r>,
        session: Option<Secret<'r>>,
        call: &'r Owner,
        number: u32,
    ) -> Self {
        let auth = Auth::Attempt { session, auth_type, data: Ok(data) };
        Self { auth, ticket: call.origin().ticket(number), call: call.name() }
    }

    /// What its answer has to be handed in with.
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whether the progress belongs to the call of that name. A typed client, which doesn't
    /// [`write`](Self::write), asks this.
    #[must_use]
    pub fn is_of(&self, call: CallName<'_>) -> bool {
        self.call == call.as_str()
    }

    /// The auth dict, for the `auth` of a typed request.
    #[must_use]
    pub const fn auth(&self) -> Auth<'r> {
        self.auth
    }

    /// The auth dict as any type that can be read from JSON: any version of ruma's
    /// `AuthData`, for one. `None` for a request without `auth`. What is made in between is
    /// wiped.
    ///
    /// ```
    /// # use matrix_uia::{Timestamp, client::{CallName, Client, Next, Progress}};
    /// # let client = Client::new(&[]);
    /// # let mut progress = Progress::<512>::new(CallName::new("logout")?);
    /// # let Next::Send(request) = client.next(&mut progress, Timestamp::from_millis(0)) else { panic!() };
    /// let auth: Option<serde_json::Value> = request.auth_as(|json| serde_json::from_str(json))?;
    /// assert_eq!(auth, None, "the first request has none");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `read`'s own.
    #[cfg(feature = "alloc")]
    pub fn auth_as<T, E>(&self, read: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, E> {
        if matches!(self.auth, Auth::Absent) {
            return Ok(None);
        }
        // Longer than what a user types: where it grows, the shorter copy stays behind.
        let mut json = zeroize::Zeroizing::new(alloc::string::String::with_capacity(4096));
        // A growing text is never full.
        let _ = self.auth.write(&mut *json);
        read(&json).map(Some)
    }

    /// Writes the body: the call's own, with this step's auth dict.
    ///
    /// # Errors
    ///
    /// [`WriteError::OtherCall`] for another call than the one that the progress was begun
    /// for: then nothing is written, and the request is to be given back with
    /// [`Client::not_sent`](super::Client::not_sent). [`WriteError::Full`] if the sink is.
    pub fn write(&self, call: &Call<'_>, out: &mut impl Write) -> Result<(), WriteError> {
        if !self.is_of(call.name()) {
            return Err(WriteError::OtherCall);
        }
        out.write_char('{')?;
        let first = matches!(self.auth, Auth::Absent);
        if !first {
            out.write_str("\"auth\":")?;
            self.auth.write(out)?;
        }
        json::write_members(out, call.body(), &["auth"], first)?;
        out.write_char('}')?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::wire::json::Raw;

    #[test]
    fn the_call_is_repeated_whole_and_only_its_auth_is_replaced() {
        let session = Some(Secret::new("s\"1"));
        let owner = Owner::new(CallName::new("c").unwrap());
        for (request, original, body) in [
            (Request::poll(None, &owner, 1), "{}", "{}"),
            (Request::poll(None, &owner, 1), r#"{"a":[ 1 ],"auth":{},"b":null}"#, r#"{"a":[ 1 ],"b":null}"#),
            (Request::poll(session, &owner, 1), "{}", r#"{"auth":{"session":"s\"1"}}"#),
            (
                Request::attempt(AuthType::Dummy, AuthData::Dummy, session, &owner, 1),
                r#"{"a\u0062":"\u00e9","auth":{"session":"old"}}"#,
                r#"{"auth":{"type":"m.login.dummy","session":"s\"1"},"ab":"\u00e9"}"#,
            ),
        ] {
            let mut out = String::new();
            let call = Call::new("c", Raw::parse(original).unwrap()).unwrap();
            request.write(&call, &mut out).unwrap();
            assert_eq!(out, body);
            let other = Call::new("d", Raw::parse(original).unwrap()).unwrap();
            assert_eq!(request.write(&other, &mut out), Err(WriteError::OtherCall));
            assert_eq!(out, body, "another call's body goes nowhere");
        }
    }
}
