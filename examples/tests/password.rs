//! `account/password` (rules P1 to P5), and logging in and out around it.

use crate::support::{Setup, bridge, password_auth, password_auth_in, text};
use serde_json::{Value, json};

fn change(to: &str, from: &str) -> Value {
    json!({ "new_password": to, "auth": password_auth("alice", from) })
}

#[test]
fn the_new_password_replaces_the_old_and_other_devices_are_logged_out() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let here = client.token("alice", "wonderland");
    let elsewhere = [client.token("alice", "wonderland"), client.token("alice", "wonderland")];
    let bob = client.token("bob", "builder-bob");
    assert_eq!(
        client.post("account/password", Some(&here), &change("looking-glass", "wonderland")).ok(),
        json!({})
    );
    client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
    client.login("alice", "looking-glass").ok();
    for token in &elsewhere {
        assert!(!client.is_live(token));
    }
    assert!(client.is_live(&here) && client.is_live(&bob));
    let devices = client.get("devices", Some(&here)).ok();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "here, and the login since");
}

#[test]
fn logout_devices_false_logs_nobody_out() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let here = client.token("alice", "wonderland");
    let elsewhere = client.token("alice", "wonderland");
    let mut body = change("looking-glass", "wonderland");
    body["logout_devices"] = false.into();
    client.post("account/password", Some(&here), &body).ok();
    assert!(client.is_live(&here) && client.is_live(&elsewhere));
    client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
    client.login("alice", "looking-glass").ok();
}

#[test]
fn a_weak_or_too_long_password_is_refused_before_any_challenge() {
    let policy = json!({ "minimum_length": 10, "require_digit": true, "require_symbol": true,
        "require_lowercase": true, "require_uppercase": true });
    let server = Setup::new(json!({ "password_policy": policy })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    for weak in
        ["", "Ab1!", "Abcdefgh1!"[..9].as_ref(), "abcdefgh1!", "ABCDEFGH1!", "Abcdefghi!", "Abcdefghi1"]
    {
        for body in [json!({ "new_password": weak }), change(weak, "wonderland")] {
            client.post("account/password", Some(&token), &body).rejected(400, "M_WEAK_PASSWORD");
            client.post("account/password", None, &body).rejected(400, "M_WEAK_PASSWORD");
        }
        let body = json!({ "username": "carol", "password": weak });
        client.post("register", None, &body).rejected(400, "M_WEAK_PASSWORD");
    }
    let of = |len: usize| format!("Ab1!{}", "x".repeat(len - 4));
    for body in [json!({ "new_password": of(513) }), change(&of(513), "wonderland")] {
        client.post("account/password", Some(&token), &body).rejected(400, "M_INVALID_PARAM");
    }
    client.post("account/password", Some(&token), &change(&of(512), "wonderland")).ok();
    client.login("alice", &of(512)).ok();
    client.login("alice", &of(511)).rejected(403, "M_FORBIDDEN");
    client.post("account/password", Some(&token), &change(&of(10), &of(512))).ok();
}

#[test]
fn passwords_are_compared_byte_by_byte() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let strange = "pass\"word\\ \u{1f407}\u{0}\n ";
    client.post("account/password", Some(&token), &change(strange, "wonderland")).ok();
    client.login("alice", strange).ok();
    for other in [strange.trim_end(), strange.trim_end_matches(' '), &strange.to_uppercase()] {
        client.login("alice", other).rejected(403, "M_FORBIDDEN");
    }
}

