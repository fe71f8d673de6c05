//! The body of a registration.

use core::fmt::{self, Write};

use super::name::Localpart;
use crate::endpoint::checked::Checked;
use crate::endpoint::login::{LoginType, check_device};
use crate::endpoint::password::PasswordStrength;
use crate::secret::Secret;
use crate::server::call::RefusedCall;
use crate::server::grant::Refusal;
use crate::server::operation::Register;
use crate::text::Text;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError};

/// The body of a registration.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RegisterRequest<'a> {
    /// The name asked for; without one the server makes one.
    pub username: Option<Text<'a>>,
    /// The password of the new account.
    pub password: Option<Secret<'a>>,
    /// The device to log in on.
    pub device_id: Option<Text<'a>>,
    /// Its name, if it is new.
    pub initial_device_display_name: Option<Text<'a>>,
    /// Whether no login is wanted; absent means one is.
    pub inhibit_login: Option<bool>,
    /// Whether the client takes refresh tokens.
    pub refresh_token: Option<bool>,
    /// Whether `type` says that an [application service] registers one of its users. Any
    /// other `type` is no key of a registration, and ignored.
    ///
    /// [application service]: https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions
    pub by_appservice: bool,
    /// The auth dict.
    pub auth: Auth<'a>,
}

impl<'a> RegisterRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![AUTH_SLOTS;
            "username": Text,
            "password": Text,
            "device_id": Text,
            "initial_device_display_name": Text,
            "inhibit_login": Flag,
            "refresh_token": Flag,
            "type": Any,
            "auth": Object(AUTH),
        ];
        let mut slots = [Span::NONE; AUTH_SLOTS + 8];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [keys @ .., username, password, device, name, inhibit_login, refresh_token, login_type, dict] =
            &slots;
        let by_appservice = |login_type| login_type == LoginType::ApplicationService.name();
        Ok(Self {
            username: username.text(text),
            password: password.secret(text),
            device_id: device.text(text),
            initial_device_display_name: name.text(text),
            inhibit_login: inhibit_login.flag(text),
            refresh_token: refresh_token.flag(text),
            by_appservice: login_type.text(text).is_some_and(by_appservice),
            auth: AuthSpans::of(keys, text).auth(*dict),
        })
    }

    /// Writes the body, as a client sends it.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        if self.by_appservice {
            object.text("type", Text::new(LoginType::ApplicationService.name()))?;
        }
        object.text_if("username", self.username)?;
        object.secret_if("password", self.password)?;
        object.text_if("device_id", self.device_id)?;
        object.text_if("initial_device_display_name", self.initial_device_display_name)?;
        object.boolean_if("inhibit_login", self.inhibit_login)?;
        object.boolean_if("refresh_token", self.refresh_token)?;
        self.auth.write_key(&mut object)?;
        object.end()
    }

    /// What can be refused before anybody is asked to authenticate, by the request alone.
    /// Whether people may take the name the host says, when the exchange asks
    /// [`Admit`](crate::server::exchange::Admit): [`Localpart::available`].
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_USERNAME`, `M_WEAK_PASSWORD` or `M_INVALID_PARAM`. The request may belong to a
    /// session, where other parameters may be sent (rule U14): that is why it is not the error itself
    /// that comes back, but what [`drive::checked`](crate::server::drive::checked) makes the answer of.
    #[allow(clippy::result_large_err, reason = "what was checked is larger")]
    #[inline]
    pub fn check(
        self,
        strength: &PasswordStrength,
        server_name: &str,
    ) -> Result<Checked<Registration<'a>>, RefusedCall<'a, Register>> {
        self.checked(strength, server_name).map_err(|error| RefusedCall::new(&self.auth, error))
    }

    #[inline]
    fn checked(
        self,
        strength: &PasswordStrength,
        server_name: &str,
    ) -> Result<Checked<Registration<'a>>, MatrixError> {
        let username = self.username.map(|name| Localpart::parse(name, server_name)).transpose()?;
        self.check_device()?;
        if let Some(password) = self.password {
            strength.check(password)?;
        }
        Ok(Checked::new(Registration { request: self, username }))
    }

    /// The part of [`check`](Self::check) that is about the device: all that there is to
    /// check for an application service, whose users need no password.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM`.
    pub fn check_device(&self) -> Result<(), MatrixError> {
        check_device(self.device_id, self.initial_device_display_name)
    }

    pub(super) const fn has_login_params(&self) -> bool {
        self.device_id.is_some()
            || self.initial_device_display_name.is_some()
            || self.inhibit_login.is_some()
            || self.refresh_token.is_some()
    }
}

/// A registration that has been checked, with the name in the form that accounts have: so
/// `Alice` and `@alice:server` are the same parameter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Registration<'a> {
    /// The request.
    pub request: RegisterRequest<'a>,
    /// The name asked for.
    pub username: Option<Localpart>,
}

impl Registration<'_> {
    /// Whether people can take the name asked for, if there is one: the host's answer to
    /// [`Admit`](crate::server::exchange::Admit). `claimed_by_appservice` and `taken` are looked
    /// up by that name. Another name may be asked for in the same session.
    ///
    /// # Errors
    ///
    /// Those of [`Localpart::available`].
    pub fn available(
        &self,
        claimed_by_appservice: impl FnOnce(&Localpart) -> bool,
        taken: impl FnOnce(&Localpart) -> bool,
    ) -> Result<(), Refusal> {
        let Some(name) = &self.username else { return Ok(()) };
        name.available(claimed_by_appservice(name), taken(name)).map_err(Refusal::for_params)
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString as _};

    use super::*;
    use crate::wire::error::ErrorCode;

    #[test]
    fn the_server_reads_the_registration_that_the_client_writes() {
        let mut request = RegisterRequest::default();
        for step in 0..7 {
            match step {
                0 => request.username = Some(Text::new("alice")),
                1 => request.password = Some(Secret::new("p\"w")),
                2 => request.device_id = Some(Text::new("D")),
                3 => request.initial_device_display_name = Some(Text::new("Phone")),
                4 => request.inhibit_login = Some(false),
                5 => request.refresh_token = Some(true),
                _ => request.by_appservice = true,
            }
            let (mut body, mut again) = (String::new(), String::new());
            request.write(&mut body).unwrap();
            let read = RegisterRequest::parse(body.as_bytes()).unwrap();
            assert_eq!(read.by_appservice, request.by_appservice);
            read.write(&mut again).unwrap();
            assert_eq!(again, body);
            assert_eq!(body.matches("\":").count(), step + 1, "{body}");
        }
    }

    #[test]
    fn a_name_that_is_asked_for_is_let_in_if_it_is_free() {
        let check = |request: RegisterRequest<'static>| {
            request.check(&PasswordStrength::default(), "example.org").unwrap()
        };
        let bob = check(RegisterRequest { username: Some(Text::new("Bob")), ..RegisterRequest::default() });
        assert_eq!(bob.available(|_| false, |name| name.as_str() != "bob"), Ok(()));
        let in_use = Refusal::for_params(Localpart::in_use());
        assert_eq!(bob.available(|_| false, |name| name.to_string() == "bob"), Err(in_use));
        let claimed = bob.available(|_| true, |_| true).unwrap_err();
        assert_eq!(claimed.error().code(), ErrorCode::Exclusive);
        assert_eq!(check(RegisterRequest::default()).available(|_| true, |_| true), Ok(()));
    }
}
