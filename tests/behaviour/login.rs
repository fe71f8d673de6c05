//! What of the rules L1 to L4 the crate decides.

use matrix_uia::endpoint::appservice::ServiceToken;
use matrix_uia::endpoint::devices::{DeviceUpdate, UpdateDeviceRequest};
use matrix_uia::endpoint::login::{
    Attempt, DeviceIdUse, DevicePlan, LoginRequest, Offer, decide, decide_appservice, decide_token,
    plan_device,
};
use matrix_uia::endpoint::refresh::{self, Generation, Presented};
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::operation::{GetLoginToken, Operation, Replayable};
use matrix_uia::wire::UserIdentifier;
use matrix_uia::{MatrixError, Text};
use serde_json::{Value, json};

fn says(body: &Value) -> String {
    match LoginRequest::parse(body.to_string().as_bytes()) {
        Ok(_) => "ok".to_owned(),
        Err(reject) => format!("{} {}", reject.status(), reject.code()),
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login
#[test]
fn l02_every_odd_login_has_its_error() {
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
fn l02_wrong_and_unknown_are_one_answer() {
    let wrong = decide(Some(AccountStatus::default()), false, false).unwrap_err();
    let unknown = decide(None, false, false).unwrap_err();
    assert_eq!(wrong, unknown, "in words too");
    assert_eq!((wrong.status(), wrong.code().name()), (403, "M_FORBIDDEN"));
    assert_eq!(decide(None, true, false).unwrap_err(), unknown, "whatever the host made of it");
    assert_eq!(decide(Some(AccountStatus::default()), true, false), Ok(()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-locking
#[test]
fn l02_a_lock_is_told_only_after_the_right_password() {
    let locked = AccountStatus::default().on(Event::Lock).unwrap();
    assert_eq!(decide(Some(locked), false, false), decide(None, false, false));
    let told = decide(Some(locked), true, false).unwrap_err();
    assert_eq!((told.status(), told.code().name(), told.soft_logout()), (401, "M_USER_LOCKED", Some(true)));
    let suspended = AccountStatus::default().on(Event::Suspend).unwrap();
    assert_eq!(decide(Some(suspended), true, false), Ok(()), "a suspended user logs in");
}

/// https://spec.matrix.org/v1.19/client-server-api/#legacy-login
#[test]
fn l02_a_login_names_its_device() {
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

/// https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
#[test]
fn e02_a_login_of_the_wrong_type_is_bad_json() {
    let user = json!({"type": "m.id.user", "user": "alice"});
    let identified =
        |identifier| json!({"type": "m.login.password", "identifier": identifier, "password": "p"});
    for (body, code) in [
        (json!({"type": "m.login.password", "identifier": user, "password": 1}), "M_BAD_JSON"),
        (json!({"type": "m.login.password", "identifier": user, "password": ["p"]}), "M_BAD_JSON"),
        (json!({"type": "m.login.token", "token": {}}), "M_BAD_JSON"),
        (json!({"type": "m.login.application_service", "identifier": 1}), "M_BAD_JSON"),
        (json!({"type": "m.login.password", "user": 1, "password": "p"}), "M_BAD_JSON"),
        (json!({"type": "m.login.password", "medium": "email", "address": 1, "password": "p"}), "M_BAD_JSON"),
        (identified(json!("alice")), "M_BAD_JSON"),
        (identified(json!({"type": 1})), "M_BAD_JSON"),
        (identified(json!({"type": "m.id.user", "user": 1})), "M_BAD_JSON"),
        (identified(json!({"user": 1})), "M_BAD_JSON"),
        (identified(json!({"type": "m.id.thirdparty", "medium": 1, "address": "a@b"})), "M_BAD_JSON"),
        (identified(json!({"type": "m.id.phone", "country": "GB", "phone": 1})), "M_BAD_JSON"),
        (identified(json!({"type": "m.id.phone", "country": "GB", "number": 1})), "M_BAD_JSON"),
        (identified(json!({"type": "m.id.soul"})), "M_INVALID_PARAM"),
        (json!({"type": "m.login.password", "identifier": user, "password": ""}), "M_INVALID_PARAM"),
        (json!({"type": "m.login.token", "token": ""}), "M_INVALID_PARAM"),
    ] {
        let reject = LoginRequest::parse(body.to_string().as_bytes()).unwrap_err();
        assert_eq!((reject.status(), reject.code().name()), (400, code), "{body}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login
#[test]
fn l01_the_flows_are_those_that_are_served() {
    let flows = |offer: Offer| {
        let mut out = String::new();
        offer.write(&mut out).unwrap();
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let mut offer = Offer::default();
    assert_eq!(flows(offer), json!({"flows": [{"type": "m.login.password"}]}));
    offer.get_login_token = true;
    offer.application_service = true;
    assert_eq!(
        flows(offer),
        json!({"flows": [
            {"type": "m.login.password"},
            {"type": "m.login.token", "get_login_token": true},
            {"type": "m.login.application_service"},
        ]})
    );
    offer.password = false;
    offer.get_login_token = false;
    assert_eq!(flows(offer), json!({"flows": [{"type": "m.login.application_service"}]}));
}

/// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3login
#[test]
fn r07_without_the_legacy_api_there_is_no_login() {
    let mut off = Offer::default();
    (off.legacy, off.get_login_token) = (false, true);
    let says = |reject: MatrixError| format!("{} {}", reject.status(), reject.code());
    assert_eq!(says(off.check_legacy().unwrap_err()), "404 M_UNRECOGNIZED");
    assert_eq!(says(off.check_get_token().unwrap_err()), "404 M_UNRECOGNIZED");
    for (body, answer) in [
        (json!({"type": "m.login.password", "user": "alice", "password": "p"}), "404 M_UNRECOGNIZED"),
        (json!({"type": "m.login.token", "token": "t"}), "404 M_UNRECOGNIZED"),
        (json!({}), "404 M_UNRECOGNIZED"),
        (
            json!({"type": "m.login.application_service", "user": "_bridge_a"}),
            "400 M_APPSERVICE_LOGIN_UNSUPPORTED",
        ),
    ] {
        assert_eq!(says(off.read(body.to_string().as_bytes()).unwrap_err()), answer, "{body}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#legacy-login
#[test]
fn l02_a_login_token_is_good_or_it_is_not() {
    let body = json!({"type": "m.login.token", "token": "<login token>"}).to_string();
    let request = LoginRequest::parse(body.as_bytes()).unwrap();
    assert!(matches!(request.attempt, Attempt::Token { token } if token.expose() == "<login token>"));
    let unknown = decide_token(None, false).unwrap_err();
    assert_eq!((unknown.status(), unknown.code().name()), (403, "M_FORBIDDEN"));
    let status = |event| AccountStatus::default().on(event).unwrap();
    assert_eq!(decide_token(Some(AccountStatus::default()), false), Ok(()));
    assert_eq!(decide_token(Some(status(Event::Suspend)), false), Ok(()));
    let locked = decide_token(Some(status(Event::Lock)), false).unwrap_err();
    assert_eq!((locked.code().name(), locked.soft_logout()), ("M_USER_LOCKED", Some(true)));
}

/// https://spec.matrix.org/v1.19/client-server-api/#appservice-login
#[test]
fn l02_an_application_service_logs_in_as_its_own_users() {
    let body = json!({
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "_irc_example"},
    })
    .to_string();
    let request = LoginRequest::parse(body.as_bytes()).unwrap();
    assert!(matches!(
        request.attempt,
        Attempt::ApplicationService { identifier: UserIdentifier::User(user) } if user == "_irc_example"
    ));
    let ours = ServiceToken::Service { in_namespace: true };
    let theirs = ServiceToken::Service { in_namespace: false };
    let active = Some(AccountStatus::default());
    let locked = Some(AccountStatus::default().on(Event::Lock).unwrap());
    for (token, account, answer) in [
        (ServiceToken::Missing, active, Err("401 M_MISSING_TOKEN")),
        (ServiceToken::Other, active, Err("403 M_FORBIDDEN")),
        (theirs, active, Err("400 M_EXCLUSIVE")),
        (theirs, None, Err("400 M_EXCLUSIVE")),
        (ours, None, Err("403 M_FORBIDDEN")),
        (ours, locked, Err("401 M_USER_LOCKED")),
        (ours, active, Ok(())),
    ] {
        let decided = decide_appservice(token, account);
        let said = decided.map_err(|reject| format!("{} {}", reject.status(), reject.code()));
        assert_eq!(said, answer.map_err(str::to_owned), "{token:?} {account:?}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#relationship-between-access-tokens-and-devices
#[test]
fn l03_a_device_is_taken_up_or_made() {
    let (id, name) = (Some(Text::new("PHONE")), Some(Text::new("Phone")));
    let plan = |id, is| plan_device(id, name, is).map_err(|reject| reject.code().name());
    assert_eq!(plan(id, DeviceIdUse::Device), Ok(DevicePlan::TakeUp { id: Text::new("PHONE") }));
    assert_eq!(plan(id, DeviceIdUse::Free), Ok(DevicePlan::Make { id, display_name: name }));
    assert_eq!(plan(None, DeviceIdUse::Free), Ok(DevicePlan::Make { id: None, display_name: name }));
    assert_eq!(plan(id, DeviceIdUse::SigningKey), Err("M_FORBIDDEN"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens
#[test]
fn l04_the_old_refresh_token_lives_until_the_new_tokens_are_used() {
    let old = Generation::FIRST;
    let new = old.next();
    // The answer was lost: the old one still refreshes.
    assert_eq!(old.presented(old), Presented::Live);
    // It came: its first use, by whichever token, ends the old.
    assert_eq!(new.presented(old), Presented::FirstUse);
    assert_eq!(old.presented(new), Presented::Spent);
    assert_eq!(new.presented(new), Presented::Live);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh
#[test]
fn l04_what_a_refresh_is_refused_with_says_whether_the_device_lives_on() {
    let account = AccountStatus::default();
    let refused = |presented| {
        let reject = refresh::decide(presented).unwrap_err();
        (reject.status(), reject.code().name(), reject.soft_logout())
    };
    assert_eq!(refused(None), (401, "M_UNKNOWN_TOKEN", None));
    assert_eq!(refused(Some((Presented::Spent, account))), (401, "M_UNKNOWN_TOKEN", Some(true)));
    let locked = account.on(Event::Lock).unwrap();
    assert_eq!(refused(Some((Presented::Live, locked))), (401, "M_USER_LOCKED", Some(true)));
    let gone = account.on(Event::Fence).unwrap();
    assert_eq!(refused(Some((Presented::Live, gone))), (401, "M_UNKNOWN_TOKEN", None));
    assert_eq!(refresh::decide(Some((Presented::Live, account))), Ok(()));
    assert_eq!(refresh::decide(Some((Presented::FirstUse, account))), Ok(()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#soft-logout
#[test]
fn l04_an_expired_access_token_is_softly_logged_out() {
    let reject = refresh::check_access(Some(Presented::Live), true).unwrap_err();
    assert_eq!((reject.code().name(), reject.soft_logout()), ("M_UNKNOWN_TOKEN", Some(true)));
    assert_eq!(refresh::check_access(Some(Presented::Live), false), Ok(()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#soft-logout
#[test]
fn l08_a_token_that_was_replaced_while_its_device_lives_on_is_softly_logged_out() {
    let (replaced, current) = (Generation::FIRST, Generation::FIRST.next());
    let reject = refresh::check_access(Some(current.presented(replaced)), false).err();
    let reject = reject.or_else(|| refresh::check_access(Some(replaced.presented(current)), false).err());
    let reject = reject.expect("the earlier token is over once the later one was used");
    assert_eq!((reject.status(), reject.code().name()), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(reject.soft_logout(), Some(true));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token
#[test]
fn u14_a_login_token_is_never_made_twice_by_one_authentication() {
    assert_eq!(GetLoginToken::REPLAY, Replayable::Never);
    const { assert!(!GetLoginToken::RECENT, "every token is asked for") };
}

/// https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3devicesdeviceid
#[test]
fn l03_only_an_application_service_makes_a_device_by_naming_it() {
    let request = UpdateDeviceRequest::parse(br#"{"display_name":"Phone"}"#).unwrap();
    let decided = |id, is, by_appservice| {
        let decided = request.decide(Text::new(id), is, by_appservice);
        decided.map_err(|reject| (reject.status(), reject.code().name()))
    };
    for by_appservice in [true, false] {
        assert_eq!(decided("PHONE", DeviceIdUse::Device, by_appservice), Ok(DeviceUpdate::Rename));
    }
    assert_eq!(decided("PHONE", DeviceIdUse::Free, true), Ok(DeviceUpdate::Make));
    for is in [DeviceIdUse::Free, DeviceIdUse::SigningKey] {
        assert_eq!(decided("PHONE", is, false), Err((404, "M_NOT_FOUND")));
    }
    assert_eq!(decided("PHONE", DeviceIdUse::SigningKey, true), Err((403, "M_FORBIDDEN")));
    assert_eq!(decided("", DeviceIdUse::Free, true), Err((400, "M_INVALID_PARAM")));
    let unknown = matrix_uia::endpoint::appservice::unknown_device();
    assert_eq!((unknown.status(), unknown.code().name()), (400, "M_UNKNOWN_DEVICE"));
}
