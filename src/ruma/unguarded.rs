//! The requests that need no User-Interactive Authentication.

use ruma_client_api::account::{
    delete_3pid, request_3pid_management_token_via_email as email_add,
    request_3pid_management_token_via_msisdn as msisdn_add,
    request_password_change_token_via_email as email_password,
    request_password_change_token_via_msisdn as msisdn_password,
    request_registration_token_via_email as email_register,
    request_registration_token_via_msisdn as msisdn_register,
};
use ruma_client_api::device::update_device;
use ruma_client_api::session::login::v3::{self as login, LoginInfo};
use ruma_client_api::session::refresh_token::v3 as refresh_token;
use serde::Serialize;

use super::Encoded;
use super::body::Convert;
use crate::endpoint::devices::UpdateDeviceRequest;
use crate::endpoint::login::LoginRequest;
use crate::endpoint::refresh::RefreshRequest;
use crate::endpoint::threepid::{DeleteThreepidRequest, Medium, RequestTokenRequest};
use crate::text::Text;
use crate::wire::error::MatrixError;

#[derive(Serialize)]
struct Login<'a> {
    #[serde(flatten)]
    login_info: &'a LoginInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_device_display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<bool>,
}

impl Convert for login::Request {
    type Ours<'a> = LoginRequest<'a>;

    fn encode(&self) -> Encoded {
        Encoded::of(&Login {
            login_info: &self.login_info,
            device_id: self.device_id.as_ref().map(|id| id.as_str()),
            initial_device_display_name: self.initial_device_display_name.as_deref(),
            refresh_token: self.refresh_token.then_some(true),
        })
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<LoginRequest<'a>, MatrixError> {
        LoginRequest::parse(encoded.as_bytes())
    }
}

#[derive(Serialize)]
struct Refresh<'a> {
    refresh_token: &'a str,
}

impl Convert for refresh_token::Request {
    type Ours<'a> = RefreshRequest<'a>;

    fn encode(&self) -> Encoded {
        Encoded::of(&Refresh { refresh_token: &self.refresh_token })
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<RefreshRequest<'a>, MatrixError> {
        RefreshRequest::parse(encoded.as_bytes())
    }
}

#[derive(Serialize)]
struct Named<'a> {
    display_name: Option<&'a str>,
}

/// The device is in the path: `decide` takes the `device_id` of ruma's request.
impl Convert for update_device::v3::Request {
    type Ours<'a> = UpdateDeviceRequest<'a>;

    fn encode(&self) -> Encoded {
        Encoded::of(&Named { display_name: self.display_name.as_deref() })
    }

    fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<UpdateDeviceRequest<'a>, MatrixError> {
        UpdateDeviceRequest::parse(encoded.as_bytes())
    }
}

/// The request to remove an address. `enabled` is the `m.3pid_changes` capability.
///
/// # Errors
///
/// Those of [`DeleteThreepidRequest::parse`].
pub fn delete_threepid(
    request: &delete_3pid::v3::Request,
    enabled: bool,
) -> Result<DeleteThreepidRequest<'_>, MatrixError> {
    DeleteThreepidRequest::of(
        Some(Text::new(request.medium.as_str())),
        Some(Text::new(&request.address)),
        request.id_server.as_deref().map(Text::new),
        enabled,
    )
}

#[derive(Default, Serialize)]
struct Token<'a> {
    client_secret: &'a str,
    send_attempt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_access_token: Option<&'a str>,
}

macro_rules! request_token {
    ($($module:ident: $medium:ident, [$($address:ident),+] $(, $server:ident)?;)+) => {
        $(
            impl Convert for $module::v3::Request {
                type Ours<'a> = RequestTokenRequest<'a>;

                #[allow(deprecated, reason = "clients of earlier versions still name an identity server")]
                fn encode(&self) -> Encoded {
                    #[allow(unused_mut, reason = "one of the six names no identity server")]
                    let mut token = Token {
                        client_secret: self.client_secret.as_str(),
                        send_attempt: self.send_attempt.into(),
                        $($address: Some(&self.$address),)+
                        next_link: self.next_link.as_deref(),
                        ..Token::default()
                    };
                    $(
                        if let Some(server) = &self.$server {
                            token.id_server = Some(&server.id_server);
                            token.id_access_token = Some(&server.id_access_token);
                        }
                    )?
                    Encoded::of(&token)
                }

                fn convert<'a>(&'a self, encoded: &'a Encoded) -> Result<RequestTokenRequest<'a>, MatrixError> {
                    RequestTokenRequest::parse(Medium::$medium, encoded.as_bytes())
                }
            }
        )+
    };
}

request_token! {
    email_register: Email, [email], identity_server_info;
    email_password: Email, [email], identity_server_info;
    email_add: Email, [email], identity_server_info;
    msisdn_register: Msisdn, [country, phone_number], identity_server_info;
    msisdn_password: Msisdn, [country, phone_number];
    msisdn_add: Msisdn, [country, phone_number], identity_server_info;
}
