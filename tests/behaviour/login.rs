//! What of rule L2 the crate decides.

use matrix_uia::account::{AccountStatus, Event};
use matrix_uia::login::{Attempt, LoginRequest, decide};
use matrix_uia::wire::UserIdentifier;
use serde_json::{Value, json};

fn says(body: &Value) -> String {
    match LoginRequest::parse(body.to_string().as_bytes()) {
        Ok(_) => "ok".to_owned(),
        Err(reject) => format!("{} {}", reject.status(), reject.code()),
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login
#[test]
fn l2_every_odd_login_has_its_error() {
    let user = json!({"type": "m.id.user", "user": "alice"});
    for (body, answer) in [
        (json!({}), "400 M_MISSING_PARAM"),
        (json!({"type": null}), "400 M_MISSING_PARAM"),
        (json!({"type": 1}), "400 M_BAD_JSON"),
        (json!([]), "400 M_BAD_JSON"),
        (json!({"type": "org.example.unknown"}), "400 M_UNKNOWN"),
        (json!({"type": "m.login.dummy"}), "400 M_UNKNOWN"),
        (json!({"type": "m.login.password"}), "400 M_MISSING_PARAM"),
        (json!({"type": "m.login.password", "identifier": user}), "400 M_MISSING_PARAM"),
        (json!({"type": "m.login.password", "identifier": user, "password": ""}), "400 M_INVALID_PARAM"),
        (
            json!({"type": "m.login.password", "identifier": user, "password": "p", "device_id": ""}),
            "400 M_INVALID_PARAM",
        ),
        (
            json!({"type": "m.login.password", "identifier": user, "password": "p", "device_id": 1}),
            "400 M_BAD_JSON",
        ),
        (json!({"type": "m.login.password", "identifier": user, "password": "p", "device_id": null}), "ok"),
        (json!({"type": "m.login.password", "user": "alice", "password": "p"}), "ok"),
    ] {
        assert_eq!(says(&body), answer, "{body}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#legacy-login
#[test]
fn l2_wrong_and_unknown_are_one_answer() {
    let wrong = decide(Some(AccountStatus::default()), false, false).unwrap_err();
    let unknown = decide(None, false, false).unwrap_err();
    assert_eq!(wrong, unknown, "in words too");
    assert_eq!((wrong.status(), wrong.code().name()), (403, "M_FORBIDDEN"));
    assert_eq!(decide(None, true, false).unwrap_err(), unknown, "whatever the host made of it");
    assert_eq!(decide(Some(AccountStatus::default()), true, false), Ok(()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-locking
#[test]
fn l2_a_lock_is_told_only_after_the_right_password() {
    let locked = AccountStatus::default().on(Event::Lock).unwrap();
    assert_eq!(decide(Some(locked), false, false), decide(None, false, false));
    let told = decide(Some(locked), true, false).unwrap_err();
    assert_eq!((told.status(), told.code().name(), told.soft_logout()), (401, "M_USER_LOCKED", Some(true)));
    let suspended = AccountStatus::default().on(Event::Suspend).unwrap();
    assert_eq!(decide(Some(suspended), true, false), Ok(()), "a suspended user logs in");
}

/// https://spec.matrix.org/v1.19/client-server-api/#legacy-login
#[test]
fn l2_a_login_names_its_device() {
    let body = json!({
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "cheeky_monkey"},
        "password": "ilovebananas", "initial_device_display_name": "Jungle Phone", "device_id": "GHTYAJCE",
        "refresh_token": true,
    })
    .to_string();
    let request = LoginRequest::parse(body.as_bytes()).unwrap();
    let Attempt::Password { identifier, password } = request.attempt else { panic!("a password") };
    assert_eq!(identifier, UserIdentifier::User("cheeky_monkey".into()));
    assert_eq!(password.expose(), "ilovebananas");
    assert_eq!(request.initial_device_display_name.unwrap(), "Jungle Phone");
    assert_eq!(request.device_id.unwrap(), "GHTYAJCE");
    assert_eq!(request.refresh_token, Some(true));
}
