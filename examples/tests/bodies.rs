//! Bodies that are not what they should be (rules E2, U6): a standard error, never a 5xx, and nothing changed.

use crate::support::{Setup, with};
use serde_json::json;

/// What is wrong with a whole body, whatever the endpoint.
fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    let nested = |depth: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let mut bodies: Vec<(Vec<u8>, &str)> = [
        (&b"{"[..], "M_NOT_JSON"),
        (b"}", "M_NOT_JSON"),
        (b" ", "M_NOT_JSON"),
        (b"{}{}", "M_NOT_JSON"),
        (b"{},", "M_NOT_JSON"),
        (b"{'auth': {}}", "M_NOT_JSON"),
        (b"{\"auth\": {}", "M_NOT_JSON"),
        (b"{\"auth\" {}}", "M_NOT_JSON"),
        (b"{\"auth\": {},}", "M_NOT_JSON"),
        (b"{\"x\": 01}", "M_NOT_JSON"),
        (b"{\"x\": +1}", "M_NOT_JSON"),
        (b"{\"x\": .5}", "M_NOT_JSON"),
        (b"{\"x\": NaN}", "M_NOT_JSON"),
        (b"{\"x\": tru}", "M_NOT_JSON"),
        (b"{\"x\": \"\n\"}", "M_NOT_JSON"),
        (b"{\"x\": \"\\x\"}", "M_NOT_JSON"),
        (b"{\"x\": \"\\u12\"}", "M_NOT_JSON"),
        (b"{\"x\": \"", "M_NOT_JSON"),
        (b"{\"x\": \"\xff\"}", "M_NOT_JSON"),
        (b"\xef\xbb\xbf{}", "M_NOT_JSON"),
        (b"\0", "M_NOT_JSON"),
        (b"username=alice&password=wonderland", "M_NOT_JSON"),
        (b"[]", "M_BAD_JSON"),
        (b"null", "M_BAD_JSON"),
        (b"true", "M_BAD_JSON"),
        (b"42", "M_BAD_JSON"),
        (b"\"auth\"", "M_BAD_JSON"),
        (b"{\"auth\": {}, \"auth\": {}}", "M_BAD_JSON"),
        (b"{\"auth\": {\"session\": \"a\", \"session\": \"b\"}}", "M_BAD_JSON"),
        (b"{\"auth\": {}, \"\\u0061uth\": {}}", "M_BAD_JSON"),
        (b"{\"auth\": {\"session\": \"\\ud800\"}}", "M_BAD_JSON"),
        (b"{\"auth\": []}", "M_BAD_JSON"),
        (b"{\"auth\": \"m.login.dummy\"}", "M_BAD_JSON"),
        (b"{\"auth\": 0}", "M_BAD_JSON"),
        (b"{\"auth\": false}", "M_BAD_JSON"),
        (b"{\"auth\": {\"type\": 5}}", "M_BAD_JSON"),
        (b"{\"auth\": {\"type\": [\"m.login.dummy\"]}}", "M_BAD_JSON"),
        (b"{\"auth\": {\"session\": 5}}", "M_BAD_JSON"),
        (b"{\"auth\": {\"session\": {}}}", "M_BAD_JSON"),
        (b"{\"auth\": {\"type\": \"m.login.dummy\", \"session\": true}}", "M_BAD_JSON"),
    ]
    .map(|(body, code)| (body.to_vec(), code))
    .to_vec();
    bodies.push((nested(40), "M_BAD_JSON"));
    bodies.push((nested(30_000), "M_BAD_JSON"));
    bodies
}

#[test]
fn a_malformed_body_is_400_at_every_endpoint_that_reads_one() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    for (body, code) in malformed() {
        for (method, path, token) in [
            ("POST", "register", None),
            ("POST", "account/password", Some(&*token)),
            ("POST", "account/password", None),
            ("POST", "account/deactivate", Some(&*token)),
            ("POST", "delete_devices", Some(&*token)),
            ("DELETE", "devices/X", Some(&*token)),
        ] {
            let answer = client.send(method, path, token, Some(&body));
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
            assert_eq!(answer.status, 400, "{method} {path} {shown}: {answer}");
            assert_eq!(answer.json()["errcode"], code, "{method} {path} {shown}: {answer}");
        }
    }
    assert!(client.is_live(&token));
}

