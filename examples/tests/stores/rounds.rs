//! How often a homeserver asks the database of sessions in a flow: each question is a round trip of the network.

use super::with_each_database;
use crate::support::{Client, Counted, Database, Setup, dummy_auth, password_auth_in, with};
use serde_json::{Value, json};

with_each_database! {
    a_flow_stays_within_its_round_trips;
}

/// Every so often a homeserver looks for what has run out, and each connection of its pool prepares what it asks: the
/// least of so many flows is what a flow needs.
const FLOWS: usize = 6;

fn a_flow_stays_within_its_round_trips(database: Database) {
    for sealed in [false, true] {
        let counted = Counted::before(&database);
        let mut setup = Setup::kept(json!({
            "flows": { "register": [["m.login.dummy"], ["m.login.registration_token", "m.login.dummy"]] },
            "registration_tokens": [{ "token": "invitation", "uses_allowed": null }],
            "uia": { "sealed": sealed },
        }));
        setup.sessions = Some(counted.url());
        let server = setup.start();
        let client = server.client();
        let alice = client.token("alice", "wonderland");

        let first = usize::from(!sealed);
        let place = counted.url().split(':').next().unwrap();
        let change = |_: usize| change_password(&client, &alice, &counted);
        hold(&format!("{place}, a password change"), sealed, change, &[first, 3]);
        let two_requests = |number| register(&client, &format!("u{number}-{sealed}"), &[], &counted);
        hold(&format!("{place}, a registration"), sealed, two_requests, &[first, 3]);
        let token = json!({ "type": "m.login.registration_token", "token": "invitation" });
        let invited = |number| {
            let name = format!("v{number}-{sealed}");
            register(&client, &name, std::slice::from_ref(&token), &counted)
        };
        hold(&format!("{place}, one with an invitation"), sealed, invited, &[first, 2, 3]);
    }
}

/// What each request of a flow asks at the least, and the bytes to and from the database.
fn hold(name: &str, sealed: bool, flow: impl Fn(usize) -> Vec<(usize, usize)>, at_most: &[usize]) {
    let flows: Vec<_> = (0..FLOWS).map(flow).collect();
    let least: Vec<_> =
        (0..at_most.len()).map(|at| flows.iter().map(|flow| flow[at]).min().unwrap()).collect();
    let asked: Vec<_> = least.iter().map(|(asked, _)| *asked).collect();
    let bytes: Vec<_> = least.iter().map(|(_, bytes)| *bytes).collect();
    let how = if sealed { "sealed" } else { "stored from the first request" };
    println!("{name}, {how}: {asked:?} round trips, {bytes:?} bytes");
    assert!(
        asked.iter().zip(at_most).all(|(asked, most)| asked <= most),
        "{name}: {asked:?}, not {at_most:?}"
    );
    assert!(asked.len() > 2 || asked.iter().sum::<usize>() <= 4, "{name}: {asked:?}");
}

/// What passes while a request is answered.
fn measured<T>(counted: &Counted, request: impl FnOnce() -> T) -> (T, (usize, usize)) {
    let before = counted.so_far();
    let answer = request();
    let after = counted.so_far();
    (answer, (after.0 - before.0, after.1 - before.1))
}

fn change_password(client: &Client, token: &str, counted: &Counted) -> Vec<(usize, usize)> {
    let body = json!({ "new_password": "wonderland" });
    let (session, first) = measured(counted, || client.post("account/password", Some(token), &body).asked());
    let body = with(&body, "auth", password_auth_in(&session, "alice", "wonderland"));
    let (_, last) = measured(counted, || client.post("account/password", Some(token), &body).ok());
    vec![first, last]
}

/// With these stages before the last.
fn register(client: &Client, name: &str, stages: &[Value], counted: &Counted) -> Vec<(usize, usize)> {
    let body = json!({ "username": name, "password": "wonderland" });
    let (mut session, first) = measured(counted, || client.post("register", None, &body).asked());
    let mut asked = vec![first];
    for stage in stages {
        let body = with(&body, "auth", with(stage, "session", session.as_str()));
        let (answer, passed) = measured(counted, || client.post("register", None, &body));
        session = answer.continued(&[stage["type"].as_str().unwrap()]);
        asked.push(passed);
    }
    let body = with(&body, "auth", dummy_auth(&session));
    let (_, last) = measured(counted, || client.post("register", None, &body).ok());
    asked.push(last);
    asked
}
