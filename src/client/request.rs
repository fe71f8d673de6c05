//! The next request: the call's own body, with the auth dict of this step.

use core::fmt::{self, Write};

use super::Ticket;
use crate::Secret;
use crate::wire::json::{self, Raw};
use crate::wire::{Auth, AuthData, AuthType};

/// A request to be sent now, once. While it is on its way there is no other.
///
/// The call is repeated whole each time, with another auth dict: the spec asks for "the
/// same request", and some servers remember nothing of the one before.
#[derive(Debug)]
#[must_use = "the progress counts this request as sent"]
pub struct Request<'r> {
    auth: Auth<'r>,
    ticket: Ticket,
}

impl<'r> Request<'r> {
    /// Without `auth`, or with only the session if there is one.
    pub(super) fn poll(session: Option<Secret<'r>>, ticket: Ticket) -> Self {
        let auth = session.map_or(Auth::Absent, |session| Auth::Poll { session });
        Self { auth, ticket }
    }

    pub(super) const fn attempt(
        auth_type: AuthType<'r>,
        data: AuthData<'r>,
        session: Option<Secret<'r>>,
        ticket: Ticket,
    ) -> Self {
        Self { auth: Auth::Attempt { session, auth_type, data: Ok(data) }, ticket }
    }

    /// What its answer has to be handed in with.
    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The auth dict, for the `auth` of a typed request.
    #[must_use]
    pub const fn auth(&self) -> Auth<'r> {
        self.auth
    }

    /// Writes the body: `original` is the call's own, a JSON object, `{}` for a call
    /// without one. An `auth` that it has is left out.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, original: Raw<'_>, out: &mut impl Write) -> fmt::Result {
        out.write_char('{')?;
        let first = matches!(self.auth, Auth::Absent);
        if !first {
            out.write_str("\"auth\":")?;
            self.auth.write(out)?;
        }
        json::write_members(out, original, &["auth"], first)?;
        out.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_call_is_repeated_whole_and_only_its_auth_is_replaced() {
        let session = Some(Secret::new("s\"1"));
        for (request, original, body) in [
            (Request::poll(None, Ticket(1)), "{}", "{}"),
            (Request::poll(None, Ticket(1)), r#"{"a":[ 1 ],"auth":{},"b":null}"#, r#"{"a":[ 1 ],"b":null}"#),
            (Request::poll(session, Ticket(1)), "{}", r#"{"auth":{"session":"s\"1"}}"#),
            (
                Request::attempt(AuthType::Dummy, AuthData::Dummy, session, Ticket(1)),
                r#"{"a\u0062":"\u00e9","auth":{"session":"old"}}"#,
                r#"{"auth":{"type":"m.login.dummy","session":"s\"1"},"ab":"\u00e9"}"#,
            ),
        ] {
            let mut out = String::new();
            request.write(Raw::parse(original).unwrap(), &mut out).unwrap();
            assert_eq!(out, body);
        }
    }
}
