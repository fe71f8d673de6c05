//! A connection to a database, and how often it was asked over it.

use super::Database;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::spawn;

/// Hands bytes through and counts. Its threads end with the test.
#[derive(Debug)]
pub struct Counted {
    url: &'static str,
    passed: Arc<Passed>,
}

#[derive(Debug, Default)]
struct Passed {
    round_trips: AtomicUsize,
    bytes: AtomicUsize,
}

impl Counted {
    /// Before that database.
    pub fn before(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, behind) = (listener.local_addr().unwrap().port(), database.port());
        let passed = Arc::<Passed>::default();
        let url = database.url().replace(&format!(":{behind}"), &format!(":{port}")).leak();
        let counts = Arc::clone(&passed);
        spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", behind)).unwrap();
                // Whether the client spoke last.
                let asked = Arc::new(AtomicBool::new(false));
                for (from, to, asks) in [(&client, &server, true), (&server, &client, false)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (asked, counts) = (Arc::clone(&asked), Arc::clone(&counts));
                    to.set_nodelay(true).unwrap();
                    spawn(move || pass(from, to, asks, &asked, &counts));
                }
            }
        });
        Self { url, passed }
    }

    /// What `--sessions` is to say.
    pub const fn url(&self) -> &'static str {
        self.url
    }

    /// How often the database was asked so far, and the bytes in both directions. What is sent without waiting for an
    /// answer is one question.
    pub fn so_far(&self) -> (usize, usize) {
        let Passed { round_trips, bytes } = &*self.passed;
        (round_trips.load(Ordering::SeqCst), bytes.load(Ordering::SeqCst))
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, asks: bool, asked: &AtomicBool, passed: &Passed) {
    let mut buffer = [0; 4_096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let begins = asks && !asked.swap(true, Ordering::SeqCst);
        asked.store(asks, Ordering::SeqCst);
        passed.round_trips.fetch_add(usize::from(begins), Ordering::SeqCst);
        passed.bytes.fetch_add(read, Ordering::SeqCst);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
