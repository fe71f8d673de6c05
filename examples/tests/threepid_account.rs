//! Adding addresses to an account and removing them, and what they prove (rules P4, P6, U23).

use serde_json::{Value, json};

use super::threepid::{EMAIL, MSISDN, add, email, phone, sending};
use crate::support::{Setup, password_auth, text, with};

#[test]
fn an_address_is_added_once_listed_and_removed() {
    let setup = sending(json!({ "identity_servers": { "id.example.org": { "unbind": "success" } } }));
    let server = setup.start();
    let client = server.client();
    let token = client.token("bob", "builder-bob");
    client.post(EMAIL[2], Some(&token), &email("Bob@example.org", 1)).ok();
    let message = setup.last_message();
    let creds = message.creds();
    // The session stays complete until the link has been opened.
    let asked = client.post("account/3pid/add", Some(&token), &creds).asked();
    let auth = with(&password_auth("bob", "builder-bob"), "session", asked.clone());
    let body = with(&creds, "auth", auth);
    client.post("account/3pid/add", Some(&token), &body).rejected(400, "M_THREEPID_AUTH_FAILED");
    message.press(client).page(200);
    let only_session = json!({ "auth": { "session": asked } });
    assert_eq!(client.post("account/3pid/add", Some(&token), &only_session).ok(), json!({}));
    assert_eq!(
        client.post("account/3pid/add", Some(&token), &only_session).ok(),
        json!({}),
        "the answer was lost"
    );
    let list = client.get("account/3pid", Some(&token)).ok();
    let [listed] = &list["threepids"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!(
        (listed["medium"].as_str(), listed["address"].as_str()),
        (Some("email"), Some("bob@example.org"))
    );
    assert!(listed["validated_at"].as_u64() <= listed["added_at"].as_u64());
    // It is a way to log in now, and in use.
    let by_email = json!({ "type": "m.login.password", "password": "builder-bob",
        "identifier": { "type": "m.id.thirdparty", "medium": "email", "address": "BOB@example.org" } });
    client.post("login", None, &by_email).ok();
    for token in [None, Some(&*token)] {
        client.post(EMAIL[2], token, &email("bob@example.org", 9)).rejected(400, "M_THREEPID_IN_USE");
    }
    // It was bound nowhere that is known.
    let delete = json!({ "medium": "email", "address": "BOB@example.org" });
    let gone = client.post("account/3pid/delete", Some(&token), &delete).ok();
    assert_eq!(gone, json!({ "id_server_unbind_result": "no-support" }));
    assert_eq!(client.get("account/3pid", Some(&token)).ok(), json!({ "threepids": [] }));
    client.post("account/3pid/delete", Some(&token), &delete).ok();
    client.post("login", None, &by_email).rejected(403, "M_FORBIDDEN");
    let alice = client.token("alice", "wonderland");
    let others = json!({ "medium": "email", "address": "alice@example.org" });
    client.post("account/3pid/delete", Some(&token), &others).ok();
    assert_eq!(client.get("account/3pid", Some(&alice)).ok()["threepids"].as_array().unwrap().len(), 2);
    let gone = client.post("account/3pid/delete", Some(&alice), &others).ok();
    assert_eq!(gone, json!({ "id_server_unbind_result": "success" }));
}

#[test]
fn a_removal_is_refused_key_by_key() {
    let server = sending(json!({})).start();
    let client = server.client();
    let token = client.token("alice", "wonderland");
    let good = json!({ "medium": "email", "address": "alice@example.org" });
    for (key, value, code) in [
        ("medium", json!(null), "M_MISSING_PARAM"),
        ("medium", json!(1), "M_BAD_JSON"),
        ("medium", json!("fax"), "M_INVALID_PARAM"),
        ("address", json!(null), "M_MISSING_PARAM"),
        ("address", json!("alice"), "M_INVALID_PARAM"),
        ("id_server", json!(true), "M_BAD_JSON"),
        ("id_server", json!(""), "M_INVALID_PARAM"),
    ] {
        client.post("account/3pid/delete", Some(&token), &with(&good, key, value)).rejected(400, code);
    }
    client.post("account/3pid/delete", None, &good).rejected(401, "M_MISSING_TOKEN");
    let setup = Setup::new(json!({ "capabilities": { "m.3pid_changes": false } }));
    let server = setup.start();
    let token = server.client().token("alice", "wonderland");
    server.client().post("account/3pid/delete", Some(&token), &good).rejected(403, "M_FORBIDDEN");
    server.client().post("account/3pid/add", Some(&token), &json!({})).rejected(403, "M_FORBIDDEN");
}

#[test]
fn a_proof_is_good_for_its_purpose_and_its_user_only() {
    let setup = sending(json!({ "flows": { "register": [["m.login.email.identity"]] } }));
    let server = setup.start();
    let client = server.client();
    let (alice, bob) = (client.token("alice", "wonderland"), client.token("bob", "builder-bob"));
    let prove = |path: &str, token: Option<&str>, address: &str| {
        client.post(path, token, &email(address, 1)).ok();
        setup.last_message().submit(client).ok();
        setup.last_message().creds()
    };
    let register = |creds: &Value| {
        let auth = json!({ "type": "m.login.email.identity", "threepid_creds": creds });
        client.post("register", None, &json!({ "username": "carol", "password": "christmas", "auth": auth }))
    };
    let for_bob = prove(EMAIL[2], Some(&bob), "new@example.org");
    add(client, &alice, &for_bob, "wonderland").rejected(400, "M_THREEPID_AUTH_FAILED");
    register(&for_bob).failed(&[], "M_THREEPID_AUTH_FAILED");
    let to_register = prove(EMAIL[0], None, "new@example.org");
    add(client, &bob, &to_register, "builder-bob").rejected(400, "M_THREEPID_AUTH_FAILED");
    let to_reset = prove(EMAIL[1], None, "alice@example.org");
    register(&to_reset).failed(&[], "M_THREEPID_AUTH_FAILED");
    add(client, &bob, &for_bob, "builder-bob").ok();
    // The address was free when it was validated for the registration; it is bob's by now.
    // What was proved is kept, in a session that its client is told of (rule U16).
    register(&to_register).failed(&["m.login.email.identity"], "M_THREEPID_IN_USE");
    client.post("login", None, &password_auth("carol", "christmas")).rejected(403, "M_FORBIDDEN");
}

#[test]
fn a_registration_takes_the_addresses_that_it_proved() {
    let flow = ["m.login.email.identity", "m.login.msisdn"];
    let setup = sending(json!({ "flows": { "register": [flow] } }));
    let server = setup.start();
    let client = server.client();
    let body = json!({ "username": "carol", "password": "christmas" });
    let session = client.post("register", None, &body).asked();
    let stage = |kind: &str, creds: &Value| {
        let auth = json!({ "type": kind, "session": session, "threepid_creds": creds });
        client.post("register", None, &with(&body, "auth", auth))
    };
    client.post(EMAIL[0], None, &email("carol@example.org", 1)).ok();
    let mail = setup.last_message();
    // Not yet is no failure, however often it is asked.
    for _ in 0..12 {
        stage(flow[0], &mail.creds()).continued(&[]);
    }
    let poll = with(&body, "auth", json!({ "session": session }));
    client.post("register", None, &poll).continued(&[]);
    mail.press(client).page(200);
    client.post("register", None, &poll).continued(&[flow[0]]);
    client.post(MSISDN[0], None, &phone("GB", "07700 900123")).ok();
    let sms = setup.last_message();
    stage(flow[1], &with(&sms.creds(), "client_secret", "another"))
        .failed(&[flow[0]], "M_THREEPID_AUTH_FAILED");
    sms.submit(client).ok();
    let login = stage(flow[1], &sms.creds()).ok();
    let list = client.get("account/3pid", Some(&text(&login, "access_token"))).ok();
    let mut addresses: Vec<_> =
        list["threepids"].as_array().unwrap().iter().map(|found| text(found, "address")).collect();
    addresses.sort();
    assert_eq!(addresses, ["447700900123", "carol@example.org"]);
    // Proofs are used up.
    let auth = json!({ "type": flow[0], "threepid_creds": mail.creds() });
    client.post("register", None, &json!({ "auth": auth })).failed(&[], "M_THREEPID_AUTH_FAILED");
}

#[test]
fn one_proof_is_for_one_session() {
    let setup = sending(json!({ "flows": { "register": [["m.login.email.identity", "m.login.dummy"]] } }));
    let server = setup.start();
    let client = server.client();
    client.post(EMAIL[0], None, &email("carol@example.org", 1)).ok();
    setup.last_message().submit(client).ok();
    let auth = json!({ "type": "m.login.email.identity", "threepid_creds": setup.last_message().creds() });
    let body = json!({ "username": "carol", "password": "christmas", "auth": auth });
    let first = client.post("register", None, &body).continued(&["m.login.email.identity"]);
    client.post("register", None, &body).failed(&[], "M_THREEPID_AUTH_FAILED");
    let dummy = json!({ "type": "m.login.dummy", "session": first });
    client.post("register", None, &with(&body, "auth", dummy)).ok();
}

#[test]
fn u25_an_address_is_given_back_by_a_session_that_ended_and_passes_a_stage_of_another() {
    for store in ["memory", "sqlite"] {
        let flow = ["m.login.email.identity", "m.login.dummy"];
        let mut setup = sending(json!({ "flows": { "deactivate_without_token": [flow] } }));
        setup.sessions = Some(store);
        let server = setup.start();
        let client = server.client();
        let token = client.token("alice", "wonderland");
        client.post(EMAIL[1], None, &email("alice@example.org", 1)).ok();
        setup.last_message().submit(client).ok();
        let auth = json!({ "type": flow[0], "threepid_creds": setup.last_message().creds() });
        let deactivate = |auth: &Value| client.post("account/deactivate", None, &json!({ "auth": auth }));
        let session = deactivate(&auth).continued(&[flow[0]]);
        deactivate(&auth).failed(&[], "M_THREEPID_AUTH_FAILED");
        // What a stage proved is over with the account's epoch (rule U24).
        client.change_password(&token, "looking-glass", password_auth("alice", "wonderland")).ok();
        let dummy = json!({ "type": flow[1], "session": session });
        deactivate(&dummy).failed(&[], "M_UNKNOWN");
        assert!(client.is_live(&token));
        let session = deactivate(&auth).continued(&[flow[0]]);
        deactivate(&json!({ "type": flow[1], "session": session })).ok();
        assert!(!client.is_live(&token));
    }
}

#[test]
fn an_address_proves_who_its_owner_is_where_a_user_is_asked_for() {
    let by_email = json!([["m.login.email.identity"]]);
    let setup = sending(json!({ "flows": { "add_3pid": by_email, "deactivate_without_token": by_email } }));
    let server = setup.start();
    let client = server.client();
    let prove = || {
        let secret = format!("secret{}", setup.outbox().len());
        let body = with(&email("alice@example.org", 1), "client_secret", secret);
        client.post(EMAIL[1], None, &body).ok();
        setup.last_message().submit(client).ok();
        json!({ "type": "m.login.email.identity", "threepid_creds": setup.last_message().creds() })
    };
    let bob = client.token("bob", "builder-bob");
    let auth = prove();
    let body = json!({ "sid": "x", "client_secret": "y", "auth": auth });
    client.post("account/3pid/add", Some(&bob), &body).failed(&[], "M_THREEPID_AUTH_FAILED");
    let alice = client.token("alice", "wonderland");
    let body = with(&body, "auth", prove());
    // The stage passes, which is kept; the address that is to be added is not validated.
    let added = client.post("account/3pid/add", Some(&alice), &body);
    added.failed(&["m.login.email.identity"], "M_THREEPID_AUTH_FAILED");
    let body = json!({ "auth": prove() });
    client.post("account/deactivate", None, &body).ok();
    assert!(!client.is_live(&alice) && client.is_live(&bob));
}
