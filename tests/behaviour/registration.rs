//! What of the rules R1 to R8 the crate decides.

use matrix_uia::endpoint::appservice::{ServiceToken, may_register};
use matrix_uia::endpoint::register::{
    AvailabilityResponse, Kind, Localpart, LoginResponse, MAX_DEVICE_TEXT_LEN, Offer, RegisterGuestRequest,
    RegisterRequest, TokenValidityResponse,
};
use matrix_uia::{Millis, Secret, Text};
use serde_json::{Value, json};

use crate::support::{Server, policy, poll, stage};

fn dummy() -> Value {
    json!({"type": "m.login.dummy"})
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r01_there_are_two_kinds() {
    assert_eq!(Kind::parse(None), Ok(Kind::User));
    assert_eq!(Kind::parse(Some("user")), Ok(Kind::User));
    assert_eq!(Kind::parse(Some("guest")), Ok(Kind::Guest));
    for unknown in ["", "User", "admin"] {
        let reject = Kind::parse(Some(unknown)).unwrap_err();
        assert_eq!((reject.status(), reject.code().name()), (400, "M_INVALID_PARAM"));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r02_cheap_checks_come_before_any_challenge() {
    let mut server = Server::new();
    let with = |key: &str, value: Value| {
        let mut body = json!({"username": "carol", "password": "carol-secret"});
        body[key] = value;
        body
    };
    for (body, says) in [
        (with("username", json!("alice")), "400 M_USER_IN_USE"),
        (with("username", json!("ALICE")), "400 M_USER_IN_USE"),
        (with("username", json!("@alice:example.org")), "400 M_USER_IN_USE"),
        (with("username", json!("not a name")), "400 M_INVALID_USERNAME"),
        (with("username", json!("")), "400 M_INVALID_USERNAME"),
        (with("username", json!(1)), "400 M_BAD_JSON"),
        (with("password", json!("short")), "400 M_WEAK_PASSWORD"),
        (with("password", json!("x".repeat(513))), "400 M_INVALID_PARAM"),
        (with("device_id", json!("")), "400 M_INVALID_PARAM"),
        (with("device_id", json!("x".repeat(MAX_DEVICE_TEXT_LEN + 1))), "400 M_INVALID_PARAM"),
        (with("initial_device_display_name", json!("x".repeat(513))), "400 M_INVALID_PARAM"),
        (with("inhibit_login", json!("yes")), "400 M_BAD_JSON"),
        (with("refresh_token", json!(1)), "400 M_BAD_JSON"),
        (with("device_id", json!("x".repeat(MAX_DEVICE_TEXT_LEN))), "401"),
        (with("initial_device_display_name", json!("")), "401"),
    ] {
        assert_eq!(server.register(body.clone()).says(), says, "{body:.100}");
    }
    assert_eq!(server.asked, 0);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r02_of_two_racing_registrations_one_wins() {
    let mut server = Server::new();
    let parameters = |auth: Value| json!({"username": "carol", "password": "carol-secret", "auth": auth});
    let one = server.register(parameters(Value::Null)).session().to_owned();
    let two = server.register(parameters(Value::Null)).session().to_owned();
    // Both passed the first check; an open session reserves no name.
    let other = parameters(stage("m.login.dummy", &two));
    server.before_write = Some(Box::new(move |server| {
        assert_eq!(server.register(other).says(), "200");
    }));
    let answer = server.register(parameters(stage("m.login.dummy", &one)));
    assert_eq!(answer.says(), "400 M_USER_IN_USE");
    assert_eq!(server.journal, ["create carol"]);
}

/// https://spec.matrix.org/v1.19/appendices/#user-identifiers
#[test]
fn r03_a_localpart_has_one_form() {
    let parse = |name: &str| {
        Localpart::parse(Text::new(name), "example.org")
            .map(|name| name.as_str().to_owned())
            .map_err(|it| it.code().name())
    };
    for (given, read) in [
        ("alice", Ok("alice")),
        ("Alice", Ok("alice")),
        ("@Alice:example.org", Ok("alice")),
        ("a.b_c=d/e+f-0", Ok("a.b_c=d/e+f-0")),
        ("@alice:example.com", Err("M_INVALID_USERNAME")),
        ("@alice", Err("M_INVALID_USERNAME")),
        ("alice:example.org", Err("M_INVALID_USERNAME")),
        ("ä", Err("M_INVALID_USERNAME")),
        ("a\u{0}", Err("M_INVALID_USERNAME")),
        ("İ", Err("M_INVALID_USERNAME")),
    ] {
        assert_eq!(parse(given), read.map(str::to_owned), "{given}");
    }
    let longest = 255 - "@:example.org".len();
    assert!(parse(&"a".repeat(longest)).is_ok());
    assert!(parse(&"a".repeat(longest + 1)).is_err());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r03_some_names_are_reserved_and_exclusive_comes_first() {
    let reserved = |name: &str, claimed| {
        let name = Localpart::parse(Text::new(name), "example.org").unwrap();
        name.reserved(claimed).map_err(|reject| reject.code().name())
    };
    assert_eq!(reserved("alice", false), Ok(()));
    assert_eq!(reserved("alice", true), Err("M_EXCLUSIVE"));
    assert_eq!(reserved("_bridge", false), Err("M_INVALID_USERNAME"));
    assert_eq!(reserved("_bridge", true), Err("M_EXCLUSIVE"));
    assert_eq!(reserved("123", false), Err("M_INVALID_USERNAME"));
    assert_eq!(reserved("123a", false), Ok(()));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r03_without_a_name_the_server_makes_one() {
    let mut server = Server::new();
    let answer = server.register(json!({"password": "carol-secret", "auth": dummy()}));
    assert_eq!(answer.says(), "200");
    assert!(answer.body["user_id"].as_str().unwrap().starts_with("@made-"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r04_the_answer_has_a_login_unless_none_is_wanted() {
    let mut server = Server::new();
    let body =
        json!({"username": "carol", "password": "carol-secret", "device_id": "LAPTOP", "auth": dummy()});
    let answer = server.register(body);
    assert_eq!(answer.keys(), ["access_token", "device_id", "user_id"]);
    assert_eq!(
        (&answer.body["user_id"], &answer.body["device_id"]),
        (&json!("@carol:example.org"), &json!("LAPTOP"))
    );

    let body = json!({"username": "dave", "password": "dave-secret", "inhibit_login": true, "auth": dummy()});
    assert_eq!(server.register(body).body, json!({"user_id": "@dave:example.org"}));
    assert!(server.devices("dave").is_empty());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r04_the_answer_is_written_with_what_it_has() {
    let written = |response: LoginResponse<'_>| {
        let mut out = String::new();
        response.write(&mut out).unwrap();
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let plain = LoginResponse::new(Text::new("@a:example.org"));
    assert_eq!(written(plain), json!({"user_id": "@a:example.org"}));
    let mut full = plain.with_login(Secret::new("abc\"123"), Text::new("GHTYAJCE"));
    let login = full.login.as_mut().unwrap();
    login.refresh_token = Some(Secret::new("def456"));
    login.expires_in = Some(Millis::from_secs(60));
    assert_eq!(
        written(full),
        json!({
            "user_id": "@a:example.org", "access_token": "abc\"123", "device_id": "GHTYAJCE",
            "refresh_token": "def456", "expires_in_ms": 60_000,
        }),
    );
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r06_a_password_that_never_came_is_missed_when_the_account_would_be_made() {
    let mut server = Server::new();
    let session = server.register(json!({"username": "carol"})).session().to_owned();
    let body = json!({"username": "carol", "auth": stage("m.login.dummy", &session)});
    assert_eq!(server.register(body).says(), "400 M_MISSING_PARAM");
    assert!(!server.users.contains_key("carol"));
    let body = json!({"username": "carol", "password": "carol-secret", "auth": poll(&session)});
    assert_eq!(server.register(body).says(), "200", "the session stays complete");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r06_a_validated_address_of_the_flow_is_bound_to_the_account() {
    let mut server = Server::new();
    server.policies.register = policy(&[&["m.login.email.identity"]], None);
    let number = server.add_validation("sid1", "secret", true);
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    let auth = json!({"type": "m.login.email.identity", "threepid_creds": creds});
    let body = json!({"username": "carol", "password": "carol-secret", "auth": auth});
    assert_eq!(server.register(body).says(), "200");
    assert_eq!(server.journal, [format!("bind {number}"), "create carol".to_owned()]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#fallback
#[test]
fn r04_left_out_parameters_are_the_bound_ones() {
    let mut server = Server::new();
    let parameters = json!({
        "username": "Carol", "password": "carol-secret", "device_id": "LAP\u{e9}TOP", "inhibit_login": false,
        "initial_device_display_name": "my \"laptop\"", "refresh_token": false,
    });
    let session = server.register(parameters).session().to_owned();
    let answer = server.register(json!({"auth": stage("m.login.dummy", &session)}));
    assert_eq!(answer.says(), "200");
    assert_eq!(answer.body["user_id"], "@carol:example.org");
    assert_eq!(answer.body["device_id"], "LAP\u{e9}TOP");
    assert_eq!(server.users["carol"].hash.as_deref(), Some("hash of carol-secret"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r03_one_name_however_spelt_is_one_parameter() {
    let mut server = Server::new();
    let session =
        server.register(json!({"username": "Carol", "password": "carol-secret"})).session().to_owned();
    let auth = stage("m.login.dummy", &session);
    let body = json!({"username": "@carol:example.org", "password": "carol-secret", "auth": auth});
    assert_eq!(server.register(body).says(), "200");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r01_a_guests_parameters_are_ignored_but_for_the_devices_name() {
    let body = json!({"username": 1, "password": [], "auth": "no", "device_id": {}, "inhibit_login": "x",
        "initial_device_display_name": "Guest"})
    .to_string();
    let guest = RegisterGuestRequest::parse(body.as_bytes()).unwrap();
    assert_eq!(guest.initial_device_display_name.unwrap(), "Guest");
    let says =
        |body: Value| RegisterGuestRequest::parse(body.to_string().as_bytes()).map(|_| ()).map_err(answer);
    assert_eq!(says(json!({"initial_device_display_name": 1})), Err("400 M_BAD_JSON".to_owned()));
    let long = "x".repeat(MAX_DEVICE_TEXT_LEN + 1);
    assert_eq!(says(json!({"initial_device_display_name": long})), Err("400 M_INVALID_PARAM".to_owned()));
}

fn answer(reject: matrix_uia::MatrixError) -> String {
    format!("{} {}", reject.status(), reject.code())
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register
#[test]
fn r01_r07_who_may_register_is_one_table() {
    for (legacy, users, guests, user, guest) in [
        (true, true, true, "", ""),
        (true, true, false, "", "403 M_GUEST_ACCESS_FORBIDDEN"),
        (true, false, true, "403 M_FORBIDDEN", ""),
        (false, true, true, "404 M_UNRECOGNIZED", ""),
        (false, false, false, "404 M_UNRECOGNIZED", "403 M_GUEST_ACCESS_FORBIDDEN"),
    ] {
        let mut offer = Offer::default();
        (offer.legacy, offer.users, offer.guests) = (legacy, users, guests);
        let says = |kind| offer.check(kind).map_or_else(answer, |()| String::new());
        assert_eq!((says(Kind::User).as_str(), says(Kind::Guest).as_str()), (user, guest), "{offer:?}");
    }
}

/// https://spec.matrix.org/v1.19/application-service-api/#server-admin-style-permissions
#[test]
fn r05_an_application_service_registers_its_users() {
    let ours = ServiceToken::Service { in_namespace: true };
    let theirs = ServiceToken::Service { in_namespace: false };
    for (token, legacy, inhibit, says) in [
        (ours, true, None, ""),
        (ours, true, Some(true), ""),
        (ours, false, Some(true), ""),
        (ours, false, None, "400 M_APPSERVICE_LOGIN_UNSUPPORTED"),
        (ours, false, Some(false), "400 M_APPSERVICE_LOGIN_UNSUPPORTED"),
        (theirs, true, None, "400 M_EXCLUSIVE"),
        (theirs, false, Some(true), "400 M_EXCLUSIVE"),
        (ServiceToken::Missing, true, None, "401 M_MISSING_TOKEN"),
        (ServiceToken::Missing, false, None, "401 M_MISSING_TOKEN"),
        (ServiceToken::Other, true, None, "401 M_UNKNOWN_TOKEN"),
    ] {
        let decided = may_register(token, legacy, inhibit).map_or_else(answer, |()| String::new());
        assert_eq!(decided, says, "{token:?} legacy: {legacy}, inhibit_login: {inhibit:?}");
    }
    let by_appservice =
        |body: Value| RegisterRequest::parse(body.to_string().as_bytes()).unwrap().by_appservice;
    assert!(by_appservice(json!({"type": "m.login.application_service", "username": "_irc_example"})));
    assert!(!by_appservice(json!({"username": "_irc_example"})));
    // Old clients repeat a stage's type beside the parameters; it is no parameter.
    for other in [json!("m.login.password"), json!(1), json!(null), json!({})] {
        assert!(!by_appservice(json!({"type": other})));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable
#[test]
fn r08_a_name_is_available_or_one_of_the_errors() {
    let says = |name: &str, claimed, taken| {
        let name = Localpart::parse(Text::new(name), "example.org");
        name.and_then(|name| name.available(claimed, taken)).map_or_else(answer, |()| String::new())
    };
    assert_eq!(says("carol", false, false), "");
    assert_eq!(says("carol", false, true), "400 M_USER_IN_USE");
    assert_eq!(says("carol", true, true), "400 M_EXCLUSIVE", "which is said first");
    assert_eq!(says("_carol", false, false), "400 M_INVALID_USERNAME");
    assert_eq!(says("ca rol", false, false), "400 M_INVALID_USERNAME");
    let mut out = String::new();
    AvailabilityResponse::new(true).write(&mut out).unwrap();
    assert_eq!(out, json!({"available": true}).to_string());
}

/// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity
#[test]
fn r08_a_registration_token_is_valid_or_not() {
    for valid in [true, false] {
        let mut out = String::new();
        TokenValidityResponse::new(valid).write(&mut out).unwrap();
        assert_eq!(out, json!({"valid": valid}).to_string());
    }
}
