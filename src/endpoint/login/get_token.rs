//! [`POST /login/get_token`]: a token to log in with on another device.
//!
//! [`POST /login/get_token`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token

use core::fmt::{self, Write};

use crate::endpoint::checked::Checked;
use crate::secret::Secret;
use crate::server::call::Call;
use crate::server::digest::BindingKey;
use crate::server::endpoint::Endpoint;
use crate::server::grant::{Grant, Refusal};
use crate::server::operation::GetLoginToken;
use crate::server::reference::UserRef;
use crate::server::seal::Sealer;
use crate::time::Millis;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{Auth, ParseError};

/// The body of a request for a login token. It has no parameters of its own.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GetLoginTokenRequest<'a> {
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> GetLoginTokenRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        Ok(Self { auth: Auth::of_body(body)? })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate. `enabled`: whether
    /// there are such tokens here.
    ///
    /// # Errors
    ///
    /// 404 `M_UNRECOGNIZED` where there are none.
    pub fn check(self, enabled: bool) -> Result<Checked<Self>, MatrixError> {
        if enabled { Ok(Checked::new(self)) } else { Err(MatrixError::unrecognized()) }
    }
}

/// A login token that may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "no token is made until the host does it"]
#[non_exhaustive]
pub struct LoginTokenGrant {
    /// For whom.
    pub user: UserRef,
}

/// It is asked for every time: no recent authentication is enough, and an answer that was
/// lost is not given again, for somebody else may hold it.
impl Endpoint for Checked<GetLoginTokenRequest<'_>> {
    type Op = GetLoginToken;
    type Stored = ();
    type Plan<H: Send> = LoginTokenGrant;

    fn call(&self, _: &BindingKey) -> Call<'_, GetLoginToken> {
        Call::new(&self.auth)
    }

    fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<GetLoginToken>,
        _: Option<()>,
        _: Option<H>,
    ) -> Result<LoginTokenGrant, Refusal> {
        let user = grant.user().ok_or(Refusal::new(MatrixError::missing_token()))?;
        Ok(LoginTokenGrant { user })
    }
}

/// The answer to a request for a login token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GetLoginTokenResponse<'a> {
    /// The token, good for one login.
    pub login_token: Secret<'a>,
    /// How long it is good for. The spec recommends two minutes.
    pub expires_in: Millis,
}

impl<'a> GetLoginTokenResponse<'a> {
    /// The answer.
    #[must_use]
    pub const fn new(login_token: Secret<'a>, expires_in: Millis) -> Self {
        Self { login_token, expires_in }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also without
    /// one of the two keys.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "login_token": Text, "expires_in_ms": Any];
        let mut slots = [Span::NONE; 2];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [login_token, expires_in] = slots;
        let read = login_token.secret(text).zip(expires_in.lenient_millis(text));
        let (login_token, expires_in) = read.ok_or(ParseError::WrongType)?;
        Ok(Self { login_token, expires_in })
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("login_token", self.login_token.expose())?;
        object.integer("expires_in_ms", self.expires_in.get())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn each_side_reads_what_the_other_writes() {
        let mut body = String::new();
        GetLoginTokenRequest { auth: Auth::Poll { session: Secret::new("s") } }.write(&mut body).unwrap();
        let request = GetLoginTokenRequest::parse(body.as_bytes()).unwrap();
        assert_eq!(request.auth.session().unwrap().expose(), "s");
        body.clear();
        GetLoginTokenResponse::new(Secret::new("t"), Millis::from_secs(120)).write(&mut body).unwrap();
        let response = GetLoginTokenResponse::parse(body.as_bytes()).unwrap();
        assert_eq!(
            (response.login_token.expose(), response.expires_in),
            ("t".into(), Millis::from_secs(120))
        );
        assert!(GetLoginTokenResponse::parse(br#"{"login_token":"t"}"#).is_err());
    }
}
