//! Every request of ruma's is the one that this crate's parser makes of the same body.

use matrix_uia::MatrixError;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::devices::{DeleteDeviceRequest, DeleteDevicesRequest, UpdateDeviceRequest};
use matrix_uia::endpoint::login::{GetLoginTokenRequest, LoginRequest};
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::endpoint::refresh::RefreshRequest;
use matrix_uia::endpoint::register::{Kind, RegisterGuestRequest, RegisterRequest};
use matrix_uia::endpoint::signing_keys::UploadSigningKeysRequest;
use matrix_uia::endpoint::threepid::{
    AddThreepidRequest, DeleteThreepidRequest, Medium, RequestTokenRequest,
};
use matrix_uia::ruma::{Body, delete_threepid};
use matrix_uia::wire::Auth;
use proptest::prelude::*;
use ruma_client_api::account::{
    add_3pid, change_password, deactivate, delete_3pid, register,
    request_3pid_management_token_via_email as email_add,
    request_3pid_management_token_via_msisdn as msisdn_add,
    request_password_change_token_via_email as email_password,
    request_password_change_token_via_msisdn as msisdn_password,
    request_registration_token_via_email as email_register,
    request_registration_token_via_msisdn as msisdn_register,
};
use ruma_client_api::device::{delete_device, delete_devices, update_device};
use ruma_client_api::keys::upload_signing_keys::v3 as upload_signing_keys;
use ruma_client_api::session::{get_login_token, login, refresh_token};
use ruma_common::api::{IncomingRequest, IncomingRequestExt as _};
use serde_json::{Value, json};

use super::{any_json, auth_keys, config, object, text};

const SECRET: &str = "monkeys_are_GREAT";

/// The body as ruma's parser reads it, where it does.
fn theirs<R: IncomingRequest>(body: &str, path: &[&str], query: &str) -> Option<R> {
    let uri = format!("https://example.org/{query}");
    let request = http::Request::builder().method(R::METHOD).uri(uri).body(body.as_bytes()).unwrap();
    R::try_from_http_request(request, path).ok()
}

/// Whether an attempt of the auth dict is in order; what is not, is not written.
fn fault(auth: &Auth<'_>) -> String {
    match auth {
        Auth::Attempt { data: Err(malformed), .. } => format!("{malformed:?}"),
        _ => String::new(),
    }
}

/// What a body comes to by both ways: what the request writes, or its error. Without a
/// path, the way by ruma's types ends where ruma refuses the body.
macro_rules! both_ways {
    ($theirs:ty, $ours:ident $(. $auth:ident)?, $body:expr, $path:expr, $parse:expr) => {{
        fn told(ours: Result<$ours<'_>, MatrixError>) -> Result<(Value, String), MatrixError> {
            ours.map(|ours| {
                let mut written = String::new();
                ours.write(&mut written).unwrap();
                let fault = String::new() $(+ &fault(&ours.$auth))?;
                (serde_json::from_str(&written).unwrap(), fault)
            })
        }
        let body: String = $body;
        let parsed = told(($parse)(body.as_bytes()));
        theirs::<$theirs>(&body, $path, "").map(|theirs| (told(Body::of(&theirs).read()), parsed))
    }};
}

/// A body by both ways, for the table below.
type Alike = fn(String) -> Option<(Told, Told)>;
type Told = Result<(Value, String), MatrixError>;

