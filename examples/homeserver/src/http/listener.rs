//! Connections: how many there are, and how long they may keep the server waiting.
//!
//! ```text
//!            first byte            head is whole            answer is written
//!  Opened ──────────────► Head ───────────────► Handling ───────────────────► Idle ──► Head …
//!  header_timeout         header_timeout        (the body: `super::body`)     idle_timeout
//! ```

use crate::config::Edges;
use crate::network::{Network, counted};
use axum::serve::Listener;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// A listener with bounds.
pub struct BoundedListener {
    listener: TcpListener,
    header_timeout: Duration,
    idle_timeout: Duration,
    all: Arc<Semaphore>,
    per_address: usize,
    /// How many connections each has. A proxy has as many as it likes: it is not one client.
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    proxies: Vec<Network>,
}

impl BoundedListener {
    pub fn new(listener: TcpListener, edges: &Edges, proxies: Vec<Network>) -> Self {
        Self {
            listener,
            header_timeout: Duration::from_millis(edges.header_timeout_ms),
            idle_timeout: Duration::from_millis(edges.idle_timeout_ms),
            all: Arc::new(Semaphore::new(edges.connections)),
            per_address: edges.connections_per_address,
            open: Arc::default(),
            proxies,
        }
    }

    /// Counts one connection more from there; `None` if there are too many.
    fn admit(&self, address: IpAddr) -> Option<Counted> {
        if self.proxies.iter().any(|proxy| proxy.contains(address)) {
            return Some(Counted { open: Arc::clone(&self.open), address: None });
        }
        let address = counted(address);
        let mut open = lock(&self.open);
        let count = open.entry(address).or_insert(0);
        if *count >= self.per_address {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Counted { open: Arc::clone(&self.open), address: Some(address) })
    }

    /// One connection over the bound for all waits in the system's queue; one over that of its address is
    /// closed, so that it keeps nobody else waiting.
    pub(super) async fn accept(&mut self) -> (Connection, Caller) {
        loop {
            // It is never closed.
            let permit = Arc::clone(&self.all).acquire_owned().await.ok();
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let Some(counted) = self.admit(address.ip()) else { continue };
            // Answers are small, and some are awaited by a person.
            let _best_effort = stream.set_nodelay(true);
            let is_handled = Arc::<AtomicBool>::default();
            let connection = Connection {
                stream,
                is_handled: Arc::clone(&is_handled),
                phase: Phase::Head,
                deadline: Deadline::after(self.header_timeout),
                header_timeout: self.header_timeout,
                idle_timeout: self.idle_timeout,
                _permit: permit,
                _counted: counted,
            };
            return (connection, Caller { address: address.ip(), is_handled });
        }
    }
}

fn lock(open: &Mutex<HashMap<IpAddr, usize>>) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection of an address, until it is dropped.
struct Counted {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: Option<IpAddr>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = lock(&self.open);
        if let Some(count) = open.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) address: IpAddr,
    /// Whether a request waits for its answer. Set by who handles it, cleared by the answer; there is one at a time.
    is_handled: Arc<AtomicBool>,
}

impl Caller {
    /// The head of a request is whole: the connection isn't kept waiting by its client now.
    pub(super) fn head_is_whole(&self) {
        self.is_handled.store(true, Ordering::Relaxed);
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Another request.
    Idle,
    /// The rest of a request's head. Also the first byte of a connection.
    Head,
    /// The client to take what is written.
    Writing,
}

/// A moment that is set anew several times a request.
///
/// The runtime's timer is only set when it would ring too late. Where it rings too early, it is set to what is left:
/// so one that is always put off rings once in the shortest of the times, and not at all for each request.
struct Deadline {
    at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    fn after(patience: Duration) -> Self {
        let timer = Box::pin(sleep(patience));
        Self { at: timer.deadline(), timer }
    }

    fn set(&mut self, patience: Duration) {
        let now = Instant::now();
        self.at = now.checked_add(patience).unwrap_or(now);
        if self.at < self.timer.deadline() {
            self.timer.as_mut().reset(self.at);
        }
    }

    /// Ready once the moment has come; until then the task is woken for it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.at {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.at);
        }
        Poll::Pending
    }
}

/// A connection that ends when its client keeps it waiting for too long.
pub(super) struct Connection {
    stream: TcpStream,
    is_handled: Arc<AtomicBool>,
    phase: Phase,
    deadline: Deadline,
    header_timeout: Duration,
    idle_timeout: Duration,
    _permit: Option<OwnedSemaphorePermit>,
    _counted: Counted,
}

impl Connection {
    fn enter(&mut self, phase: Phase) {
        let patience = if phase == Phase::Head { self.header_timeout } else { self.idle_timeout };
        self.phase = phase;
        self.deadline.set(patience);
    }

    fn out_of_patience<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.deadline.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// What came of a write. The answer ends the wait of the request for it.
    fn written<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.is_handled.store(false, Ordering::Relaxed);
            self.enter(Phase::Idle);
            // hyper has found nothing to read while the request was handled, and doesn't look again unless it
            // is woken: when the time is over.
            let _registered = self.deadline.poll(cx);
            return done;
        }
        if self.phase != Phase::Writing {
            self.enter(Phase::Writing);
        }
        self.out_of_patience(cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(done) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            if self.phase == Phase::Idle && buffer.filled().len() > before {
                self.enter(Phase::Head);
            }
            return Poll::Ready(done);
        }
        if self.is_handled.load(Ordering::Relaxed) { Poll::Pending } else { self.out_of_patience(cx) }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
