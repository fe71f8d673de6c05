//! A connection to a database that can be cut after any byte.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Hands bytes through, until it is told to cut.
pub struct Proxy {
    /// How many bytes still pass, in both directions together.
    left: Arc<AtomicUsize>,
    accepts: JoinHandle<()>,
    url: String,
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
        let accepts = tokio::spawn(accept(listener, target.to_owned(), Arc::clone(&left)));
        Ok(Self { left, accepts, url })
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

async fn accept(listener: TcpListener, target: String, left: Arc<AtomicUsize>) {
    while let Ok((client, _)) = listener.accept().await {
        if left.load(Ordering::SeqCst) == 0 {
            continue;
        }
        let Ok(server) = TcpStream::connect(&target).await else { continue };
        // Else a small answer waits for 40 ms.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let (up, down) = (Arc::clone(&left), Arc::clone(&left));
        tokio::spawn(async move {
            // Whichever ends first ends both.
            tokio::select! {
                () = pass(from_client, to_server, up) => {}
                () = pass(from_server, to_client, down) => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: Arc<AtomicUsize>) {
    let mut buffer = [0; 4_096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let take = |left: usize| Some(if left == usize::MAX { left } else { left.saturating_sub(read) });
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).unwrap_or_default();
        let passes = buffer.get(..read.min(before)).unwrap_or_default();
        if to.write_all(passes).await.is_err() || passes.len() < read {
            return;
        }
    }
}