fn guarded() -> Vec<(&'static str, Value, Alike)> {
    let key = |usage: &str| json!({"user_id": "@alice:example.org", "usage": [usage], "keys": {"ed25519:K": "K"}, "z": 1, "a": "\u{e9}"});
    vec![
        ("account/password", json!({"new_password": "p\"w", "logout_devices": false}), |body| {
            both_ways!(change_password::v3::Request, ChangePasswordRequest.auth, body, &[], |body| {
                ChangePasswordRequest::parse(body).map_err(MatrixError::from)
            })
        }),
        ("account/deactivate", json!({"id_server": "id.example.org", "erase": true}), |body| {
            both_ways!(deactivate::v3::Request, DeactivateRequest.auth, body, &[], |body| {
                DeactivateRequest::parse(body).map_err(MatrixError::from)
            })
        }),
        (
            "register",
            json!({
                "username": "Alice", "password": "p\\w", "device_id": "D", "initial_device_display_name": "Phone",
                "inhibit_login": true, "refresh_token": true, "type": "m.login.application_service",
            }),
            |body| {
                both_ways!(register::v3::Request, RegisterRequest.auth, body, &[], |body| {
                    RegisterRequest::parse(body).map_err(MatrixError::from)
                })
            },
        ),
        ("devices/{deviceId}", json!({}), |body| {
            both_ways!(delete_device::v3::Request, DeleteDeviceRequest.auth, body, &["D"], |body| {
                DeleteDeviceRequest::parse(body).map_err(MatrixError::from)
            })
        }),
        ("delete_devices", json!({"devices": ["A", "B\"", "A"]}), |body| {
            both_ways!(delete_devices::v3::Request, DeleteDevicesRequest.auth, body, &[], |body| {
                DeleteDevicesRequest::parse(body).map_err(MatrixError::from)
            })
        }),
        (
            "keys/device_signing/upload",
            json!({
                "master_key": key("master"), "self_signing_key": key("self_signing"),
                "user_signing_key": key("user_signing"),
            }),
            |body| {
                both_ways!(upload_signing_keys::Request, UploadSigningKeysRequest.auth, body, &[], |body| {
                    UploadSigningKeysRequest::parse(body).map_err(MatrixError::from)
                })
            },
        ),
        ("account/3pid/add", json!({"sid": "S", "client_secret": SECRET}), |body| {
            both_ways!(add_3pid::v3::Request, AddThreepidRequest.auth, body, &[], |body| {
                AddThreepidRequest::parse(body).map_err(MatrixError::from)
            })
        }),
        ("login/get_token", json!({}), |body| {
            both_ways!(get_login_token::v1::Request, GetLoginTokenRequest.auth, body, &[], |body| {
                GetLoginTokenRequest::parse(body).map_err(MatrixError::from)
            })
        }),
    ]
}

#[test]
fn every_guarded_request_is_what_its_body_parses_to() {
    let alice = json!({
        "type": "m.login.password", "session": "S", "password": "wonderland",
        "identifier": {"type": "m.id.user", "user": "alice"},
    });
    for (endpoint, body, both) in guarded() {
        for auth in [
            None,
            Some(json!({"session": "S"})),
            Some(alice.clone()),
            Some(json!({"type": "m.login.registration_token", "token": "a b"})),
            Some(json!({"type": "org.example.pin", "session": "S", "pin": [1, 2.5, null]})),
        ] {
            let mut body = body.clone();
            if let Some(auth) = auth {
                body["auth"] = auth;
            }
            let (ours, parsed) = both(body.to_string()).unwrap_or_else(|| panic!("{endpoint}: ruma refuses"));
            assert_eq!(ours, parsed, "{endpoint}: {body}");
            let (written, fault) = ours.unwrap();
            assert!(written == body || !fault.is_empty(), "{endpoint}: all of it has arrived");
        }
    }
}

fn unguarded() -> Vec<(&'static str, Value, Alike)> {
    let email = json!({
        "client_secret": SECRET, "email": "Alice@example.org", "send_attempt": 2, "next_link": "https://example.org/",
        "id_server": "id.example.org", "id_access_token": "T",
    });
    let msisdn = json!({
        "client_secret": SECRET, "country": "GB", "phone_number": "07700900001", "send_attempt": 1,
        "next_link": "https://example.org/",
    });
    macro_rules! tokens {
        ($module:ident, $medium:ident) => {
            |body| {
                both_ways!($module::v3::Request, RequestTokenRequest, body, &[], |body| {
                    RequestTokenRequest::parse(Medium::$medium, body)
                })
            }
        };
    }
    let login: Alike = |body| both_ways!(login::v3::Request, LoginRequest, body, &[], LoginRequest::parse);
    vec![
        ("register/email", email.clone(), tokens!(email_register, Email)),
        ("account/password/email", email.clone(), tokens!(email_password, Email)),
        ("account/3pid/email", email, tokens!(email_add, Email)),
        ("register/msisdn", msisdn.clone(), tokens!(msisdn_register, Msisdn)),
        ("account/password/msisdn", msisdn.clone(), tokens!(msisdn_password, Msisdn)),
        ("account/3pid/msisdn", msisdn, tokens!(msisdn_add, Msisdn)),
        (
            "login by password",
            json!({
                "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "alice"},
                "password": "p\"w", "device_id": "D", "initial_device_display_name": "Phone", "refresh_token": true,
            }),
            login,
        ),
        ("login by token", json!({"type": "m.login.token", "token": "T", "refresh_token": true}), login),
        (
            "login of an application service",
            json!({
                "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "alice"},
                "refresh_token": true,
            }),
            login,
        ),
        ("refresh", json!({"refresh_token": "R\""}), |body| {
            both_ways!(refresh_token::v3::Request, RefreshRequest, body, &[], RefreshRequest::parse)
        }),
        ("PUT devices/{deviceId}", json!({"display_name": "Phone \"1\""}), |body| {
            both_ways!(
                update_device::v3::Request,
                UpdateDeviceRequest,
                body,
                &["D"],
                UpdateDeviceRequest::parse
            )
        }),
        ("PUT devices/{deviceId} without a name", json!({}), |body| {
            both_ways!(
                update_device::v3::Request,
                UpdateDeviceRequest,
                body,
                &["D"],
                UpdateDeviceRequest::parse
            )
        }),
    ]
}

