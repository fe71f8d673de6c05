//! The requests that User-Interactive Authentication guards.
//!
//! Of a flag that is as if it had been left out, ruma doesn't know whether it was sent. It
//! counts as left out, so that one which was bound or kept before holds (rule U13).

use alloc::vec::Vec;

use ruma_client_api::account::{add_3pid, change_password, deactivate, register};
use ruma_client_api::device::{delete_device, delete_devices};
use ruma_client_api::keys::upload_signing_keys::v3 as upload_signing_keys;
use ruma_client_api::session::get_login_token;
use ruma_client_api::uiaa::AuthData;
use ruma_common::OwnedDeviceId;
use ruma_common::encryption::CrossSigningKey;
use ruma_common::serde::Raw;
use serde::Serialize;

use super::Encoded;
use super::body::Convert;
use crate::endpoint::deactivate::DeactivateRequest;
use crate::endpoint::devices::{DeleteDeviceRequest, DeleteDevicesRequest};
use crate::endpoint::login::GetLoginTokenRequest;
use crate::endpoint::password::ChangePasswordRequest;
use crate::endpoint::register::{Kind, RegisterGuestRequest, RegisterRequest};
use crate::endpoint::signing_keys::UploadSigningKeysRequest;
use crate::endpoint::threepid::AddThreepidRequest;
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::Auth;
use crate::wire::error::MatrixError;

/// A body with nothing but its auth dict.
#[derive(Serialize)]
struct AuthAlone<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a AuthData>,
}

fn auth_alone(auth: Option<&AuthData>) -> Encoded {
    Encoded::of(&AuthAlone { auth })
}

fn auth(encoded: &Encoded) -> Result<Auth<'_>, MatrixError> {
    Ok(Auth::of_body(encoded.as_bytes())?)
}

impl Convert for change_password::v3::Request {
    type Ours<'a> = ChangePasswordRequest<'a>;

    fn encode(&self) -> Encoded {
        auth_alone(self.auth.as_ref())
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<ChangePasswordRequest<'a>, MatrixError> {
        Ok(ChangePasswordRequest {
            new_password: Some(Secret::new(&self.new_password)),
            logout_devices: (!self.logout_devices).then_some(false),
            auth: auth(encoded)?,
        })
    }
}

impl Convert for deactivate::v3::Request {
    type Ours<'a> = DeactivateRequest<'a>;

    fn encode(&self) -> Encoded {
        auth_alone(self.auth.as_ref())
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<DeactivateRequest<'a>, MatrixError> {
        Ok(DeactivateRequest {
            id_server: self.id_server.as_deref().map(Text::new),
            erase: self.erase.then_some(true),
            auth: auth(encoded)?,
        })
    }
}

/// Of a registration by a person or an application service. A guest's is read by
/// [`RegisterGuestRequest`]'s `TryFrom`, which one it is by [`Kind`]'s.
impl Convert for register::v3::Request {
    type Ours<'a> = RegisterRequest<'a>;

    fn encode(&self) -> Encoded {
        auth_alone(self.auth.as_ref())
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<RegisterRequest<'a>, MatrixError> {
        Ok(RegisterRequest {
            username: self.username.as_deref().map(Text::new),
            password: self.password.as_deref().map(Secret::new),
            device_id: self.device_id.as_ref().map(|id| Text::new(id.as_str())),
            initial_device_display_name: self.initial_device_display_name.as_deref().map(Text::new),
            inhibit_login: self.inhibit_login.then_some(true),
            refresh_token: self.refresh_token.then_some(true),
            by_appservice: self.login_type == Some(register::LoginType::ApplicationService),
            auth: auth(encoded)?,
        })
    }
}

/// Fails as [`RegisterGuestRequest::parse`] does.
impl<'a> TryFrom<&'a register::v3::Request> for RegisterGuestRequest<'a> {
    type Error = MatrixError;

    fn try_from(request: &'a register::v3::Request) -> Result<Self, MatrixError> {
        Self::named(request.initial_device_display_name.as_deref().map(Text::new))
    }
}

/// Fails for a kind that the specification does not have, with 400 `M_INVALID_PARAM`.
impl TryFrom<&register::RegistrationKind> for Kind {
    type Error = MatrixError;

    fn try_from(kind: &register::RegistrationKind) -> Result<Self, MatrixError> {
        Self::parse(Some(kind.as_str()))
    }
}

/// The device is in the path: `check` takes the `device_id` of ruma's request.
impl Convert for delete_device::v3::Request {
    type Ours<'a> = DeleteDeviceRequest<'a>;

    fn encode(&self) -> Encoded {
        auth_alone(self.auth.as_ref())
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<DeleteDeviceRequest<'a>, MatrixError> {
        Ok(DeleteDeviceRequest::parse(encoded.as_bytes())?)
    }
}

#[derive(Serialize)]
struct Devices<'a> {
    devices: &'a Vec<OwnedDeviceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a AuthData>,
}

impl Convert for delete_devices::v3::Request {
    type Ours<'a> = DeleteDevicesRequest<'a>;

    fn encode(&self) -> Encoded {
        Encoded::of(&Devices { devices: &self.devices, auth: self.auth.as_ref() })
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<DeleteDevicesRequest<'a>, MatrixError> {
        Ok(DeleteDevicesRequest::parse(encoded.as_bytes())?)
    }
}

#[derive(Serialize)]
struct Keys<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    master_key: Option<&'a Raw<CrossSigningKey>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_signing_key: Option<&'a Raw<CrossSigningKey>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_signing_key: Option<&'a Raw<CrossSigningKey>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a AuthData>,
}

/// Every key is the very text that came in, which its signatures cover.
impl Convert for upload_signing_keys::Request {
    type Ours<'a> = UploadSigningKeysRequest<'a>;

    fn encode(&self) -> Encoded {
        Encoded::of(&Keys {
            master_key: self.master_key.as_ref(),
            self_signing_key: self.self_signing_key.as_ref(),
            user_signing_key: self.user_signing_key.as_ref(),
            auth: self.auth.as_ref(),
        })
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<UploadSigningKeysRequest<'a>, MatrixError> {
        Ok(UploadSigningKeysRequest::parse(encoded.as_bytes())?)
    }
}

impl Convert for add_3pid::v3::Request {
    type Ours<'a> = AddThreepidRequest<'a>;

    fn encode(&self) -> Encoded {
        auth_alone(self.auth.as_ref())
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<AddThreepidRequest<'a>, MatrixError> {
        Ok(AddThreepidRequest {
            sid: Some(Text::new(self.sid.as_str())),
            client_secret: Some(Secret::new(self.client_secret.as_str())),
            auth: auth(encoded)?,
        })
    }
}

impl Convert for get_login_token::v1::Request {
    type Ours<'a> = GetLoginTokenRequest<'a>;

    fn encode(&self) -> Encoded {
        auth_alone(self.auth.as_ref())
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<GetLoginTokenRequest<'a>, MatrixError> {
        Ok(GetLoginTokenRequest { auth: auth(encoded)? })
    }
}
