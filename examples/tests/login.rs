//! `login`, `login/get_token`, `logout` (rules L1 to L3, L5 and R7).

use crate::support::{Client, Setup, password_auth, text, with};
use serde_json::{Value, json};

const GET_TOKEN: &str = "/_matrix/client/v1/login/get_token";

fn token_login(token: &str) -> Value {
    json!({ "type": "m.login.token", "token": token })
}

/// A token to log in with, by alice's password.
fn get_token(client: &Client, access: &str) -> String {
    let body = json!({ "auth": password_auth("alice", "wonderland") });
    text(&client.post(GET_TOKEN, Some(access), &body).ok(), "login_token")
}

#[test]
fn l01_the_flows_are_by_policy() {
    let flows = |config: Value| {
        let mut setup = Setup::new(config);
        setup.config()["server_name"] = "localhost".into();
        setup.start().client().get("login", None).ok()
    };
    let (password, token) =
        (json!({ "type": "m.login.password" }), json!({ "type": "m.login.token", "get_login_token": true }));
    assert_eq!(flows(json!({})), json!({ "flows": [password, token] }));
    assert_eq!(flows(json!({ "login_token": { "enabled": false } })), json!({ "flows": [password] }));
    let appservices =
        json!([{ "id": "b", "as_token": "as-secret", "sender_localpart": "bot", "user_prefix": "_b_" }]);
    assert_eq!(
        flows(json!({ "appservices": appservices })),
        json!({ "flows": [password, token, { "type": "m.login.application_service" }] })
    );
}

#[test]
fn l01_old_paths_are_served_alike() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let old = client.get("/_matrix/client/r0/login", None).ok();
    assert_eq!(old, client.get("login", None).ok());
    client.post("/_matrix/client/r0/login", None, &password_auth("alice", "wonderland")).ok();
}

#[test]
fn l02_wrong_and_unknown_are_one_answer() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let wrong = client.login("alice", "looking-glass").rejected(403, "M_FORBIDDEN");
    for nobody in ["nobody", "@alice:elsewhere.example", "@nobody:localhost"] {
        assert_eq!(client.login(nobody, "looking-glass").rejected(403, "M_FORBIDDEN"), wrong);
    }
    let by_mail = json!({
        "type": "m.login.password", "password": "wonderland",
        "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "nobody@example.org" },
    });
    assert_eq!(client.post("login", None, &by_mail).rejected(403, "M_FORBIDDEN"), wrong);
    client.login("Alice", "wonderland").ok();
    client.login("@alice:localhost", "wonderland").ok();
}