#[test]
fn an_invalid_token_is_401_and_never_a_reset() {
    let server = Setup::new(json!({ "flows": { "password_reset": [["m.login.email.identity"]] } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    client.post("logout", Some(&token), &json!({})).ok();
    for (token, code) in [("", "M_MISSING_TOKEN"), ("x", "M_UNKNOWN_TOKEN"), (&token, "M_UNKNOWN_TOKEN")] {
        for body in [json!({}), change("looking-glass", "wonderland")] {
            client.post("account/password", Some(token), &body).rejected(401, code);
        }
    }
    // Without any token it is a reset, whose flows are others: alice's password is no way through them.
    let asked = client.post("account/password", None, &json!({ "new_password": "looking-glass" }));
    asked.asked();
    assert_eq!(asked.json()["flows"], json!([{ "stages": ["m.login.email.identity"] }]));
    client
        .post("account/password", None, &change("looking-glass", "wonderland"))
        .failed(&[], "M_INVALID_PARAM");
    let creds = json!({ "sid": "1", "client_secret": "guess" });
    let body = json!({ "new_password": "looking-glass",
        "auth": { "type": "m.login.email.identity", "threepid_creds": creds } });
    client.post("account/password", None, &body).failed(&[], "M_THREEPID_AUTH_FAILED");
    client.login("alice", "wonderland").ok();
}

#[test]
fn where_it_is_disabled_it_is_403_before_any_challenge() {
    let server = Setup::new(json!({ "capabilities": { "m.change_password": false } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    for body in [json!({}), change("looking-glass", "wonderland")] {
        client.post("account/password", Some(&token), &body).rejected(403, "M_FORBIDDEN");
        client.post("account/password", None, &body).rejected(403, "M_FORBIDDEN");
    }
    client.login("alice", "wonderland").ok();
    let capabilities = client.get("capabilities", Some(&token)).ok();
    assert_eq!(capabilities["capabilities"]["m.change_password"]["enabled"], false);
}

#[test]
fn r07_the_legacy_api_can_be_off_but_for_application_services() {
    let mut setup = Setup::kept(json!({ "appservices": [bridge()] }));
    let puppet = json!({ "localpart": "_bridge_a", "password": "puppeteer" });
    setup.config()["users"].as_array_mut().unwrap().push(puppet);
    let server = setup.start();
    let token = server.client().token("alice", "wonderland");
    server.kill();
    setup.config()["legacy_login"] = false.into();
    let server = setup.start();
    let client = server.client();
    for path in ["login", "register", "account/password", "account/deactivate"] {
        for token in [None, Some("unknown"), Some(&*token)] {
            client.post(path, token, &json!({})).rejected(404, "M_UNRECOGNIZED");
        }
    }
    client.get("login", None).rejected(404, "M_UNRECOGNIZED");
    // What was logged in goes on.
    client.whoami(&token).ok();
    client.get("devices", Some(&token)).ok();
    let path = "account/deactivate?user_id=@_bridge_a:localhost";
    client.post(path, Some("as-secret"), &json!({})).ok();
}

#[test]
fn locked_and_suspended_users() {
    let mut setup = Setup::kept(json!({}));
    setup.config()["users"] = json!([
        { "localpart": "alice", "password": "wonderland", "status": "locked" },
        { "localpart": "bob", "password": "builder-bob", "status": "suspended" },
        { "localpart": "gone", "password": "forgotten", "status": "deactivated" },
    ]);
    let server = setup.start();
    let client = server.client();
    // That an account is locked is told only after the right password.
    let error = client.login("alice", "wonderland").rejected(401, "M_USER_LOCKED");
    assert_eq!(error["soft_logout"], true);
    let unknown = client.login("nobody", "white-rabbit");
    unknown.rejected(403, "M_FORBIDDEN");
    assert_eq!(client.login("alice", "white-rabbit").json(), unknown.json(), "rule L2: the same in words");
    assert_eq!(client.login("bob", "white-rabbit").json(), unknown.json());
    client.login("gone", "forgotten").rejected(403, "M_USER_DEACTIVATED");

    // Suspended: logging in, devices, the password and leaving all work.
    let token = client.token("bob", "builder-bob");
    client.whoami(&token).ok();
    client.get("devices", Some(&token)).ok();
    let auth = password_auth("bob", "builder-bob");
    let body = json!({ "new_password": "can-we-fix-it", "auth": auth });
    client.post("account/password", Some(&token), &body).ok();
    let body = json!({ "auth": password_auth("bob", "can-we-fix-it") });
    client.post("account/deactivate", Some(&token), &body).ok();
    client.login("bob", "can-we-fix-it").rejected(403, "M_USER_DEACTIVATED");
}

#[test]
fn login_takes_up_a_device_and_ends_its_earlier_tokens() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let login = |device: Option<&str>, name: &str| {
        let mut body = password_auth("alice", "wonderland");
        body["device_id"] = device.into();
        body["initial_device_display_name"] = name.into();
        client.post("login", None, &body).ok()
    };
    let first = login(Some("PHONE"), "Phone");
    assert_eq!((&first["device_id"], &first["user_id"]), (&json!("PHONE"), &json!("@alice:localhost")));
    let second = login(Some("PHONE"), "Renamed");
    let third = login(None, "Tablet");
    let (first, second, third) =
        (text(&first, "access_token"), text(&second, "access_token"), text(&third, "access_token"));
    assert!(client.was_replaced(&first), "rules L3 and L8");
    assert!(client.is_live(&second) && client.is_live(&third));
    let phone = client.get("devices/PHONE", Some(&third)).ok();
    assert_eq!(phone["display_name"], "Phone", "only a new device is named");
    // Another user's device of that name is another device.
    let mut body = password_auth("bob", "builder-bob");
    body["device_id"] = "PHONE".into();
    client.post("login", None, &body).ok();
    assert!(client.is_live(&second));
}

#[test]
fn p02_a_password_is_one_in_whatever_normal_form_it_is_typed() {
    // Lesson 108: the keyboards of two devices differ.
    let (composed, decomposed) = ("caf\u{e9} \u{fb01}n", "cafe\u{301} fin");
    let users = json!([{ "localpart": "alice", "password": composed }]);
    let server = Setup::new(json!({ "users": users })).start();
    let client = server.client();
    let token = client.token("alice", decomposed);
    let change = |new: &str, old: &str| {
        let body = json!({ "new_password": new, "auth": password_auth("alice", old) });
        client.post("account/password", Some(&token), &body)
    };
    change("looking-glass \u{1d400}", composed).ok();
    client.login("alice", "looking-glass A").ok();
    change(decomposed, "looking-glass \u{ff21}").ok();
    client.login("alice", composed).ok();
    // In one session: the same parameter.
    let session = client.post("account/password", Some(&token), &json!({ "new_password": composed })).asked();
    let body = json!({ "new_password": decomposed, "auth": password_auth_in(session, "alice", composed) });
    client.post("account/password", Some(&token), &body).ok();
    // It is as strong, and as long, as it is compared.
    change(&"\u{fdfa}".repeat(60), composed).rejected(400, "M_INVALID_PARAM");
    let body = json!({ "username": "carol", "password": decomposed, "auth": { "type": "m.login.dummy" } });
    client.post("register", None, &body).ok();
    client.login("carol", composed).ok();
}

#[test]
fn logout_ends_the_device_and_logout_all_every_one() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let tokens: Vec<_> = (0..3).map(|_| client.token("alice", "wonderland")).collect();
    let bob = client.token("bob", "builder-bob");
    assert_eq!(client.post("logout", Some(&tokens[0]), &json!({})).ok(), json!({}));
    assert!(!client.is_live(&tokens[0]) && client.is_live(&tokens[1]));
    client.post("logout", Some(&tokens[0]), &json!({})).rejected(401, "M_UNKNOWN_TOKEN");
    // Clients send it without a body, too.
    assert_eq!(client.send("POST", "logout/all", Some(&tokens[1]), None).ok(), json!({}));
    assert!(!client.is_live(&tokens[1]) && !client.is_live(&tokens[2]) && client.is_live(&bob));
}

#[test]
fn devices_are_listed_named_and_deleted_after_authentication() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let others: Vec<_> = (0..3).map(|_| client.login("alice", "wonderland").ok()).collect();
    let ids: Vec<_> = others.iter().map(|login| text(login, "device_id")).collect();
    let listed = client.get("devices", Some(&token)).ok();
    assert_eq!(listed["devices"].as_array().unwrap().len(), 4);
    let path = |id: &str| format!("devices/{id}");
    let name = br#"{"display_name": "Named"}"#;
    client.send("PUT", &path(&ids[0]), Some(&token), Some(name)).ok();
    assert_eq!(client.get(&path(&ids[0]), Some(&token)).ok()["display_name"], "Named");
    client.get("devices/UNKNOWN", Some(&token)).rejected(404, "M_NOT_FOUND");
    client.send("PUT", "devices/UNKNOWN", Some(&token), Some(name)).rejected(404, "M_NOT_FOUND");
    let bob = client.token("bob", "builder-bob");
    client.get(&path(&ids[0]), Some(&bob)).rejected(404, "M_NOT_FOUND");

    let body = json!({ "auth": password_auth("alice", "wonderland") }).to_string();
    client.send("DELETE", &path(&ids[0]), Some(&token), Some(body.as_bytes())).ok();
    client.get(&path(&ids[0]), Some(&token)).rejected(404, "M_NOT_FOUND");
    assert!(!client.is_live(&text(&others[0], "access_token")));

    let session =
        client.post("delete_devices", Some(&token), &json!({ "devices": [ids[1], ids[2]] })).asked();
    let auth = password_auth_in(&session, "alice", "wonderland");
    client
        .post("delete_devices", Some(&token), &json!({ "devices": [ids[1]], "auth": auth }))
        .rejected(403, "M_FORBIDDEN");
    client.post("delete_devices", Some(&token), &json!({ "auth": auth })).ok();
    for other in &others {
        assert!(!client.is_live(&text(other, "access_token")));
    }
    assert!(client.is_live(&token));
    // bob's authentication deletes nothing of alice's.
    let here = text(&client.whoami(&token).ok(), "device_id");
    let body = json!({ "devices": [here], "auth": password_auth("bob", "builder-bob") });
    client.post("delete_devices", Some(&bob), &body).ok();
    assert!(client.is_live(&token));
}

#[test]
fn delete_devices_without_devices_misses_them_at_the_end() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let body = json!({ "auth": password_auth("alice", "wonderland") });
    client.post("delete_devices", Some(&token), &body).rejected(400, "M_MISSING_PARAM");
    assert!(client.is_live(&token));
}

#[test]
fn the_3pids_of_an_account_are_listed() {
    let mut setup = Setup::new(json!({}));
    setup.config()["users"] = json!([{ "localpart": "alice", "password": "wonderland",
        "threepids": [{ "medium": "email", "address": "Alice@example.org" }] }]);
    let server = setup.start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let listed = client.get("account/3pid", Some(&token)).ok();
    let [only] = &listed["threepids"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&only["medium"], &only["address"]), (&json!("email"), &json!("alice@example.org")));
    assert!(only["added_at"].is_u64() && only["validated_at"].is_u64(), "{listed}");
}