#[test]
fn every_other_request_is_what_its_body_parses_to() {
    for (endpoint, body, both) in unguarded() {
        let (ours, parsed) = both(body.to_string()).unwrap_or_else(|| panic!("{endpoint}: ruma refuses"));
        assert_eq!(ours, parsed, "{endpoint}: {body}");
        assert_eq!(ours.unwrap().0, body, "{endpoint}: all of it has arrived");
    }
}

#[test]
fn what_the_parser_refuses_is_refused_with_the_same_error() {
    let odd = [
        ("refresh", json!({"refresh_token": ""})),
        ("register/email", json!({"client_secret": SECRET, "email": "no address", "send_attempt": 1})),
        (
            "register/msisdn",
            json!({
                "client_secret": SECRET, "country": "gb", "phone_number": "1", "send_attempt": 1,
            }),
        ),
        (
            "account/3pid/email",
            json!({
                "client_secret": SECRET, "email": "a@b.c", "send_attempt": 1, "next_link": "ftp://example.org/",
            }),
        ),
        ("login by token", json!({"type": "m.login.token", "token": ""})),
        ("login by token", json!({"type": "org.example.login"})),
        ("login by password", json!({"type": "m.login.password", "password": "p"})),
        ("PUT devices/{deviceId}", json!({"display_name": "x".repeat(513)})),
        ("keys/device_signing/upload", json!({"master_key": {"user_id": 1}})),
    ];
    let table: Vec<_> = guarded().into_iter().chain(unguarded()).collect();
    for (endpoint, body) in odd {
        let (_, _, both) = table.iter().find(|(name, ..)| *name == endpoint).unwrap();
        let (ours, parsed) = both(body.to_string()).unwrap_or_else(|| panic!("{endpoint}: ruma refuses"));
        assert!(ours.is_err(), "{endpoint}: {body}");
        assert_eq!(ours, parsed, "{endpoint}: {body}");
    }
}

#[test]
fn a_key_that_is_none_is_refused_with_the_same_error() {
    let body = json!({
        "master_key": {"user_id": "@a:b", "usage": ["user_signing"], "keys": {"ed25519:K": "K"}},
    })
    .to_string();
    let request: upload_signing_keys::Request = theirs(&body, &[], "").unwrap();
    let converted = Body::of(&request);
    let check = |ours: UploadSigningKeysRequest<'_>| ours.check("@a:b").map(|_| ());
    let ours = converted.read().and_then(check);
    let parsed = UploadSigningKeysRequest::parse(body.as_bytes()).map_err(MatrixError::from).and_then(check);
    assert!(ours.is_err(), "{body}");
    assert_eq!(ours, parsed, "{body}");
}

