//! `account/password` without a token (rule P4), through the outbox.

use crate::support::{Client, Setup, ids_are_sealed, sessions_are_elsewhere, with};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn setup(config: Value) -> Setup {
    let users = json!([
        { "localpart": "alice", "password": "wonderland", "threepids": [
            { "medium": "email", "address": "alice@example.org" },
            { "medium": "msisdn", "address": "447700900001" }] },
        { "localpart": "bob", "password": "builder-bob" },
    ]);
    Setup::sending(with(&config, "users", users))
}

/// A stage with proof of an address, which is validated if it is to be.
fn prove(setup: &Setup, client: Client, medium: &str, validate: bool) -> Value {
    let secret = format!("secret-{}", setup.outbox().len());
    let body = json!({ "client_secret": secret, "send_attempt": 1, "email": "Alice@example.org",
        "country": "GB", "phone_number": "07700 900001" });
    client.post(&format!("account/password/{medium}/requestToken"), None, &body).ok();
    let message = setup.last_message();
    assert_eq!((message.text("purpose"), message.text("medium")), ("reset".to_owned(), medium.to_owned()));
    if validate {
        message.press(client).page(200);
    }
    let stage = if medium == "email" { "m.login.email.identity" } else { "m.login.msisdn" };
    json!({ "type": stage, "threepid_creds": message.creds() })
}

fn reset(client: Client, password: &str, auth: Value) -> crate::support::Answer {
    client.post("account/password", None, &json!({ "new_password": password, "auth": auth }))
}

#[test]
fn who_reads_the_message_resets_the_password() {
    let flows = json!({ "password_reset": [["m.login.email.identity"], ["m.login.msisdn"]] });
    for medium in ["email", "msisdn"] {
        let setup = setup(json!({ "flows": flows }));
        let server = setup.start();
        let client = server.client();
        let (alice, bob) = (client.token("alice", "wonderland"), client.token("bob", "builder-bob"));
        let auth = prove(&setup, client, medium, false);
        let session = reset(client, "looking-glass", auth.clone()).continued(&[]);
        assert!(client.is_live(&alice));
        setup.last_message().press(client).page(200);
        let poll = json!({ "session": session });
        assert_eq!(reset(client, "looking-glass", poll.clone()).ok(), json!({}));
        assert_eq!(reset(client, "looking-glass", poll).ok(), json!({}), "the answer was lost");
        assert!(!client.is_live(&alice) && client.is_live(&bob));
        client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
        client.login("alice", "looking-glass").ok();
        reset(client, "jabberwocky", auth).failed(&[], "M_THREEPID_AUTH_FAILED");
    }
}

#[test]
fn the_account_is_the_one_that_has_the_address_now() {
    let setup = setup(json!({}));
    let server = setup.start();
    let client = server.client();
    let (alice, bob) = (client.token("alice", "wonderland"), client.token("bob", "builder-bob"));
    let proofs: Vec<_> = (0..2).map(|_| prove(&setup, client, "email", true)).collect();
    let address = json!({ "medium": "email", "address": "alice@example.org" });
    client.post("account/3pid/delete", Some(&alice), &address).ok();
    let refused = reset(client, "looking-glass", proofs[0].clone());
    refused.rejected(404, "M_THREEPID_NOT_FOUND");
    client.login("alice", "wonderland").ok();
    // Bob takes the address: the second proof is about his account.
    let ask = json!({ "client_secret": "bobs", "send_attempt": 1, "email": "alice@example.org" });
    client.post("account/3pid/email/requestToken", Some(&bob), &ask).ok();
    setup.last_message().press(client).page(200);
    let auth = crate::support::password_auth("bob", "builder-bob");
    let body = with(&setup.last_message().creds(), "auth", auth);
    client.post("account/3pid/add", Some(&bob), &body).ok();
    reset(client, "looking-glass", proofs[1].clone()).ok();
    client.login("alice", "wonderland").ok();
    client.login("bob", "looking-glass").ok();
}

