//! Requests that come at the same time: connections opened and all but the last byte sent beforehand, the last
//! bytes sent together.

use super::{Answer, Client};
use serde_json::Value;
use std::sync::Barrier;

/// A path, to which is posted unless a method stands before it; an access token; and a body.
pub type Request<'r> = (&'r str, Option<&'r str>, Value);

/// Sends them all at once, and waits for every answer.
pub fn at_once(client: &Client, requests: &[Request<'_>]) -> Vec<Answer> {
    let barrier = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|(path, token, body)| {
                let barrier = &barrier;
                let (method, path) = path.split_once(' ').unwrap_or(("POST", path));
                scope.spawn(move || {
                    let loaded = client.load(method, path, *token, Some(body.to_string().as_bytes()));
                    barrier.wait();
                    loaded.unwrap().fire().unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Those of the answers that have this status.
pub fn with_status(answers: &[Answer], status: u16) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.status == status).collect()
}