#[test]
fn a_default_spelled_out_counts_as_left_out() {
    let body = r#"{"new_password":"p","logout_devices":true}"#;
    let request: change_password::v3::Request = theirs(body, &[], "").unwrap();
    assert_eq!(Body::of(&request).read().unwrap().logout_devices, None);
    let request: deactivate::v3::Request = theirs(r#"{"erase":false}"#, &[], "").unwrap();
    assert_eq!(Body::of(&request).read().unwrap().erase, None);
    let request: register::v3::Request = theirs(r#"{"inhibit_login":false}"#, &[], "").unwrap();
    assert_eq!(Body::of(&request).read().unwrap().inhibit_login, None);
}

#[test]
fn the_kind_of_a_registration_is_in_its_query() {
    let request =
        |query| theirs::<register::v3::Request>(r#"{"initial_device_display_name":"G"}"#, &[], query);
    for (query, kind) in [("", Kind::User), ("?kind=user", Kind::User), ("?kind=guest", Kind::Guest)] {
        assert_eq!(Kind::try_from(&request(query).unwrap().kind), Ok(kind));
    }
    let odd = Kind::try_from(&request("?kind=bot").unwrap().kind);
    assert_eq!(odd, Kind::parse(Some("bot")));

    let guest = request("?kind=guest").unwrap();
    let name = RegisterGuestRequest::try_from(&guest).unwrap().initial_device_display_name;
    assert!(name.is_some_and(|name| name == "G"));
    let body = json!({"initial_device_display_name": "x".repeat(513)}).to_string();
    let long: register::v3::Request = theirs(&body, &[], "?kind=guest").unwrap();
    let ours = RegisterGuestRequest::try_from(&long).map(|_| ());
    assert_eq!(ours, RegisterGuestRequest::parse(body.as_bytes()).map(|_| ()));
    assert!(ours.is_err());
}

#[test]
fn an_address_is_removed_where_addresses_may_be() {
    for body in [
        json!({"medium": "email", "address": "Alice@example.org", "id_server": "id.example.org"}),
        json!({"medium": "msisdn", "address": "447700900001"}),
        json!({"medium": "email", "address": "nobody"}),
        json!({"medium": "org.example.fax", "address": "1"}),
        json!({"medium": "email", "address": "a@b.c", "id_server": ""}),
    ] {
        let body = body.to_string();
        let request: delete_3pid::v3::Request = theirs(&body, &[], "").unwrap();
        for enabled in [true, false] {
            let told = |ours: Result<DeleteThreepidRequest<'_>, MatrixError>| {
                ours.map(|ours| (ours.threepid, ours.id_server.map(|server| server.to_string())))
            };
            let ours = told(delete_threepid(&request, enabled));
            assert_eq!(
                ours,
                told(DeleteThreepidRequest::parse(body.as_bytes(), enabled)),
                "{body} {enabled}"
            );
            assert!(enabled || ours.is_err());
        }
    }
}

#[test]
fn a_body_shows_nothing() {
    let mut request = change_password::v3::Request::new("ZXQmark".to_owned());
    request.auth = Some(ruma_client_api::uiaa::AuthData::fallback_acknowledgement("ZXQmark".to_owned()));
    let body = Body::of(&request);
    assert!(!format!("{body:?} {:?}", body.read().unwrap()).contains("ZXQmark"));
}

proptest! {
    #![proptest_config(config())]

    /// Whatever auth dict ruma reads, in whatever request.
    #[test]
    fn an_auth_dict_in_a_request_is_read_as_in_a_body(which in 0..8_usize, keys in auth_keys()) {
        let (endpoint, body, both) = guarded().swap_remove(which);
        let mut body = body.to_string();
        body.pop();
        let comma = if body == "{" { "" } else { "," };
        let body = format!("{body}{comma}\"auth\":{}}}", object(&keys));
        let Some((ours, parsed)) = both(body.clone()) else { return Ok(()) };
        // What ruma reads of a key that comes twice, or of a session that is no text, we refuse.
        if parsed.is_ok() {
            prop_assert_eq!(ours, parsed, "{}: {}", endpoint, body);
        }
    }

    /// Whatever values the keys have.
    #[test]
    fn a_request_is_read_as_its_body(
        which in 0..20_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), text(), any_json()), 1..4),
    ) {
        let table: Vec<_> = guarded().into_iter().chain(unguarded()).collect();
        let (endpoint, body, both) = &table[which];
        let mut body = body.clone();
        let names: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        if names.is_empty() {
            return Ok(());
        }
        for (name, text, odd) in changes {
            let name = name.get(&names);
            body[name.as_str()] = if body[name.as_str()].is_string() { text.into() } else { odd };
        }
        // Ruma counts a default as left out, and so does whoever binds it.
        let defaults = [("logout_devices", true), ("erase", false), ("inhibit_login", false), ("refresh_token", false)];
        for (name, default) in defaults {
            if body.get(name) == Some(&default.into()) {
                body.as_object_mut().unwrap().remove(name);
            }
        }
        let Some((ours, parsed)) = both(body.to_string()) else { return Ok(()) };
        prop_assert_eq!(ours, parsed, "{}: {}", endpoint, body);
    }
}
