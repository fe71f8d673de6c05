//! `refresh` (rule L4).

use crate::support::{Client, Setup, password_auth, text, with};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

/// A login that takes refresh tokens.
fn login(client: &Client) -> Value {
    client.post("login", None, &with(&password_auth("alice", "wonderland"), "refresh_token", true)).ok()
}

fn refresh(client: &Client, pair: &Value) -> Value {
    client.post("refresh", None, &json!({ "refresh_token": pair["refresh_token"] })).ok()
}

#[track_caller]
fn refused(client: &Client, pair: &Value, soft_logout: bool) {
    let body = json!({ "refresh_token": pair["refresh_token"] });
    let error = client.post("refresh", None, &body).rejected(401, "M_UNKNOWN_TOKEN");
    assert_eq!(error["soft_logout"] == true, soft_logout, "{error}");
}

/// Whether an access token is good; one that isn't is softly logged out.
#[track_caller]
fn good(client: &Client, pair: &Value) -> bool {
    let answer = client.whoami(&text(pair, "access_token"));
    if answer.status == 200 {
        return true;
    }
    assert_eq!(answer.rejected(401, "M_UNKNOWN_TOKEN")["soft_logout"], true);
    false
}

#[test]
fn a_refresh_token_is_given_to_who_asks_for_it() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let plain = client.login("alice", "wonderland").ok();
    assert!(plain.get("refresh_token").is_none() && plain.get("expires_in_ms").is_none());
    let pair = login(&client);
    assert!(pair["refresh_token"].is_string());
    assert!(pair.get("expires_in_ms").is_none(), "tokens don't expire here");
    let next = refresh(&client, &pair);
    assert_eq!(next.as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token", "refresh_token"]);
    assert_ne!(next["access_token"], pair["access_token"]);
    assert_ne!(next["refresh_token"], pair["refresh_token"]);
}

#[test]
fn the_old_pair_dies_when_the_new_access_or_refresh_token_is_first_used() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    for by_refresh in [false, true] {
        let old = login(&client);
        let new = refresh(&client, &old);
        assert!(good(&client, &old), "nobody has used the new one");
        if by_refresh {
            refresh(&client, &new);
        } else {
            assert!(good(&client, &new));
        }
        refused(&client, &old, true);
        assert!(!good(&client, &old));
        assert!(good(&client, &new));
    }
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let old = login(&client);
    let lost = refresh(&client, &old);
    let new = refresh(&client, &old);
    // It may be another process of the same client that has it: the device lives on.
    refused(&client, &lost, true);
    assert!(!good(&client, &lost), "there is one live pair beside the old");
    assert!(good(&client, &new));
    refused(&client, &old, true);
    let device = |pair: &Value| client.whoami(&text(pair, "access_token")).ok()["device_id"].clone();
    assert_eq!(device(&new), old["device_id"], "the device is the same all along");
}

#[test]
fn an_expired_access_token_is_softly_logged_out_and_refreshed() {
    let server = Setup::new(json!({ "access_token_lifetime_ms": 700 })).start();
    let client = server.client();
    let pair = login(&client);
    assert_eq!(pair["expires_in_ms"], 700);
    let for_ever = client.token("bob", "builder-bob");
    sleep(Duration::from_millis(800));
    assert!(!good(&client, &pair));
    assert!(client.is_live(&for_ever), "who takes no refresh token has one that lasts");
    let new = refresh(&client, &pair);
    assert_eq!(new["expires_in_ms"], 700);
    assert!(good(&client, &new));
    // An expired token is not used by being presented: the old refresh token lives on.
    let lost = refresh(&client, &new);
    sleep(Duration::from_millis(800));
    assert!(!good(&client, &lost));
    refresh(&client, &new);
}

#[test]
fn what_ends_a_device_ends_its_refresh_tokens() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    let pair = login(&client);
    client.post("logout", Some(&text(&pair, "access_token")), &json!({})).ok();
    refused(&client, &pair, false);

    let pair = login(&client);
    let other = client.token("alice", "wonderland");
    let change = json!({ "new_password": "looking-glass", "auth": password_auth("alice", "wonderland") });
    client.post("account/password", Some(&other), &change).ok();
    refused(&client, &pair, false);
}

#[test]
fn odd_bodies_have_their_errors() {
    let server = Setup::new(json!({})).start();
    let client = server.client();
    for (body, status, code) in [
        (json!({}), 400, "M_MISSING_PARAM"),
        (json!({ "refresh_token": 1 }), 400, "M_BAD_JSON"),
        (json!({ "refresh_token": "" }), 401, "M_UNKNOWN_TOKEN"),
        (json!({ "refresh_token": "nonsense" }), 401, "M_UNKNOWN_TOKEN"),
    ] {
        let error = client.post("refresh", None, &body).rejected(status, code);
        assert!(error.get("soft_logout").is_none(), "{error}");
    }
    // An access token is no refresh token.
    let pair = login(&client);
    let body = json!({ "refresh_token": pair["access_token"] });
    client.post("refresh", None, &body).rejected(401, "M_UNKNOWN_TOKEN");
    client.whoami(&text(&pair, "refresh_token")).rejected(401, "M_UNKNOWN_TOKEN");
}
