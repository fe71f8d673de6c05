//! `kill -9` of one of several processes that share their sessions.

use super::with_each_database;
use crate::kill::{FIRST, USES, chance, let_in_by};
use crate::support::{Database, Setup, dummy_auth, text, times, with};
use serde_json::json;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

with_each_database! {
    whatever_was_answered_by_either_survives_the_kill_of_one;
    what_the_killed_one_had_under_way_is_taken_over_by_the_other;
}

fn whatever_was_answered_by_either_survives_the_kill_of_one(database: Database) {
    let rounds = times("KILLS", 2);
    let invitations: Vec<_> = (0..rounds)
        .map(|round| json!({ "token": format!("invitation-{round}"), "uses_allowed": USES }))
        .collect();
    let mut setup = Setup::kept(json!({
        "users": [],
        "flows": { "register": [["m.login.dummy"], ["m.login.registration_token"]] },
        "registration_tokens": invitations,
    }));
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
        let dies = setup.start();
        let client = dies.client();
        let name = format!("u{round}");
        let asked = json!({ "username": name, "password": FIRST });
        let session = client.post("register", None, &asked).asked();
        let body = with(&asked, "auth", dummy_auth(&session));
        let lost = scope(|threads| {
            let bytes = body.to_string();
            let sent =
                threads.spawn(move || client.try_send("POST", "register", None, Some(bytes.as_bytes())));
            // A password's hash takes most of a registration, and is somewhere in here.
            sleep(Duration::from_micros(chance() % 60_000));
            dies.kill();
            sent.join().unwrap().ok()
        });
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
        let token = text(&made, "access_token");
        let devices = other.get("devices", Some(&token)).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
        other.login(&name, FIRST).ok();
    }
}
