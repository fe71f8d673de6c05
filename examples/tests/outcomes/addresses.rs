//! Addresses: who has one by now, and what one validation is good for.

use super::{Ground, raced, run};
use crate::support::{Answer, at_once, dummy_auth, text, with, with_status};
use serde_json::{Value, json};

const REGISTER: &str = "register/email/requestToken";
const RESET: &str = "account/password/email/requestToken";
const ADD: &str = "account/3pid/email/requestToken";

fn email_auth(creds: &Value) -> Value {
    json!({ "type": "m.login.email.identity", "threepid_creds": creds })
}

/// A reset that needs nothing but the proof of the address: the new password is hashed, and kept.
fn reset(ground: &Ground, address: &str, logout_devices: bool) -> Value {
    let proof = email_auth(&ground.validated(RESET, None, address));
    let body = json!({ "new_password": "looking-glass", "logout_devices": logout_devices });
    let session = ground.client.post("account/password", None, &body).asked();
    json!({ "auth": with(&proof, "session", session) })
}

/// A reset that came too late, as it met the deactivation.
#[track_caller]
fn refused(reset: &Answer) -> &'static str {
    match reset.status {
        401 => {
            reset.failed(&[], "M_THREEPID_AUTH_FAILED");
            "the deactivation, the validation was gone"
        }
        404 => {
            reset.rejected(404, "M_THREEPID_NOT_FOUND");
            "the deactivation, the address was gone"
        }
        _ => {
            reset.rejected(403, "M_USER_DEACTIVATED");
            "the deactivation"
        }
    }
}

/// A user with an address and a password, who is deactivated while the password is reset: the answers to both.
fn reset_and_deactivation(ground: &Ground, n: usize, logout_devices: bool) -> (String, Value, [Answer; 2]) {
    let client = &ground.client;
    let (name, address) = (format!("carol{n}"), format!("carol{n}@example.org"));
    let auth = email_auth(&ground.validated(REGISTER, None, &address));
    let body = json!({ "username": name, "password": "christmas", "auth": auth });
    let token = text(&client.post("register", None, &body).ok(), "access_token");
    let reset = reset(ground, &address, logout_devices);
    let deactivation = json!({ "id_server": "id.example.org", "auth": { "type": "m.login.dummy" } });
    let requests = [
        ("account/password", None, reset.clone()),
        ("account/deactivate", Some(token.as_str()), deactivation),
    ];
    let answers = raced(client, n, requests);
    (token, reset, answers)
}

fn config() -> Value {
    json!({
        "flows": { "register": [["m.login.email.identity"]], "deactivate": [["m.login.dummy"]] },
        "identity_servers": { "id.example.org": { "unbind": "success" } },
    })
}

/// That nothing is left of the account, and its address is free.
#[track_caller]
fn check_gone(ground: &Ground, n: usize, token: &str, reset: &Value) {
    let client = &ground.client;
    assert!(!client.is_live(token));
    for password in ["christmas", "looking-glass"] {
        client.login(&format!("carol{n}"), password).rejected(403, "M_USER_DEACTIVATED");
    }
    let again = client.post("account/password", None, reset);
    if again.status != 200 {
        refused(&again);
    }
    let ask = json!({ "client_secret": "s", "send_attempt": 1, "email": format!("carol{n}@example.org") });
    client.post(RESET, None, &ask).rejected(400, "M_THREEPID_NOT_FOUND");
    client.post(REGISTER, None, &ask).ok();
}

/// Rules P4 and D4: whoever comes first, the account is gone.
#[test]
fn a_reset_by_e_mail_and_a_deactivation() {
    run(&config(), |ground, n| {
        let (token, reset, [changed, deactivated]) = reset_and_deactivation(ground, n, false);
        assert_eq!(deactivated.ok(), json!({ "id_server_unbind_result": "success" }));
        let first = if changed.status == 200 {
            assert_eq!(changed.json(), json!({}));
            "the reset"
        } else {
            refused(&changed)
        };
        check_gone(ground, n, &token, &reset);
        first
    });
}

/// Rule P3: a reset that ends all devices ends the one that deactivates, too. Then the account is not gone; and
/// in no case has each had its way.
#[test]
fn a_reset_that_ends_all_devices_and_a_deactivation() {
    run(&config(), |ground, n| {
        let (token, reset, [changed, deactivated]) = reset_and_deactivation(ground, n, true);
        if changed.status != 200 {
            assert_eq!(deactivated.ok(), json!({ "id_server_unbind_result": "success" }));
            check_gone(ground, n, &token, &reset);
            return refused(&changed);
        }
        deactivated.rejected(401, "M_UNKNOWN_TOKEN");
        let client = &ground.client;
        assert!(!client.is_live(&token));
        client.login(&format!("carol{n}"), "christmas").rejected(403, "M_FORBIDDEN");
        client.login(&format!("carol{n}"), "looking-glass").ok();
        "the reset"
    });
}