#[test]
fn a_parameter_of_the_wrong_type_is_400_m_bad_json_before_any_challenge() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    for (path, body) in [
        ("account/password", json!({ "new_password": 5 })),
        ("account/password", json!({ "new_password": ["looking-glass"] })),
        ("account/password", json!({ "new_password": {} })),
        ("account/password", json!({ "new_password": false })),
        ("account/password", json!({ "new_password": "looking-glass", "logout_devices": "yes" })),
        ("account/password", json!({ "new_password": "looking-glass", "logout_devices": 1 })),
        ("account/deactivate", json!({ "erase": "true" })),
        ("account/deactivate", json!({ "erase": 0 })),
        ("account/deactivate", json!({ "id_server": 5 })),
        ("account/deactivate", json!({ "id_server": ["id.example"] })),
        ("delete_devices", json!({ "devices": "X" })),
        ("delete_devices", json!({ "devices": { "0": "X" } })),
        ("delete_devices", json!({ "devices": [5] })),
        ("delete_devices", json!({ "devices": [null] })),
        ("register", json!({ "username": 5 })),
        ("register", json!({ "password": 5 })),
        ("register", json!({ "device_id": [] })),
        ("register", json!({ "inhibit_login": "no" })),
        ("register", json!({ "initial_device_display_name": 1 })),
        ("register", json!({ "refresh_token": "yes" })),
    ] {
        for auth in [None, Some(json!({ "type": "m.login.dummy" }))] {
            let body = auth.map_or_else(|| body.clone(), |auth| with(&body, "auth", auth));
            let token = (path != "register").then_some(&*token);
            let answer = client.post(path, token, &body);
            assert_eq!(answer.status, 400, "{path} {body}: {answer}");
            answer.rejected(400, "M_BAD_JSON");
        }
    }
}

#[test]
fn null_is_absent_everywhere() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    // Lessons 18 and 56.
    client.post("account/password", Some(&token), &json!({ "auth": null })).asked();
    client
        .post("account/password", Some(&token), &json!({ "auth": { "session": null, "type": null } }))
        .asked();
    client
        .post("account/password", Some(&token), &json!({ "new_password": null, "logout_devices": null }))
        .asked();
    client
        .post("account/deactivate", Some(&token), &json!({ "id_server": null, "erase": null, "auth": null }))
        .asked();
    client.post("delete_devices", Some(&token), &json!({ "devices": null })).asked();
    let body = json!({
        "username": "carol", "password": "christmas", "device_id": null, "initial_device_display_name": null,
        "inhibit_login": null, "refresh_token": null,
        "auth": { "type": "m.login.dummy", "session": null },
    });
    client.post("register", None, &body).ok();
}

#[test]
fn odd_bodies_of_login_are_standard_errors() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    // Lesson 54: `{}`.
    for (body, status, code) in [
        (&b""[..], 400, "M_MISSING_PARAM"),
        (b"{}", 400, "M_MISSING_PARAM"),
        (b"{", 400, "M_NOT_JSON"),
        (b"[]", 400, "M_BAD_JSON"),
        (b"{\"type\": 5}", 400, "M_BAD_JSON"),
        (b"{\"type\": null}", 400, "M_MISSING_PARAM"),
        (b"{\"type\": \"\"}", 400, "M_UNKNOWN"),
        (b"{\"type\": \"m.login.nothing\"}", 400, "M_UNKNOWN"),
        (b"{\"type\": \"m.login.dummy\"}", 400, "M_UNKNOWN"),
        (b"{\"type\": \"m.login.password\"}", 400, "M_MISSING_PARAM"),
        (b"{\"type\": \"m.login.password\", \"password\": \"wonderland\"}", 400, "M_MISSING_PARAM"),
        (b"{\"type\": \"m.login.password\", \"user\": \"alice\"}", 400, "M_MISSING_PARAM"),
        (b"{\"type\": \"m.login.password\", \"user\": \"alice\", \"password\": 5}", 400, "M_BAD_JSON"),
        (b"{\"type\": \"m.login.token\", \"token\": 5}", 400, "M_BAD_JSON"),
    ] {
        let answer = client.send("POST", "login", None, Some(body));
        let shown = String::from_utf8_lossy(body);
        assert_eq!((answer.status, &answer.json()["errcode"]), (status, &json!(code)), "{shown}: {answer}");
    }
    // Of an identifier or a password in a strange form nothing is promised but a standard error.
    for body in [
        json!({ "type": "m.login.password", "user": "alice", "password": "" }),
        json!({ "type": "m.login.password", "user": "alice", "password": "x".repeat(60_000) }),
        json!({ "type": "m.login.password", "user": "", "password": "wonderland" }),
        json!({ "type": "m.login.password", "user": "@", "password": "wonderland" }),
        json!({ "type": "m.login.password", "user": "@alice", "password": "wonderland" }),
        json!({ "type": "m.login.password", "user": "\u{0}", "password": "wonderland" }),
        json!({ "type": "m.login.password", "user": "x".repeat(10_000), "password": "wonderland" }),
        json!({ "type": "m.login.password", "identifier": "alice", "password": "wonderland" }),
        json!({ "type": "m.login.password", "identifier": {}, "password": "wonderland" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.user" }, "password": "wonderland" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.soul", "user": "alice" }, "password": "p" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.thirdparty", "medium": "email" }, "password": "p" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "a@b@c" }, "password": "p" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.thirdparty", "medium": "pigeon", "address": "coo" }, "password": "p" }),
        json!({ "type": "m.login.password", "identifier": { "type": "m.id.phone", "country": "GB", "phone": "\u{1f4de}" }, "password": "p" }),
        json!({ "type": "m.login.token" }),
        json!({ "type": "m.login.token", "token": "x" }),
        json!({ "type": "m.login.application_service" }),
        json!({ "type": "m.login.application_service", "identifier": { "type": "m.id.user", "user": "alice" } }),
    ] {
        let answer = client.post("login", None, &body);
        assert!((400..500).contains(&answer.status), "{body}: {answer}");
    }
}

