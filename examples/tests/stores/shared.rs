//! A session belongs to all processes.

use super::with_each_database;
use crate::support::{
    Database, Server, Setup, at_once, dummy_auth, password_auth, password_auth_in, text, with, with_status,
};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

with_each_database! {
    a_flow_begun_on_one_process_is_finished_on_the_other;
    a_race_between_two_processes_has_one_winner;
    no_secret_is_in_the_store_or_in_the_logs;
}

const CAPTCHA: &str = "m.login.recaptcha";

fn setup(database: &Database, config: Value) -> Setup {
    let mut setup = Setup::kept(config);
    setup.sessions = Some(database.url());
    setup
}

fn a_flow_begun_on_one_process_is_finished_on_the_other(database: Database) {
    let setup = setup(
        &database,
        json!({
            "flows": { "register": [["m.login.registration_token", CAPTCHA, "m.login.dummy"]] },
            "params": { CAPTCHA: { "public_key": "key" } }, "recaptcha_accepts": ["good"],
            "registration_tokens": [{ "token": "invitation", "uses_allowed": 1 }],
        }),
    );
    let servers = [setup.start(), setup.start()];
    let [here, there] = [servers[0].client(), servers[1].client()];

    // Parameters and stages of one are known to the other, and so is a stage that its page has passed.
    let body = json!({ "username": "carol", "password": "christmas" });
    let session = here.post("register", None, &body).asked();
    let token = json!({ "type": "m.login.registration_token", "token": "invitation", "session": session });
    there.post("register", None, &json!({ "auth": token })).continued(&["m.login.registration_token"]);
    let page = format!("auth/{CAPTCHA}/fallback/web?session={session}");
    here.page(&page, "").page(200);
    there.post_form(&page, &[("session", &session), ("g-recaptcha-response", "good")]).page(200);
    let done = ["m.login.registration_token", CAPTCHA];
    here.post("register", None, &json!({ "auth": { "session": session } })).continued(&done);
    let last = with(&body, "auth", dummy_auth(&session));
    let made = there.post("register", None, &last).ok();
    // Asked again, the other makes the same answer.
    let again = here.post("register", None, &last).ok();
    assert_eq!((&made["user_id"], &made["device_id"]), (&again["user_id"], &again["device_id"]));
    let other = json!({ "type": "m.login.registration_token", "token": "invitation" });
    let refused = there.post("register", None, &json!({ "username": "dave", "auth": other }));
    assert_eq!(refused.status, 401, "it is used up: {refused}");

    let token = text(&again, "access_token");
    let session = here.post("account/password", Some(&token), &json!({ "new_password": "new-year" })).asked();
    let auth = password_auth_in(&session, "carol", "christmas");
    there.post("account/password", Some(&token), &json!({ "auth": auth })).ok();
    here.login("carol", "christmas").rejected(403, "M_FORBIDDEN");
    let session = there.post("account/deactivate", Some(&token), &json!({})).asked();
    let auth = password_auth_in(&session, "carol", "new-year");
    here.post("account/deactivate", Some(&token), &json!({ "auth": auth })).ok();
    there.login("carol", "new-year").rejected(403, "M_USER_DEACTIVATED");
}

fn a_race_between_two_processes_has_one_winner(database: Database) {
    // Without repetitions there is no question which of the answers is one.
    let setup = setup(&database, json!({ "uia": { "replay": "refuse" } }));
    let servers = [setup.start(), setup.start()];
    let clients = servers.each_ref().map(Server::client);
    for round in 0..6 {
        let body = json!({ "username": format!("carol{round}"), "password": "christmas" });
        let session = clients[round % 2].post("register", None, &body).asked();
        let body = with(&body, "auth", dummy_auth(&session));
        let answers: Vec<_> = std::thread::scope(|scope| {
            let sent = clients.each_ref().map(|client| {
                let body = &body;
                scope.spawn(move || at_once(client, &vec![("register", None, body.clone()); 8]))
            });
            sent.into_iter().flat_map(|sent| sent.join().unwrap()).collect()
        });
        assert_eq!(with_status(&answers, 200).len(), 1);
        assert_eq!(with_status(&answers, 401).len(), 15);
    }
}

/// Whether a text is in any file under a directory. They are large.
fn is_in(dir: &Path, text: &str) -> bool {
    Command::new("grep").args(["-rqaF", "-e", text]).arg(dir).status().unwrap().success()
}

fn no_secret_is_in_the_store_or_in_the_logs(mut database: Database) {
    let setup = setup(&database, json!({}));
    let server = setup.start();
    let client = server.client();
    let body = json!({ "username": "carol", "password": "MARKED-first" });
    let registration = client.post("register", None, &body).asked();
    let made = client.post("register", None, &json!({ "auth": dummy_auth(&registration) })).ok();
    let token = text(&made, "access_token");
    let change = json!({ "new_password": "MARKED-second" });
    let open = client.post("account/password", Some(&token), &change).asked();
    let auth = password_auth("carol", "MARKED-wrong");
    client.post("account/password", Some(&token), &with(&change, "auth", auth)).failed(&[], "M_FORBIDDEN");
    let session = client.post("account/password", Some(&token), &change).asked();
    let auth = password_auth_in(&session, "carol", "MARKED-first");
    client.post("account/password", Some(&token), &json!({ "auth": auth })).ok();
    let log = server.log();
    database.kill();
    let holds = |text: &str| is_in(&database.files(), text);
    assert!(holds("\"revision\"") || holds("uia_sessions"), "the search finds what is there");
    for secret in ["MARKED", &registration, &open, &session, &token] {
        assert!(!holds(secret), "{secret} is in the store");
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