#[test]
fn a_deactivated_account_is_not_revived() {
    let setup = setup(json!({}));
    let server = setup.start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    let proof = prove(&setup, client, "email", true);
    let pending = reset(client, "looking-glass", json!({})).asked();
    let auth = crate::support::password_auth("alice", "wonderland");
    client.post("account/deactivate", Some(&alice), &json!({ "auth": auth })).ok();
    // The validation went with the account.
    reset(client, "looking-glass", with(&proof, "session", pending)).failed(&[], "M_THREEPID_AUTH_FAILED");
    let ask = json!({ "client_secret": "s", "send_attempt": 1, "email": "alice@example.org" });
    client.post("account/password/email/requestToken", None, &ask).rejected(400, "M_THREEPID_NOT_FOUND");
    client.login("alice", "looking-glass").rejected(403, "M_USER_DEACTIVATED");
    client.post("register/email/requestToken", None, &ask).ok();
}

#[test]
fn a_session_that_was_complete_before_the_deactivation_resets_nothing() {
    let setup = setup(json!({}));
    let server = setup.start();
    let client = server.client();
    let alice = client.token("alice", "wonderland");
    let proof = prove(&setup, client, "email", true);
    // Complete, but for the password that never came.
    let session = client.post("account/password", None, &json!({})).asked();
    let body = json!({ "auth": with(&proof, "session", session.clone()) });
    client.post("account/password", None, &body).rejected(400, "M_MISSING_PARAM");
    let auth = crate::support::password_auth("alice", "wonderland");
    client.post("account/deactivate", Some(&alice), &json!({ "auth": auth })).ok();
    let late = reset(client, "looking-glass", json!({ "session": session }));
    if sessions_are_elsewhere() {
        // The fence has made it void (rule U24), and it is found still: the user is who is gone (rule P4).
        late.rejected(403, "M_USER_DEACTIVATED");
    } else if ids_are_sealed() {
        // It ended with the account's fence, and begins again without what it had.
        late.continued(&[]);
    } else {
        // It ended with the account's fence.
        late.failed(&[], "M_UNKNOWN");
    }
    client.login("alice", "looking-glass").rejected(403, "M_USER_DEACTIVATED");
}

#[test]
fn u23_the_second_address_has_to_be_the_same_user_s() {
    let both = json!([["m.login.email.identity", "m.login.msisdn"]]);
    let mut setup = setup(json!({ "flows": { "password_reset": both } }));
    setup.config()["users"][0]["threepids"] = json!([{ "medium": "email", "address": "alice@example.org" }]);
    setup.config()["users"][1]["threepids"] = json!([{ "medium": "msisdn", "address": "447700900001" }]);
    let server = setup.start();
    let client = server.client();
    let (email, phone) = (prove(&setup, client, "email", true), prove(&setup, client, "msisdn", true));
    let session = reset(client, "looking-glass", email).continued(&["m.login.email.identity"]);
    let passed = ["m.login.email.identity"];
    let by_phone = || reset(client, "looking-glass", with(&phone, "session", session.clone()));
    by_phone().failed(&passed, "M_THREEPID_AUTH_FAILED");
    // Nor if it is nobody's any more.
    let bob = client.token("bob", "builder-bob");
    let address = json!({ "medium": "msisdn", "address": "447700900001" });
    client.post("account/3pid/delete", Some(&bob), &address).ok();
    by_phone().failed(&passed, "M_THREEPID_AUTH_FAILED");
    reset(client, "looking-glass", json!({ "session": session })).continued(&passed);
    client.login("alice", "wonderland").ok();
    client.login("bob", "builder-bob").ok();
}

#[test]
fn where_a_link_leads_is_not_the_requests_to_say() {
    let setup = setup(json!({}));
    let server = setup.start();
    let body = json!({ "client_secret": "s", "send_attempt": 1, "email": "alice@example.org" }).to_string();
    let mut connection = TcpStream::connect(server.address()).unwrap();
    let head = "POST /_matrix/client/v3/account/password/email/requestToken HTTP/1.1\r\nHost: evil.example";
    let more = "X-Forwarded-Host: evil.example\r\nConnection: close";
    write!(connection, "{head}\r\n{more}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let url = setup.last_message().text("submit_url");
    assert!(url.starts_with(&format!("http://{}/", server.address())), "{url}");
}
