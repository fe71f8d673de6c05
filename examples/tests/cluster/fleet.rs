//! Four processes with one `--data`, one of which is killed and started again every second, over a store that is
//! paused, killed and started again.

use crate::kill::chance;
use crate::support::{Client, Database, Server, Setup};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PROCESSES: usize = 4;
/// How long a process is tried to be started again: longer than any outage of the store.
const RESTART: Duration = Duration::from_secs(120);

pub struct Fleet<'s> {
    setup: &'s Setup,
    clients: Mutex<[Option<Client>; PROCESSES]>,
    next: AtomicUsize,
    pub is_over: AtomicBool,
    pub kills: AtomicUsize,
    pub outages: AtomicUsize,
    /// Sessions whose requests were looked at.
    pub sessions: AtomicUsize,
    /// When the storm has taken too long.
    deadline: Instant,
}

impl<'s> Fleet<'s> {
    pub fn new(setup: &'s Setup, patience: Duration) -> Self {
        Self {
            setup,
            clients: Mutex::new([None; PROCESSES]),
            next: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            kills: AtomicUsize::new(0),
            outages: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            deadline: Instant::now() + patience,
        }
    }

    fn set(&self, at: usize, client: Option<Client>) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)[at] = client;
    }

    /// Whether nobody needs to begin anything any more.
    pub fn has_ended(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || self.is_late()
    }

    pub fn is_late(&self) -> bool {
        Instant::now() > self.deadline
    }

    pub fn start(&self) -> Vec<Server> {
        let start = |at| {
            let server = self.setup.start();
            self.set(at, Some(server.client()));
            server
        };
        (0..PROCESSES).map(start).collect()
    }

    /// Kills one process after the other, with another started in its place, until it is over.
    pub fn kill(&self, mut servers: Vec<Server>) -> Vec<Server> {
        while !self.has_ended() {
            sleep(Duration::from_secs(1));
            let at = usize::try_from(chance()).unwrap_or_default() % servers.len();
            servers.swap_remove(at).kill();
            // A store that is down at the moment keeps it from starting.
            let begun = Instant::now();
            let started = loop {
                match self.setup.try_start() {
                    Ok(server) => break server,
                    Err(ended) if begun.elapsed() > RESTART => {
                        self.is_over.store(true, Ordering::SeqCst);
                        panic!("a process doesn't start again: {ended:?}");
                    }
                    Err(_) => sleep(Duration::from_millis(200)),
                }
            };
            servers.push(started);
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            for (client, server) in clients.iter_mut().zip(&servers) {
                *client = Some(server.client());
            }
            drop(clients);
            self.kills.fetch_add(1, Ordering::SeqCst);
        }
        servers
    }

    /// Pauses the store, or kills it and starts it again, now and then.
    pub fn trouble(&self, database: &mut Database) {
        for round in 0.. {
            for _ in 0..60 {
                if self.has_ended() {
                    return;
                }
                sleep(Duration::from_millis(100));
            }
            let pause = Duration::from_millis(300 + chance() % 2_000);
            if round % 2 == 0 {
                database.pause();
                sleep(pause);
                database.resume();
            } else {
                database.kill();
                sleep(pause);
                database.go_on();
            }
            self.outages.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Sends a request to the next process. `None`: there was no answer, or one that says nothing.
    pub fn send(&self, path: &str, token: Option<&str>, body: &Value) -> Option<(u16, Value)> {
        let clients = *self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.next.fetch_add(1, Ordering::SeqCst);
        // Whoever is dead takes no connection: the next one does, as behind a proxy.
        let alive = (0..PROCESSES).filter_map(|n| clients[(at + n) % PROCESSES]);
        let body = body.to_string();
        let load = |client: Client| client.load("POST", path, token, Some(body.as_bytes())).ok();
        let Some(loaded) = alive.into_iter().find_map(load) else {
            sleep(Duration::from_millis(100));
            return None;
        };
        // Some hang up, at once or a little later.
        if chance().is_multiple_of(16) {
            loaded.hang_up(Duration::from_micros(chance() % 60_000));
            return None;
        }
        let received = String::from_utf8(loaded.receive().ok()?).ok()?;
        let (head, body) = received.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = serde_json::from_str(body).ok()?;
        assert!(status < 500 || status == 503, "{path}: {status} {body}");
        if status == 503 || status == 429 {
            sleep(Duration::from_millis(50));
            return None;
        }
        Some((status, body))
    }
}
