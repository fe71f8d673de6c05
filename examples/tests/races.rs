//! Requests that come at the same time.

use crate::support::{
    Answer, Setup, at_once, dummy_auth, password_auth, password_auth_in, text, with_status,
};
use serde_json::{Value, json};

const THREADS: usize = 32;
const STORES: [&str; 2] = ["memory", "sqlite"];

fn server(store: &'static str, config: Value) -> crate::support::Server {
    let mut setup = Setup::new(config);
    setup.sessions = Some(store);
    setup.start()
}

#[test]
fn one_registration_session_32_times_at_once_makes_one_account() {
    for store in STORES {
        let server = server(store, json!({}));
        let client = server.client();
        let session =
            client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked();
        let body = json!({ "username": "carol", "password": "christmas", "auth": dummy_auth(&session) });
        let answers = at_once(&client, &vec![("register", None, body.clone()); THREADS]);
        // One makes the account. Those that came in before it was made raced (rule U15) and get 401; one that
        // the machine read only afterwards is a repetition (rule U14), and is answered as such.
        let made: Vec<_> = with_status(&answers, 200).iter().map(|answer| answer.ok()).collect();
        assert!(!made.is_empty());
        assert_eq!(with_status(&answers, 401).len(), THREADS - made.len());
        let live: Vec<_> = made
            .iter()
            .map(|login| text(login, "access_token"))
            .filter(|token| client.is_live(token))
            .collect();
        let [live] = &live[..] else { panic!("one registration, one live token: {live:?}") };
        let live = live.clone();
        let made = made[0].clone();

        // Now that it is finished, it is answered again: the same user and device, and the newest token alone.
        let answers = at_once(&client, &vec![("register", None, body); THREADS / 4]);
        let again: Vec<_> = answers.iter().map(Answer::ok).collect();
        assert!(!client.is_live(&live));
        let live = again.iter().filter(|login| client.is_live(&text(login, "access_token"))).count();
        assert_eq!(live, 1, "one registration, one live token");
        for login in &again {
            assert_eq!((&login["user_id"], &login["device_id"]), (&made["user_id"], &made["device_id"]));
        }
        let token = client.token("carol", "christmas");
        let devices = client.get("devices", Some(&token)).ok();
        assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "the registration's, and this login's");
    }
}

