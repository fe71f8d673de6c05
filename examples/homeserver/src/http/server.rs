//! Listening, and stopping without dropping what is in hand.

use super::listener::BoundedListener;
use super::signals::{Signals, Stopping};
use super::{Served, requests};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How long the requests in hand have after the signal. The slowest, a deactivation whose identity servers
/// don't answer, takes ten seconds.
const GRACE: Duration = Duration::from_secs(20);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With what was in hand finished, or given all the time there is.
    Finished,
    /// A second signal came before.
    CutShort,
}

/// Serves until a signal comes, then finishes the requests in hand; a second signal ends that.
pub async fn serve(listener: BoundedListener, served: Served, mut signals: Signals) -> Ended {
    let (open, mut all_have_ended) = mpsc::channel(1);
    let stopping = signals.stopping();
    tokio::select! {
        never = accept(listener, served, stopping, open) => match never {},
        () = signals.first() => {}
    }
    tokio::select! {
        // Each connection has held the channel open.
        _ = all_have_ended.recv() => Ended::Finished,
        () = signals.next() => Ended::CutShort,
        // A client that never finishes its request can't keep the server from ending.
        () = sleep(GRACE) => Ended::Finished,
    }
}

/// Has every connection served in a task of its own, which holds `open` until it ends.
async fn accept(
    mut listener: BoundedListener,
    served: Served,
    stopping: Stopping,
    open: mpsc::Sender<Infallible>,
) -> Infallible {
    loop {
        let (connection, caller) = listener.accept().await;
        let (served, stopping, open) = (served.clone(), stopping.clone(), open.clone());
        tokio::spawn(async move {
            requests::answer_all(connection, caller, served, stopping).await;
            drop(open);
        });
    }
}
