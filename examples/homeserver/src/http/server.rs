//! Listening, and stopping without dropping what is in hand.

use super::Served;
use super::listener::{BoundedListener, Caller};
use super::signals::Signals;
use axum::ServiceExt;
use axum::extract::Request;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;
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

/// Serves until a signal comes, then finishes the requests in hand; a second signal ends that. Handlers may ask for
/// `ConnectInfo<Caller>`, the other end of the connection.
///
/// # Errors
///
/// None but what axum reports; it deals with those of single connections itself.
pub async fn serve(listener: BoundedListener, served: Served, mut signals: Signals) -> io::Result<Ended> {
    let (stop, stopped) = oneshot::channel();
    let server =
        axum::serve(listener, ServiceExt::<Request>::into_make_service_with_connect_info::<Caller>(served))
            .with_graceful_shutdown(async move {
                let _ = stopped.await;
            });
    let out_of_patience = async {
        signals.first().await;
        let _ = stop.send(());
        tokio::select! {
            () = signals.next() => Ended::CutShort,
            // A client that never finishes its request can't keep the server from ending.
            () = sleep(GRACE) => Ended::Finished,
        }
    };
    tokio::select! {
        done = server => done.map(|()| Ended::Finished),
        ended = out_of_patience => Ok(ended),
    }
}