#[test]
fn one_registration_session_32_times_at_once_has_exactly_one_200() {
    for store in STORES {
        // Without repetitions there is no question which of the answers is one.
        let server = server(store, json!({ "uia": { "replay": "refuse" } }));
        let client = server.client();
        let session =
            client.post("register", None, &json!({ "username": "carol", "password": "christmas" })).asked();
        let body = json!({ "username": "carol", "password": "christmas", "auth": dummy_auth(&session) });
        let answers = at_once(&client, &vec![("register", None, body); THREADS]);
        let [made] = with_status(&answers, 200)[..] else {
            panic!("{:?}", answers.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        // The others came while it was made (401), or once the name was taken (400).
        assert_eq!(with_status(&answers, 401).len() + with_status(&answers, 400).len(), THREADS - 1);
        assert!(client.is_live(&text(&made.ok(), "access_token")));
    }
}

#[test]
fn one_session_for_a_made_up_name_makes_one_account() {
    for store in STORES {
        let server = server(store, json!({ "uia": { "replay": "refuse" } }));
        let client = server.client();
        let session = client.post("register", None, &json!({ "password": "christmas" })).asked();
        let body = json!({ "password": "christmas", "auth": dummy_auth(&session) });
        let answers = at_once(&client, &vec![("register", None, body); THREADS]);
        assert_eq!(with_status(&answers, 200).len(), 1, "no name in use hides a second account here");
        assert_eq!(with_status(&answers, 401).len(), THREADS - 1);
    }
}

#[test]
fn sessions_for_one_name_make_one_account() {
    for store in STORES {
        let server = server(store, json!({}));
        let client = server.client();
        let requests: Vec<_> = (0..8)
            .map(|n| {
                let password = format!("christmas-{n}");
                let session =
                    client.post("register", None, &json!({ "username": "carol", "password": password }));
                let auth = dummy_auth(&session.asked());
                ("register", None, json!({ "username": "carol", "password": password, "auth": auth }))
            })
            .collect();
        let answers = at_once(&client, &requests);
        let won: Vec<_> = (0..8).filter(|n| answers[*n].status == 200).collect();
        let [won] = won[..] else { panic!("{won:?}") };
        for (n, answer) in answers.iter().enumerate().filter(|(n, _)| *n != won) {
            answer.rejected(400, "M_USER_IN_USE");
            client.login("carol", &format!("christmas-{n}")).rejected(403, "M_FORBIDDEN");
        }
        client.login("carol", &format!("christmas-{won}")).ok();
    }
}

#[test]
fn one_password_change_32_times_at_once_is_carried_out_once() {
    for store in STORES {
        let server = server(store, json!({}));
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let session = client
            .post("account/password", Some(&token), &json!({ "new_password": "looking-glass" }))
            .asked();
        let auth = password_auth_in(session, "alice", "wonderland");
        let body = json!({ "new_password": "looking-glass", "auth": auth });
        let answers =
            at_once(&client, &vec![("account/password", Some(token.as_str()), body.clone()); THREADS]);
        let done = with_status(&answers, 200);
        assert!(!done.is_empty());
        assert!(done.iter().all(|answer| answer.json() == json!({})));
        assert_eq!(done.len() + with_status(&answers, 401).len(), THREADS);
        client.login("alice", "wonderland").rejected(403, "M_FORBIDDEN");
        // Once: what was logged in since stays so, whatever is repeated.
        let since = client.token("alice", "looking-glass");
        at_once(&client, &vec![("account/password", Some(token.as_str()), body); 4]);
        assert!(client.is_live(&since) && client.is_live(&token));
        client.login("alice", "looking-glass").ok();
    }
}

#[test]
fn guesses_sent_together_are_counted_one_by_one() {
    for store in STORES {
        let server = server(store, json!({ "uia": { "max_failed_attempts": 5 } }));
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let session = client
            .post("account/password", Some(&token), &json!({ "new_password": "looking-glass" }))
            .asked();
        let guess = |password: &str| {
            let auth = password_auth_in(&session, "alice", password);
            json!({ "new_password": "looking-glass", "auth": auth })
        };
        let guesses: Vec<_> = (0..20)
            .map(|n| ("account/password", Some(token.as_str()), guess(&format!("guess-{n}"))))
            .collect();
        let answers = at_once(&client, &guesses);
        assert_eq!(with_status(&answers, 401).len(), 5);
        assert_eq!(with_status(&answers, 429).len(), 15);
        client.post("account/password", Some(&token), &guess("wonderland")).rejected(429, "M_LIMIT_EXCEEDED");
    }
}

#[test]
fn a_wave_of_guesses_is_no_way_around_the_rate_limit() {
    let limit = json!({ "failed_auth": { "burst": 5, "per_second": 0.001 } });
    let server = server("memory", json!({ "rate_limits": limit }));
    let client = server.client();
    let guesses: Vec<_> =
        (0..20).map(|n| ("login", None, password_auth("alice", &format!("guess-{n}")))).collect();
    let answers = at_once(&client, &guesses);
    assert_eq!(with_status(&answers, 403).len(), 5);
    assert_eq!(with_status(&answers, 429).len(), 15);
}

#[test]
fn a_registration_token_for_one_is_not_given_to_two() {
    for store in STORES {
        let server = server(
            store,
            json!({
                "flows": { "register": [["m.login.registration_token"]] },
                "registration_tokens": [{ "token": "good-token", "uses_allowed": 2 }],
            }),
        );
        let client = server.client();
        let requests: Vec<_> = (0..12)
            .map(|n| {
                let auth = json!({ "type": "m.login.registration_token", "token": "good-token" });
                (
                    "register",
                    None,
                    json!({ "username": format!("user{n}"), "password": "christmas", "auth": auth }),
                )
            })
            .collect();
        let answers = at_once(&client, &requests);
        assert_eq!(with_status(&answers, 200).len(), 2, "lesson 24");
        assert_eq!(with_status(&answers, 401).len(), 10);
    }
}

#[test]
fn a_login_racing_a_password_change_is_ended_or_refused() {
    for store in STORES {
        let server = server(store, json!({}));
        let client = server.client();
        let token = client.token("alice", "wonderland");
        let auth = password_auth("alice", "wonderland");
        let logins = std::thread::scope(|scope| {
            // At any moment some have been found right and are not logged in yet, the moment of the change too.
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let tries = std::iter::repeat_with(|| client.login("alice", "wonderland"));
                        tries.take_while(|answer| answer.status == 200).collect::<Vec<_>>()
                    })
                })
                .collect();
            std::thread::sleep(std::time::Duration::from_millis(200));
            client
                .post(
                    "account/password",
                    Some(&token),
                    &json!({ "new_password": "looking-glass", "auth": auth }),
                )
                .ok();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(!logins.is_empty());
        for login in &logins {
            assert!(!client.is_live(&text(&login.json(), "access_token")));
        }
        assert!(client.is_live(&token));
    }
}

#[test]
fn r09_a_guest_that_becomes_a_full_user_many_times_at_once_does_so_once() {
    for store in STORES {
        let server = server(store, json!({ "registration": { "guests": true } }));
        let client = server.client();
        let guest = client.post("register?kind=guest", None, &json!({})).ok();
        let (token, user_id) = (text(&guest, "access_token"), text(&guest, "user_id"));
        let name = user_id.trim_start_matches('@').split(':').next().unwrap();
        let requests: Vec<_> = (0..8)
            .map(|n| {
                let body = json!({ "username": name, "password": format!("christmas-{n}"),
                    "guest_access_token": token, "auth": { "type": "m.login.dummy" } });
                ("register", None, body)
            })
            .collect();
        let answers = at_once(&client, &requests);
        let won: Vec<_> = (0..8).filter(|n| answers[*n].status == 200).collect();
        let [won] = won[..] else { panic!("{won:?}") };
        for (n, answer) in answers.iter().enumerate().filter(|(n, _)| *n != won) {
            answer.rejected(403, "M_FORBIDDEN");
            client.login(name, &format!("christmas-{n}")).rejected(403, "M_FORBIDDEN");
        }
        assert!(!client.is_live(&token) && client.is_live(&text(&answers[won].ok(), "access_token")));
        client.login(name, &format!("christmas-{won}")).ok();
    }
}
