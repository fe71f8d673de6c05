//! Requests that come at the same time: connections opened and all but the last byte sent beforehand, the last
//! bytes sent together.

use super::{Answer, Client};
use serde_json::Value;
use std::sync::Barrier;

/// Sends them all at once, and waits for every answer.
pub fn at_once(client: &Client, requests: &[(&str, Option<&str>, Value)]) -> Vec<Answer> {
    let barrier = Barrier::new(requests.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|(path, token, body)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let loaded = client.load("POST", path, *token, Some(body.to_string().as_bytes()));
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