#[test]
fn l02_a_user_is_named_in_every_way_there_is() {
    let server = Setup::new(json!({ "users": [{
        "localpart": "alice", "password": "wonderland", "threepids": [
            { "medium": "email", "address": "alice@example.org" },
            { "medium": "msisdn", "address": "447700900000" }],
    }] }))
    .start();
    let client = server.client();
    for named in [
        json!({ "identifier": { "type": "m.id.user", "user": "alice" } }),
        json!({ "user": "alice" }),
        json!({ "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "Alice@Example.org" } }),
        json!({ "medium": "email", "address": "alice@example.org" }),
        json!({ "identifier": { "type": "m.id.thirdparty", "medium": "msisdn", "address": "447700900000" } }),
        json!({ "identifier": { "type": "m.id.phone", "country": "GB", "phone": "+447700900000" } }),
    ] {
        let login = with(&with(&named, "type", "m.login.password"), "password", "wonderland");
        assert_eq!(client.post("login", None, &login).ok()["user_id"], "@alice:localhost", "{login}");
        let wrong = with(&login, "password", "looking-glass");
        client.post("login", None, &wrong).rejected(403, "M_FORBIDDEN");
    }
}

#[test]
fn l02_odd_types_have_their_errors() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    for (body, status, code) in [
        (json!({}), 400, "M_MISSING_PARAM"),
        (json!({ "type": null }), 400, "M_MISSING_PARAM"),
        (json!({ "type": 5 }), 400, "M_BAD_JSON"),
        (json!({ "type": "m.login.dummy" }), 400, "M_UNKNOWN"),
        (json!({ "type": "m.login.token" }), 400, "M_MISSING_PARAM"),
        (json!({ "type": "m.login.token", "token": "" }), 400, "M_INVALID_PARAM"),
        (token_login("nonsense"), 403, "M_FORBIDDEN"),
        (json!({ "type": "m.login.application_service", "user": "alice" }), 401, "M_MISSING_TOKEN"),
    ] {
        client.post("login", None, &body).rejected(status, code);
    }
    let server = Setup::new(json!({ "login_token": { "enabled": false } })).start();
    server.client().post("login", None, &token_login("nonsense")).rejected(400, "M_UNKNOWN");
}

#[test]
fn l02_over_the_rate_nothing_is_verified() {
    let server =
        Setup::new(json!({ "rate_limits": { "failed_auth": { "burst": 2, "per_second": 0.01 } } })).start();
    let client = server.client();
    for _ in 0..2 {
        client.login("alice", "looking-glass").rejected(403, "M_FORBIDDEN");
    }
    client.login("alice", "wonderland").rejected(429, "M_LIMIT_EXCEEDED");
    client.login("bob", "builder-bob").ok();
}

#[test]
fn l03_a_device_is_taken_up_with_its_name_and_without_its_tokens() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let login = |device: &str, name: &str| {
        let body = with(&password_auth("alice", "wonderland"), "device_id", device);
        client.post("login", None, &with(&body, "initial_device_display_name", name)).ok()
    };
    let first = login("PHONE", "Alice's phone");
    let again = login("PHONE", "Another name");
    assert_eq!(again["device_id"], "PHONE");
    assert!(client.was_replaced(&text(&first, "access_token")));
    let token = text(&again, "access_token");
    assert_eq!(client.get("devices/PHONE", Some(&token)).ok()["display_name"], "Alice's phone");
    let made = client.login("alice", "wonderland").ok();
    assert_ne!(made["device_id"], "PHONE");
    assert!(client.is_live(&token), "another device's login ends nothing");
    // Bob's device of the same name is another one.
    client.post("login", None, &with(&password_auth("bob", "builder-bob"), "device_id", "PHONE")).ok();
    assert!(client.is_live(&token));
}

#[test]
fn l02_a_login_token_logs_in_once_on_another_device() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let alice = client.login("alice", "wonderland").ok();
    let access = text(&alice, "access_token");
    client.post(GET_TOKEN, None, &json!({})).rejected(401, "M_MISSING_TOKEN");
    let session = client.post(GET_TOKEN, Some(&access), &json!({})).asked();
    let auth = with(&password_auth("alice", "wonderland"), "session", session);
    let body = json!({ "auth": auth });
    let made = client.post(GET_TOKEN, Some(&access), &body).ok();
    assert_eq!(made["expires_in_ms"], 120_000);
    // Never again for the same authentication.
    let fresh = client.post(GET_TOKEN, Some(&access), &body).failed(&[], "M_UNKNOWN");
    assert_ne!(fresh, text(&auth, "session"));

    let token = text(&made, "login_token");
    let body = with(&token_login(&token), "device_id", "TABLET");
    let login = client.post("login", None, &body).ok();
    assert_eq!((&login["user_id"], &login["device_id"]), (&alice["user_id"], &json!("TABLET")));
    client.post("login", None, &body).rejected(403, "M_FORBIDDEN");
    assert!(client.is_live(&access) && client.is_live(&text(&login, "access_token")));
    assert!(!server.log().contains(&token));
}

#[test]
fn l02_a_login_token_ends_with_its_time_or_the_password_it_was_asked_with() {
    let server = Setup::new(json!({ "login_token": { "lifetime_ms": 300 } })).start();
    let client = server.client();
    let token = get_token(&client, &client.token("alice", "wonderland"));
    std::thread::sleep(std::time::Duration::from_millis(400));
    client.post("login", None, &token_login(&token)).rejected(403, "M_FORBIDDEN");

    let server = Setup::new(json!({})).start();
    let client = server.client();
    let access = client.token("alice", "wonderland");
    let token = get_token(&client, &access);
    let change = json!({ "new_password": "looking-glass", "auth": password_auth("alice", "wonderland") });
    client.post("account/password", Some(&access), &change).ok();
    client.post("login", None, &token_login(&token)).rejected(403, "M_FORBIDDEN");
}

