//! Which types of login are served: what `GET login` says, and `POST login` keeps to.

use core::fmt::{self, Write};

use super::login_type::LoginType;
use super::request::{Attempt, LoginRequest};
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::json::ObjectWriter;

/// What a server serves of the legacy login.
///
/// ```
/// use matrix_uia::endpoint::login::Offer;
/// let mut offer = Offer::default();
/// offer.get_login_token = true;
/// let mut body = String::new();
/// offer.write(&mut body)?;
/// assert_eq!(body, r#"{"flows":[{"type":"m.login.password"},{"type":"m.login.token","get_login_token":true}]}"#);
/// # Ok::<(), core::fmt::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// Whether the legacy API is served at all (rule R7). Default: yes.
    pub legacy: bool,
    /// Whether users have passwords. Default: yes.
    pub password: bool,
    /// Whether [`login/get_token`] makes tokens, and with it whether a login takes them.
    /// Default: no.
    ///
    /// [`login/get_token`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token
    pub get_login_token: bool,
    /// Whether there are application services. Default: no.
    pub application_service: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self { legacy: true, password: true, get_login_token: false, application_service: false }
    }
}

impl Offer {
    /// Whether anybody but an application service is served: the answer to `GET login`,
    /// and to every endpoint that rule R7 lists.
    ///
    /// # Errors
    ///
    /// 404 `M_UNRECOGNIZED` where the legacy API is off.
    pub const fn check_legacy(&self) -> Result<(), MatrixError> {
        if self.legacy { Ok(()) } else { Err(MatrixError::unrecognized()) }
    }

    /// Whether [`login/get_token`] is served. It is optional, so a server without it has
    /// no such endpoint.
    ///
    /// [`login/get_token`]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token
    ///
    /// # Errors
    ///
    /// 404 `M_UNRECOGNIZED`.
    pub const fn check_get_token(&self) -> Result<(), MatrixError> {
        if self.legacy && self.get_login_token { Ok(()) } else { Err(MatrixError::unrecognized()) }
    }

    /// Whether `GET login` lists the type.
    #[must_use]
    pub const fn has(&self, login_type: LoginType) -> bool {
        match login_type {
            LoginType::Password => self.password,
            LoginType::Token => self.get_login_token,
            LoginType::ApplicationService => self.application_service,
        }
    }

    /// Reads the body of a login.
    ///
    /// # Errors
    ///
    /// Those of [`LoginRequest::parse`]; also 400 `M_UNKNOWN` for a type that isn't
    /// served. Where the legacy API is off, 400 `M_APPSERVICE_LOGIN_UNSUPPORTED` for a
    /// login as an application service's user, 404 `M_UNRECOGNIZED` for anything else.
    pub fn read<'a>(&self, body: &'a [u8]) -> Result<LoginRequest<'a>, MatrixError> {
        let request = LoginRequest::parse(body);
        if !self.legacy {
            return Err(match request {
                Ok(LoginRequest { attempt: Attempt::ApplicationService { .. }, .. }) => {
                    crate::endpoint::appservice::login_unsupported()
                }
                _ => MatrixError::unrecognized(),
            });
        }
        let request = request?;
        let served = match request.attempt {
            Attempt::Password { .. } => self.password,
            Attempt::Token { .. } => self.get_login_token,
            // Who has no application services says so of the token, which is then nobody's.
            Attempt::ApplicationService { .. } => true,
        };
        if served { Ok(request) } else { Err(LoginType::unknown()) }
    }

    /// Writes the body of [`GET /login`].
    ///
    /// [`GET /login`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("{\"flows\":[")?;
        let mut separator = "";
        for login_type in LoginType::ALL.iter().filter(|login_type| self.has(**login_type)) {
            out.write_str(core::mem::replace(&mut separator, ","))?;
            let mut flow = ObjectWriter::begin(out)?;
            flow.text("type", Text::new(login_type.name()))?;
            if *login_type == LoginType::Token {
                flow.boolean("get_login_token", true)?;
            }
            flow.end()?;
        }
        out.write_str("]}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::error::ErrorCode;

    const APPSERVICE: &[u8] = br#"{"type":"m.login.application_service","user":"_bridge_a"}"#;
    const PASSWORD: &[u8] = br#"{"type":"m.login.password","user":"a","password":"b"}"#;
    const TOKEN: &[u8] = br#"{"type":"m.login.token","token":"t"}"#;

    fn answers(offer: Offer, body: &[u8]) -> Result<(), (u16, ErrorCode)> {
        offer.read(body).map(|_| ()).map_err(|reject| (reject.status(), reject.code()))
    }

    #[test]
    fn what_is_not_offered_is_unknown() {
        let nothing = Offer { password: false, ..Offer::default() };
        assert_eq!(answers(nothing, PASSWORD), Err((400, ErrorCode::Unknown)));
        assert_eq!(answers(nothing, TOKEN), Err((400, ErrorCode::Unknown)));
        assert_eq!(answers(nothing, APPSERVICE), Ok(()), "its token is looked at");
        assert_eq!(answers(Offer { get_login_token: true, ..nothing }, TOKEN), Ok(()));
    }

    #[test]
    fn without_the_legacy_api_everything_is_unrecognized_but_for_application_services() {
        let off = Offer { legacy: false, get_login_token: true, ..Offer::default() };
        for body in [PASSWORD, TOKEN, b"{}", b"{", b"[]"] {
            assert_eq!(answers(off, body), Err((404, ErrorCode::Unrecognized)));
        }
        assert_eq!(answers(off, APPSERVICE), Err((400, ErrorCode::AppserviceLoginUnsupported)));
        assert!(off.check_legacy().is_err() && off.check_get_token().is_err());
    }
}