#[test]
fn a_stage_whose_data_is_odd_gets_the_state_back_and_counts_as_no_failure() {
    let server = Setup::new(json!({ "uia": { "max_failed_attempts": 1 } })).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let change = |auth| json!({ "new_password": "looking-glass", "auth": auth });
    let session =
        client.post("account/password", Some(&token), &json!({ "new_password": "looking-glass" })).asked();
    let user = json!({ "type": "m.id.user", "user": "alice" });
    for (auth, code) in [
        (json!({ "type": "m.login.password" }), "M_MISSING_PARAM"),
        (json!({ "type": "m.login.password", "identifier": user }), "M_MISSING_PARAM"),
        (json!({ "type": "m.login.password", "password": "wonderland" }), "M_MISSING_PARAM"),
        (json!({ "type": "m.login.password", "identifier": user, "password": null }), "M_MISSING_PARAM"),
        (
            json!({ "type": "m.login.password", "identifier": null, "password": "wonderland" }),
            "M_MISSING_PARAM",
        ),
        (
            json!({ "type": "m.login.password", "identifier": { "type": "m.id.user" }, "password": "p" }),
            "M_MISSING_PARAM",
        ),
        (json!({ "type": "m.login.password", "identifier": user, "password": 5 }), "M_INVALID_PARAM"),
        (json!({ "type": "m.login.password", "identifier": user, "password": "" }), "M_INVALID_PARAM"),
        (
            json!({ "type": "m.login.password", "identifier": "alice", "password": "wonderland" }),
            "M_INVALID_PARAM",
        ),
        (
            json!({ "type": "m.login.password", "identifier": { "type": 5 }, "password": "wonderland" }),
            "M_INVALID_PARAM",
        ),
        (json!({ "type": "m.login.dummy" }), "M_INVALID_PARAM"),
        (json!({ "type": "m.login.recaptcha", "response": "good" }), "M_INVALID_PARAM"),
        (json!({ "type": "m.login.sso" }), "M_INVALID_PARAM"),
        (json!({ "type": "org.example.custom", "x": [1, { "y": 2 }] }), "M_INVALID_PARAM"),
        (json!({ "type": "" }), "M_INVALID_PARAM"),
        (json!({ "type": "x".repeat(5_000) }), "M_INVALID_PARAM"),
    ] {
        let answer =
            client.post("account/password", Some(&token), &change(with(&auth, "session", session.as_str())));
        assert_eq!(answer.status, 401, "{auth}: {answer}");
        assert_eq!(answer.failed(&[], code), session, "{auth}");
    }
    // Not one of them was the one failure that is allowed.
    let mut auth = crate::support::password_auth("alice", "wonderland");
    auth["session"] = session.into();
    client.post("account/password", Some(&token), &change(auth)).ok();
}
