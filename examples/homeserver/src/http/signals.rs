//! Being told to end: once to finish what is in hand, twice to end at once.

use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// What tells the server to end.
#[derive(Debug)]
pub struct Signals {
    told: mpsc::Receiver<()>,
    stopping: watch::Sender<bool>,
}

impl Signals {
    /// Whatever comes through this channel; nothing any more once it is closed.
    pub fn from_channel(told: mpsc::Receiver<()>) -> Self {
        Self { told, stopping: watch::Sender::new(false) }
    }

    /// Told to everybody when the first comes.
    pub fn stopping(&self) -> Stopping {
        Stopping(self.stopping.subscribe())
    }

    /// Waits for the first, and tells everybody.
    pub async fn first(&mut self) {
        self.next().await;
        self.stopping.send_replace(true);
    }

    /// Waits for another one.
    pub(super) async fn next(&mut self) {
        if self.told.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// Whether the server is about to end.
#[derive(Debug, Clone)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits until it is. `false`: nobody will tell.
    pub(super) async fn told(&mut self) -> bool {
        self.0.wait_for(|stopping| *stopping).await.is_ok()
    }

    /// Whether there is more to be told than when it was made.
    pub(super) fn has_changed(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Waits until it is, and for as long again as one may still take then.
    pub async fn for_long(&mut self, patience: Duration) {
        if self.told().await { sleep(patience).await } else { std::future::pending().await }
    }
}

/// The system's signals. They are caught from this call on: one that comes between start-up and serving is not lost.
///
/// # Errors
///
/// If the system doesn't let signals be caught.
#[cfg(unix)]
pub fn signals() -> io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, told) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if tell.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(Signals::from_channel(told))
}

/// The system's signals.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn signals() -> io::Result<Signals> {
    let (tell, told) = mpsc::channel(2);
    tokio::spawn(
        async move { while tokio::signal::ctrl_c().await.is_ok() && tell.send(()).await.is_ok() {} },
    );
    Ok(Signals::from_channel(told))
}