/// Rule P4: an address changes hands. The password that is reset is of who has it then, or nobody's.
#[test]
fn a_reset_and_the_address_s_next_owner() {
    run(&json!({ "flows": { "add_3pid": [["m.login.dummy"]] } }), |ground, n| {
        let client = &ground.client;
        let names = [format!("_bridge_old{n}"), format!("_bridge_new{n}")];
        let address = format!("shared{n}@example.org");
        let dummy = json!({ "type": "m.login.dummy" });
        let tokens = names.each_ref().map(|name| ground.made_token(name));
        // Validated by both, while nobody had it.
        let additions = tokens
            .each_ref()
            .map(|token| with(&ground.validated(ADD, Some(token), &address), "auth", dummy.clone()));
        client.post("account/3pid/add", Some(&tokens[0]), &additions[0]).ok();
        let reset = reset(ground, &address, false);
        let threepid = json!({ "medium": "email", "address": address });
        let [changed, deleted, added] = raced(
            client,
            n,
            [
                ("account/password", None, reset),
                ("account/3pid/delete", Some(tokens[0].as_str()), threepid),
                ("account/3pid/add", Some(tokens[1].as_str()), additions[1].clone()),
            ],
        );
        assert_eq!(deleted.ok(), json!({ "id_server_unbind_result": "no-support" }));
        let moved = added.status == 200;
        if !moved {
            added.rejected(400, "M_THREEPID_IN_USE");
        }
        let owns = tokens.each_ref().map(|token| {
            !client.get("account/3pid", Some(token)).ok()["threepids"].as_array().unwrap().is_empty()
        });
        assert_eq!(owns, [false, moved]);
        match names.each_ref().map(|name| client.login(name, "looking-glass").status) {
            [200, 403] => {
                changed.ok();
                "the reset"
            }
            [403, 200] => {
                changed.ok();
                assert!(moved);
                "the next owner, whose password it is"
            }
            [403, 403] => {
                changed.rejected(404, "M_THREEPID_NOT_FOUND");
                "the deletion"
            }
            both => panic!("{both:?}"),
        }
    });
}

/// Rule R6: of two registrations that prove one address one takes it, and the other isn't made.
#[test]
fn two_registrations_for_one_e_mail_address() {
    run(&json!({ "flows": { "register": [["m.login.email.identity"]] } }), |ground, n| {
        let client = &ground.client;
        let names = [format!("carol{n}"), format!("dave{n}")];
        let address = format!("shared{n}@example.org");
        let first = ground.validated(REGISTER, None, &address);
        // By one validation, or by one each.
        let both_validated = n % 2 == 0;
        let second = if both_validated {
            ground.validated_by(REGISTER, None, &address, "another")
        } else {
            first.clone()
        };
        let creds = [first, second];
        let bodies = [0, 1].map(|which| {
            let body = json!({ "username": names[which], "password": "christmas" });
            let session = client.post("register", None, &body).asked();
            json!({ "auth": with(&email_auth(&creds[which]), "session", session) })
        });
        let answers = raced(client, n, bodies.each_ref().map(|body| ("register", None, body.clone())));
        let won = usize::from(answers[0].status != 200);
        let made = answers[won].ok();
        if both_validated {
            answers[1 - won].rejected(400, "M_THREEPID_IN_USE");
        } else {
            answers[1 - won].failed(&[], "M_THREEPID_AUTH_FAILED");
        }
        let list = client.get("account/3pid", Some(&text(&made, "access_token"))).ok();
        assert_eq!(list["threepids"][0]["address"], address);
        // Nobody has the other name, and its session comes to nothing more.
        client.post("register", None, &json!({ "username": names[1 - won] })).asked();
        let again = client.post("register", None, &bodies[1 - won]);
        assert!([400, 401].contains(&again.status), "{again}");
        ["one", "the other"][won]
    });
}

/// Rule U23: one validation, one session; the stage passes in no other.
#[test]
fn eight_sessions_for_one_validation() {
    let flow = ["m.login.email.identity", "m.login.dummy"];
    run(&json!({ "flows": { "register": [flow] } }), |ground, n| {
        let client = &ground.client;
        let proof = email_auth(&ground.validated(REGISTER, None, &format!("shared{n}@example.org")));
        let sessions = [(); 8].map(|()| client.post("register", None, &json!({})).asked());
        let body = |session: &String| json!({ "auth": with(&proof, "session", session.as_str()) });
        let requests: Vec<_> = sessions.iter().map(|session| ("register", None, body(session))).collect();
        let answers = at_once(client, &requests);
        let passed = |answer: &Answer| answer.json().get("errcode").is_none();
        let won = answers.iter().position(passed).expect("one passes");
        for (which, answer) in answers.iter().enumerate() {
            if which == won {
                answer.continued(&flow[..1]);
            } else {
                answer.failed(&[], "M_THREEPID_AUTH_FAILED");
            }
        }
        assert_eq!(with_status(&answers, 401).len(), 8);
        let lost = &sessions[(won + 1) % 8];
        client.post("register", None, &body(lost)).failed(&[], "M_THREEPID_AUTH_FAILED");
        let late = json!({ "username": format!("lost{n}"), "auth": dummy_auth(lost) });
        client.post("register", None, &late).failed(&[], "M_INVALID_PARAM");
        let body = json!({ "username": format!("won{n}"), "password": "christmas",
            "auth": dummy_auth(&sessions[won]) });
        client.post("register", None, &body).ok();
        if won == 0 { "the first of them" } else { "another" }
    });
}
