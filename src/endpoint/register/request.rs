//! The body of a registration.

use super::Localpart;
use crate::endpoint::login::{LoginType, check_device};
use crate::endpoint::password::PasswordStrength;
use crate::server::digest::BindingKey;
use crate::server::operation::Register;
use crate::server::session::Call;
use crate::wire::error::MatrixError;
use crate::wire::json::{self, Span, Table, table};
use crate::wire::{AUTH, AUTH_SLOTS, Auth, AuthSpans, ParseError};
use crate::{Secret, Text};

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

    /// What can be refused before anybody is asked to authenticate, but for the name.
    ///
    /// # Errors
    ///
    /// 400 `M_WEAK_PASSWORD` or `M_INVALID_PARAM`.
    pub fn check(&self, strength: &PasswordStrength) -> Result<(), MatrixError> {
        self.check_device()?;
        self.password.map_or(Ok(()), |password| strength.check(password))
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

    /// The call to be guarded. `username` is the canonical one, so that `Alice` and
    /// `@alice:server` are the same parameter.
    pub fn call(&self, key: &BindingKey, username: Option<&Localpart>) -> Call<'a, Register> {
        let params = key
            .params::<Register>()
            .text(username.map(|name| Text::new(name.as_str())))
            .text(self.password.map(|secret| secret.expose()))
            .text(self.device_id)
            .text(self.initial_device_display_name)
            .boolean(self.inhibit_login)
            .boolean(self.refresh_token);
        Call::new(self.auth, None).with_params(params.finish())
    }
}

/// The body of a guest's registration: [all parameters but one] are ignored, whatever
/// their type.
///
/// [all parameters but one]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GuestRequest<'a> {
    /// The name of the guest's device.
    pub initial_device_display_name: Option<Text<'a>>,
}

impl<'a> GuestRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, 400
    /// `M_INVALID_PARAM` if the name is longer than
    /// [`MAX_DEVICE_TEXT_LEN`](super::MAX_DEVICE_TEXT_LEN) bytes.
    #[inline(never)]
    pub fn parse(body: &'a [u8]) -> Result<Self, MatrixError> {
        static KEYS: Table = table![0; "initial_device_display_name": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [name] = slots;
        let initial_device_display_name = name.text(text);
        check_device(None, initial_device_display_name)?;
        Ok(Self { initial_device_display_name })
    }
}