#[test]
fn l05_logout_ends_the_device_and_logout_all_every_device() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let [one, two, three] = [(); 3].map(|()| client.token("alice", "wonderland"));
    let bob = client.token("bob", "builder-bob");
    for path in ["logout", "logout/all"] {
        client.post(path, None, &json!({})).rejected(401, "M_MISSING_TOKEN");
        client.post(path, Some("nonsense"), &json!({})).rejected(401, "M_UNKNOWN_TOKEN");
    }
    assert_eq!(client.post("logout", Some(&one), &json!({})).ok(), json!({}));
    assert!(!client.is_live(&one) && client.is_live(&two));
    assert_eq!(client.get("devices", Some(&two)).ok()["devices"].as_array().unwrap().len(), 2);
    assert_eq!(client.send("POST", "logout/all", Some(&two), None).ok(), json!({}));
    assert!(!client.is_live(&two) && !client.is_live(&three) && client.is_live(&bob));
}

#[test]
fn r07_without_the_legacy_api_nobody_logs_in_or_registers() {
    let server = Setup::new(json!({ "legacy_login": false, "registration": { "guests": true } })).start();
    let client = server.client();
    client.get("login", None).rejected(404, "M_UNRECOGNIZED");
    for body in [password_auth("alice", "wonderland"), token_login("t"), json!({}), json!({ "type": "x" })] {
        client.post("login", None, &body).rejected(404, "M_UNRECOGNIZED");
    }
    client.post(GET_TOKEN, Some("t"), &json!({})).rejected(404, "M_UNRECOGNIZED");
    client.post("register", None, &json!({})).rejected(404, "M_UNRECOGNIZED");
    client.get("register/available?username=carol", None).rejected(404, "M_UNRECOGNIZED");
    client.post("refresh", None, &json!({ "refresh_token": "t" })).rejected(401, "M_UNKNOWN_TOKEN");
    // A guest is no user, and logs in with nothing.
    client.post("register?kind=guest", None, &json!({})).ok();
}

#[test]
fn capabilities_are_the_policy_s() {
    let server = Setup::new(json!({
        "login_token": { "enabled": false }, "capabilities": { "m.change_password": false },
    }))
    .start();
    let client = server.client();
    let access = client.token("alice", "wonderland");
    client.post(GET_TOKEN, Some(&access), &json!({})).rejected(404, "M_UNRECOGNIZED");
    let capabilities = client.get("capabilities", Some(&access)).ok();
    assert_eq!(
        capabilities["capabilities"],
        json!({
            "m.change_password": { "enabled": false }, "m.3pid_changes": { "enabled": true },
            "m.get_login_token": { "enabled": false },
        })
    );
    client.get("capabilities", None).rejected(401, "M_MISSING_TOKEN");
}

#[test]
fn l06_a_token_may_stand_in_the_query_and_an_empty_one_is_none() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let other = client.token("alice", "wonderland");
    let whoami = |query: &str, header: Option<&str>| client.get(&format!("account/whoami{query}"), header);
    let in_query = format!("?access_token={token}");
    assert_eq!(whoami(&in_query, None).ok()["user_id"], "@alice:localhost");
    whoami(&in_query, Some(&token)).ok();
    whoami(&in_query, Some("")).ok();
    whoami(&in_query, Some(&other)).rejected(400, "M_INVALID_PARAM");
    whoami("?access_token=nonsense", None).rejected(401, "M_UNKNOWN_TOKEN");
    for (query, header) in
        [("", Some("")), ("", Some("  ")), ("?access_token=", None), ("?access_token=%20", Some(""))]
    {
        whoami(query, header).rejected(401, "M_MISSING_TOKEN");
    }
    whoami("?access_token=", Some(&token)).ok();

    let server = Setup::new(json!({ "query_tokens": false })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let in_query = format!("account/whoami?access_token={token}");
    client.get(&in_query, None).rejected(401, "M_MISSING_TOKEN");
    client.get(&in_query, Some(&token)).ok();
}
