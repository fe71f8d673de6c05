//! A connection to a database that can be cut after any byte, and whose round trips are counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Hands bytes through, until it is told to cut.
pub struct Proxy {
    /// How many bytes still pass, in both directions together.
    left: Arc<AtomicUsize>,
    counted: Arc<Counted>,
    accepts: JoinHandle<()>,
    url: String,
}

/// What has passed over all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How often the database was sent something after its last answer: what is sent without waiting for an answer
    /// is one.
    pub round_trips: usize,
    /// Bytes to the database.
    pub up: usize,
    /// Bytes from it.
    pub down: usize,
}

impl Traffic {
    /// What has passed since.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            round_trips: self.round_trips.saturating_sub(before.round_trips),
            up: self.up.saturating_sub(before.up),
            down: self.down.saturating_sub(before.down),
        }
    }
}

#[derive(Default)]
struct Counted {
    round_trips: AtomicUsize,
    up: AtomicUsize,
    down: AtomicUsize,
}

/// Which of the two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

impl Proxy {
    /// A proxy before the database of that URL.
    pub async fn before(url: &str) -> io::Result<Self> {
        let start = url.find("://").map_or(0, |at| at.saturating_add(3));
        let (scheme, rest) = url.split_at(start);
        let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(user, rest)| (user, rest));
        let (target, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = if user.is_empty() { "" } else { "@" };
        let url = format!("{scheme}{user}{at}{}{path}", listener.local_addr()?);
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let counted = Arc::new(Counted::default());
        let accepts =
            tokio::spawn(accept(listener, target.to_owned(), Arc::clone(&left), Arc::clone(&counted)));
        Ok(Self { left, counted, accepts, url })
    }

    /// What has passed so far. It is exact where one thing is asked after the other.
    pub fn traffic(&self) -> Traffic {
        let Counted { round_trips, up, down } = &*self.counted;
        let [round_trips, up, down] = [round_trips, up, down].map(|count| count.load(Ordering::SeqCst));
        Traffic { round_trips, up, down }
    }

    /// The URL of the same database through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts after so many more bytes, and every new connection at once then; with `None`, no more.
    pub fn cut_after(&self, bytes: Option<usize>) {
        self.left.store(bytes.unwrap_or(usize::MAX), Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn accept(listener: TcpListener, target: String, left: Arc<AtomicUsize>, counted: Arc<Counted>) {
    while let Ok((client, _)) = listener.accept().await {
        if left.load(Ordering::SeqCst) == 0 {
            continue;
        }
        let Ok(server) = TcpStream::connect(&target).await else { continue };
        // Else a small answer waits for 40 ms.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let wire =
            Wire { left: Arc::clone(&left), counted: Arc::clone(&counted), asked: AtomicBool::new(false) };
        tokio::spawn(async move {
            // Whichever ends first ends both.
            tokio::select! {
                () = wire.pass(From::Client, from_client, to_server) => {}
                () = wire.pass(From::Server, from_server, to_client) => {}
            }
        });
    }
}

/// One connection.
struct Wire {
    left: Arc<AtomicUsize>,
    counted: Arc<Counted>,
    /// Whether the client spoke last.
    asked: AtomicBool,
}

impl Wire {
    async fn pass(&self, whose: From, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = [0; 4_096];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.count(whose, read);
            let take = |left: usize| Some(if left == usize::MAX { left } else { left.saturating_sub(read) });
            let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).unwrap_or_default();
            let passes = buffer.get(..read.min(before)).unwrap_or_default();
            if to.write_all(passes).await.is_err() || passes.len() < read {
                return;
            }
        }
    }

    fn count(&self, whose: From, bytes: usize) {
        let asks = whose == From::Client;
        let begins = asks && !self.asked.swap(asks, Ordering::SeqCst);
        self.asked.store(asks, Ordering::SeqCst);
        let Counted { round_trips, up, down } = &*self.counted;
        round_trips.fetch_add(usize::from(begins), Ordering::SeqCst);
        if asks { up } else { down }.fetch_add(bytes, Ordering::SeqCst);
    }
}
