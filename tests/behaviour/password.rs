//! Rules P1 to P5.

use matrix_uia::Secret;
use matrix_uia::endpoint::password::PasswordStrength;
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::page::Approval;
use serde_json::{Value, json};

use crate::support::{Server, password_auth, policy, poll, stage};

const ALICE: Option<&str> = Some("alice-token");

fn change(password: &str) -> Value {
    json!({"new_password": "looking-glass", "auth": password_auth(None, "alice", password)})
}

/// A reset through an address that belongs to Alice.
fn reset_server() -> Server {
    let mut server = Server::new();
    server.add_validation_of("alice", "sid1", "secret", true);
    server
}

fn reset(parameters: Value) -> Value {
    let mut body = parameters;
    let creds = json!({"sid": "sid1", "client_secret": "secret"});
    body["auth"] = json!({"type": "m.login.email.identity", "threepid_creds": creds});
    body
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p01_the_flows_depend_on_the_token() {
    let mut server = Server::new();
    let with = server.change_password(ALICE, json!({}));
    assert_eq!(with.body["flows"], json!([{"stages": ["m.login.password"]}]));
    let without = server.change_password(None, json!({}));
    assert_eq!(without.body["flows"], json!([{"stages": ["m.login.email.identity"]}]));
}

/// https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
#[test]
fn p01_an_invalid_token_is_never_a_reset() {
    let mut server = reset_server();
    let answer = server.change_password(Some("no-token"), reset(json!({"new_password": "looking-glass"})));
    assert_eq!((answer.says(), answer.body.get("soft_logout")), ("401 M_UNKNOWN_TOKEN".to_owned(), None));
    assert_eq!((server.asked, server.sessions.len()), (0, 0));
}

/// https://spec.matrix.org/v1.19/client-server-api/#password-management
#[test]
fn p02_a_new_password_is_checked_before_any_challenge() {
    let mut server = Server::new();
    for (new, says) in [
        (json!(1), "400 M_BAD_JSON"),
        (json!(["looking-glass"]), "400 M_BAD_JSON"),
        (json!(""), "400 M_WEAK_PASSWORD"),
        (json!("1234567"), "400 M_WEAK_PASSWORD"),
        (json!("x".repeat(513)), "400 M_INVALID_PARAM"),
        (json!("é".repeat(257)), "400 M_INVALID_PARAM"),
        (json!("12345678"), "401"),
        (json!("x".repeat(512)), "401"),
        (json!("pass \"word\" \\ é 😀"), "401"),
    ] {
        assert_eq!(server.change_password(ALICE, json!({"new_password": new})).says(), says, "{new}");
    }
    assert_eq!(server.change_password(ALICE, json!({"logout_devices": "no"})).says(), "400 M_BAD_JSON");
    assert_eq!(server.sessions.len(), 3);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p02_a_new_password_that_never_came_is_missed_only_at_the_end() {
    let mut server = Server::new();
    let session = server.change_password(ALICE, json!({})).session().to_owned();
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(ALICE, json!({"auth": auth})).says(), "400 M_MISSING_PARAM");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
    // The session stays complete, and takes the parameters now.
    let body = json!({"new_password": "looking-glass", "auth": poll(&session)});
    assert_eq!(server.change_password(ALICE, body).says(), "200");
    assert_eq!((server.asked, server.users["alice"].hash.as_deref()), (1, Some("hash of looking-glass")));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p02_one_of_two_parameters_is_not_enough() {
    let mut server = Server::new();
    let session = server.change_password(ALICE, json!({"logout_devices": false})).session().to_owned();
    let auth = password_auth(Some(&session), "alice", "wonderland");
    assert_eq!(server.change_password(ALICE, json!({"auth": auth})).says(), "400 M_MISSING_PARAM");
}

/// https://spec.matrix.org/v1.19/client-server-api/#password-management
#[test]
fn p02_the_recommended_strength_can_be_asked_for() {
    let mut strength = PasswordStrength::default();
    strength.require_digit = true;
    strength.require_lowercase = true;
    strength.require_uppercase = true;
    strength.require_symbol = true;
    let says = |password| match strength.check(Secret::new(password)) {
        Ok(()) => "ok".to_owned(),
        Err(reject) => format!("{} {}", reject.status(), reject.code()),
    };
    assert_eq!(says("aB3!aB3!"), "ok");
    for weak in ["ab3!ab3!", "AB3!AB3!", "aBc!aBc!", "aB34aB34", "aB3!aB3"] {
        assert_eq!(says(weak), "400 M_WEAK_PASSWORD", "{weak}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p03_other_devices_are_ended_by_default_and_never_the_requesting_one() {
    for logout in [Value::Null, json!(true)] {
        let mut server = Server::new();
        server.add_device("alice", "tablet-token", "TABLET");
        let mut body = change("wonderland");
        body["logout_devices"] = logout;
        assert_eq!(server.change_password(Some("tablet-token"), body).says(), "200");
        assert_eq!(server.journal, ["SetPassword", "EndDevices(Others)", "EndPushers(Others)"]);
        assert_eq!(server.devices("alice"), ["TABLET"]);
        assert_eq!(server.devices("bob"), ["PHONE"]);
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p03_with_false_nothing_is_ended() {
    let mut server = Server::new();
    server.add_device("alice", "tablet-token", "TABLET");
    let mut body = change("wonderland");
    body["logout_devices"] = false.into();
    assert_eq!(server.change_password(ALICE, body).says(), "200");
    assert_eq!(server.journal, ["SetPassword"]);
    assert_eq!(server.devices("alice").len(), 2);
    assert_eq!(server.change_password(ALICE, change("looking-glass")).says(), "200", "it is the new one now");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p03_a_reset_ends_all() {
    let mut server = reset_server();
    assert_eq!(server.change_password(None, reset(json!({"new_password": "looking-glass"}))).says(), "200");
    assert_eq!(server.journal, ["SetPassword", "EndDevices(All)", "EndPushers(All)"]);
    assert!(server.devices("alice").is_empty());

    let mut server = reset_server();
    let body = reset(json!({"new_password": "looking-glass", "logout_devices": false}));
    assert_eq!(server.change_password(None, body).says(), "200");
    assert_eq!(server.devices("alice"), ["PHONE"]);
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p04_two_addresses_prove_one_user_or_nobody() {
    for (owner, says) in [
        (Some("alice"), "200"),
        (Some("bob"), "401 M_THREEPID_AUTH_FAILED"),
        (None, "401 M_THREEPID_AUTH_FAILED"),
    ] {
        let mut server = reset_server();
        server.policies.reset = policy(&[&["m.login.email.identity", "m.login.msisdn"]], None);
        let phone = server.add_validation("sid2", "secret", true);
        if let Some(owner) = owner {
            server.user(owner).threepids.push(phone);
        }
        let first = server.change_password(None, reset(json!({"new_password": "looking-glass"})));
        let creds = json!({"sid": "sid2", "client_secret": "secret"});
        let auth = json!({"type": "m.login.msisdn", "session": first.session(), "threepid_creds": creds});
        let answer = server.change_password(None, json!({"new_password": "looking-glass", "auth": auth}));
        assert_eq!(answer.says(), says, "{owner:?}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p04_a_reset_is_of_whoever_has_the_address_now() {
    let mut server = reset_server();
    server.policies.reset = policy(&[&["m.login.email.identity", "m.login.dummy"]], None);
    let answer = server.change_password(None, reset(json!({"new_password": "looking-glass"})));
    let session = answer.session().to_owned();
    // Meanwhile the address moves from Alice to Bob: its removal counts her epoch up.
    let moved = server.user("alice").threepids.pop().unwrap();
    server.user("alice").epoch += 1;
    server.user("bob").threepids.push(moved);
    let body = json!({"auth": stage("m.login.dummy", &session)});
    assert_eq!(server.change_password(None, body).says(), "401 M_UNKNOWN");
    assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
    assert_eq!(server.users["bob"].hash.as_deref(), Some("hash of builder-bob"));
    // An address that has moved before the stage passes is that of its owner then.
    let auth = json!({"type": "m.login.email.identity", "threepid_creds": {"sid": "sid1", "client_secret": "secret"}});
    let mut server = reset_server();
    let moved = server.user("alice").threepids.pop().unwrap();
    server.user("bob").threepids.push(moved);
    assert_eq!(
        server.change_password(None, json!({"new_password": "looking-glass", "auth": auth})).says(),
        "200"
    );
    assert_eq!(server.users["bob"].hash.as_deref(), Some("hash of looking-glass"));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p04_an_address_of_nobody_is_not_found() {
    let mut server = reset_server();
    server.user("alice").threepids.clear();
    let answer = server.change_password(None, reset(json!({"new_password": "looking-glass"})));
    assert_eq!(answer.says(), "404 M_THREEPID_NOT_FOUND");
    assert!(server.journal.is_empty());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p04_an_account_being_deactivated_is_not_reset() {
    let mut server = reset_server();
    server.user("alice").status = AccountStatus::default().on(Event::Fence).unwrap();
    let answer = server.change_password(None, reset(json!({"new_password": "looking-glass"})));
    assert_eq!(answer.says(), "403 M_USER_DEACTIVATED");
    assert!(server.journal.is_empty());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p04_a_flow_that_names_nobody_resets_nobody() {
    let mut server = Server::new();
    server.policies.reset = policy(&[&["m.login.dummy"]], None);
    let body = json!({"new_password": "looking-glass", "auth": {"type": "m.login.dummy"}});
    assert_eq!(server.change_password(None, body).says(), "403 M_FORBIDDEN");
    assert!(server.journal.is_empty());
}

/// https://spec.matrix.org/v1.19/client-server-api/#mchange_password-capability
#[test]
fn p05_a_disabled_password_change_is_refused_before_any_challenge() {
    let mut server = Server::new();
    server.passwords_enabled = false;
    for body in [json!({}), json!({"new_password": "looking-glass"}), change("wonderland")] {
        let answer = server.change_password(ALICE, body);
        assert_eq!((answer.says(), answer.keys()), ("403 M_FORBIDDEN".to_owned(), vec!["errcode", "error"]));
    }
    assert_eq!((server.asked, server.sessions.len()), (0, 0));
}

/// https://spec.matrix.org/v1.19/client-server-api/#account-locking
#[test]
fn p05_a_locked_account_does_not_advance() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    let before = server.session(&session);
    server.user("alice").status = AccountStatus::default().on(Event::Lock).unwrap();
    let body = json!({"auth": password_auth(Some(&session), "alice", "wonderland")});
    let answer = server.change_password(ALICE, body.clone());
    assert_eq!((answer.says(), &answer.body["soft_logout"]), ("401 M_USER_LOCKED".to_owned(), &json!(true)));
    assert_eq!((server.asked, server.session(&session)), (0, before));
    server.user("alice").status = AccountStatus::default();
    assert_eq!(server.change_password(ALICE, body).says(), "200", "and works again after unlocking");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p05_a_user_of_an_application_service_needs_no_old_password() {
    let mut server = Server::new();
    server.user("alice").hash = None;
    server.policies.change = policy(&[&["m.login.dummy"]], None);
    let body = json!({"new_password": "looking-glass", "auth": {"type": "m.login.dummy"}});
    assert_eq!(
        server.change_password(ALICE, body).says(),
        "200",
        "the flows are the policy's for that context"
    );
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p04_a_user_proved_by_another_stage_is_who_is_reset() {
    for (owner, says) in [("alice", "401 M_THREEPID_AUTH_FAILED"), ("bob", "200")] {
        let mut server = reset_server();
        let address = std::mem::take(&mut server.user("alice").threepids);
        server.user(owner).threepids = address;
        server.policies.reset = policy(&[&["m.login.sso", "m.login.email.identity"]], None);
        let reset_flows = server.policies.reset;
        let first = server.change_password(None, json!({"new_password": "looking-glass"}));
        let session = first.session().to_owned();
        let bob = Approval::User(server.account_named("bob"));
        server.complete(reset_flows, &session, "m.login.sso", bob).unwrap();
        let mut body = reset(json!({}));
        body["auth"]["session"] = session.into();
        assert_eq!(server.change_password(None, body).says(), says, "the address is {owner}'s");
        let changed = server.users["bob"].hash.as_deref() == Some("hash of looking-glass");
        assert_eq!(changed, owner == "bob");
        assert_eq!(server.users["alice"].hash.as_deref(), Some("hash of wonderland"));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
#[test]
fn p02_a_host_that_lost_what_it_kept_changes_nothing() {
    let mut server = Server::new();
    let session = server.begin(ALICE);
    server.kept.clear();
    let body = json!({"auth": password_auth(Some(&session), "alice", "wonderland")});
    assert_eq!(server.change_password(ALICE, body).says(), "400 M_MISSING_PARAM");
    assert!(server.journal.is_empty());
    let body = json!({"new_password": "another-one", "auth": poll(&session)});
    assert_eq!(server.change_password(ALICE, body).says(), "200", "and may be told anew");
}
