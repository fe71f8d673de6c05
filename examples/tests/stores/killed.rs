//! `kill -9` of one of several processes that share their sessions.

use super::with_each_database;
use crate::kill::{USES, has_one_device, inviting, let_in_by, register_cut_off};
use crate::support::{Database, Setup, times};
use serde_json::json;
use std::thread::sleep;
use std::time::{Duration, Instant};

with_each_database! {
    whatever_was_answered_by_either_survives_the_kill_of_one;
    what_the_killed_one_had_under_way_is_taken_over_by_the_other;
    #[cfg_attr(not(debug_assertions), ignore = "the fault switch is in debug builds only")]
    an_address_that_the_killed_one_had_claimed_for_a_session_it_never_stored_can_be_used;
}

fn whatever_was_answered_by_either_survives_the_kill_of_one(database: Database) {
    let rounds = times("KILLS", 2);
    let mut setup = inviting(rounds);
    setup.sessions = Some(database.url());
    for round in 0..rounds {
        let let_in = let_in_by(&setup, round, 2);
        println!("{let_in} of {USES} let in by a token");
    }
}

fn what_the_killed_one_had_under_way_is_taken_over_by_the_other(database: Database) {
    let mut setup = Setup::kept(json!({ "users": [], "uia": { "claim_for_ms": 1_000 } }));
    setup.sessions = Some(database.url());
    let stays = setup.start();
    let other = stays.client();
    for round in 0..times("KILLS", 6) {
        let name = format!("u{round}");
        let (body, lost) = register_cut_off(setup.start(), &name, Duration::from_millis(60));
        // What it had claimed lapses.
        let begun = Instant::now();
        let made = loop {
            let answer = other.post("register", None, &body);
            if answer.status == 200 {
                break answer.ok();
            }
            assert_eq!(answer.status, 401, "{answer}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{answer}");
            sleep(Duration::from_millis(100));
        };
        if let Some(lost) = lost {
            assert_eq!(lost.ok()["user_id"], made["user_id"]);
        }
        has_one_device(&other, &name, &made);
    }
}

fn an_address_that_the_killed_one_had_claimed_for_a_session_it_never_stored_can_be_used(database: Database) {
    let mut setup = Setup::sending(json!({
        "flows": { "register": [["m.login.email.identity", "m.login.dummy"]] },
        "uia": { "claim_for_ms": 1_000 },
    }));
    setup.data = true;
    setup.sessions = Some(database.url());
    setup.fault = Some("after:1".to_owned());
    let server = setup.start();
    let client = server.client();
    let wanted = json!({ "client_secret": "monkeys", "email": "carol@example.org", "send_attempt": 1 });
    client.post("register/email/requestToken", None, &wanted).ok();
    let message = setup.last_message();
    message.submit(client).ok();
    let auth = json!({ "type": "m.login.email.identity", "threepid_creds": message.creds() });
    let body = json!({ "username": "carol", "password": "christmas", "auth": auth });
    let cut_off = client.try_send("POST", "register", None, Some(body.to_string().as_bytes()));
    cut_off.expect_err("it dies between the claim and the session");
    assert!(server.wait().log.contains("fault: dying at `between what is reserved and its session`"));

    setup.fault = None;
    let server = setup.start();
    let client = server.client();
    let begun = Instant::now();
    // The same request, again and again.
    let session = loop {
        let answer = client.post("register", None, &body);
        assert_eq!(answer.status, 401, "{answer}");
        let challenge = answer.json();
        if challenge["completed"] == json!(["m.login.email.identity"]) {
            break challenge["session"].clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{challenge}");
        sleep(Duration::from_millis(100));
    };
    let last = json!({ "auth": { "type": "m.login.dummy", "session": session } });
    assert_eq!(client.post("register", None, &last).ok()["user_id"], "@carol:localhost");
}
