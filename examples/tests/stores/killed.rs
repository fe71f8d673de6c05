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
