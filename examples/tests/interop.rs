//! What real clients were seen to need. `tests/interop` runs the clients themselves; what is asked of the server
//! for their sake alone is here, so that it holds where there is no Python and no Node.

use crate::support::{Server, password_auth, text, with};
use serde_json::json;

/// matrix-nio 0.26 takes a list of devices for an error if one has no `last_seen_ip`, which the spec lets a
/// server leave out. (It does so for a missing `display_name` too, and that the spec wants absent.)
#[test]
fn a_device_has_the_address_that_it_was_last_seen_at() {
    let server = Server::without_config();
    let client = server.client();
    let named = with(&password_auth("alice", "wonderland"), "initial_device_display_name", "Alice's phone");
    let phone = client.post("login", None, &named).ok();
    let token = text(&phone, "access_token");
    // Logged in, and not heard of since.
    let silent = client.login("alice", "wonderland").ok();

    let list = client.get("devices", Some(&token)).ok();
    let device = |login: &serde_json::Value| {
        let devices = list["devices"].as_array().unwrap();
        devices.iter().find(|device| device["device_id"] == login["device_id"]).unwrap().clone()
    };
    assert_eq!(device(&phone)["last_seen_ip"], "127.0.0.1");
    assert_eq!(device(&phone)["display_name"], "Alice's phone");
    for key in ["last_seen_ip", "display_name"] {
        assert!(device(&silent).get(key).is_none(), "absent, not null");
    }

    let path = format!("devices/{}", text(&phone, "device_id"));
    assert_eq!(client.get(&path, Some(&token)).ok(), device(&phone));
}

/// matrix-js-sdk 37 asks for the flows with `"auth": null`, and repeats the whole body with every stage;
/// matrix-nio 0.26 names the user in the older form, and asks with an auth dict that has neither `type` nor
/// `session`.
#[test]
fn auth_dicts_as_clients_write_them() {
    let server = Server::without_config();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let body = json!({ "new_password": "looking-glass", "logout_devices": false });
    let post = |auth| client.post("account/password", Some(&token), &with(&body, "auth", auth));
    for auth in [json!(null), json!({ "initial_device_display_name": "matrix-nio" })] {
        let session = post(auth).asked();
        let answer = json!({ "type": "m.login.password", "user": "alice", "session": session });
        post(with(&answer, "password", "white-rabbit")).failed(&[], "M_FORBIDDEN");
        assert!(client.is_live(&token));
        client.login("alice", "wonderland").ok();
    }
    let answer = json!({ "type": "m.login.password", "user": "alice", "password": "wonderland" });
    post(with(&answer, "session", post(json!(null)).asked())).ok();
    client.login("alice", "looking-glass").ok();
}
