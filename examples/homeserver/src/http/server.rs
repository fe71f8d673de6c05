//! Listening, and stopping without dropping what is in hand.

use super::listener::{BoundedListener, Caller};
use axum::Router;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How long the requests in hand have after the signal. The slowest, a deactivation whose identity servers
/// don't answer, takes ten seconds.
const GRACE: Duration = Duration::from_secs(20);

/// Serves until `stop` is done, then finishes the requests in hand. Handlers may ask for
/// `ConnectInfo<Caller>`, the other end of the connection.
///
/// # Errors
///
/// None but what axum reports; it deals with those of single connections itself.
pub async fn serve(
    listener: BoundedListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<Caller>())
        .with_graceful_shutdown(async move {
            stop.await;
            let _ = stopping.send(());
        });
    // A client that never finishes its request can't keep the server from ending.
    let out_of_patience = async {
        let _ = stopped.await;
        sleep(GRACE).await;
    };
    tokio::select! {
        done = server => done,
        () = out_of_patience => Ok(()),
    }
}

/// Done when the process is told to end. The signals are caught from this call on, not from the first poll:
/// one that comes between start-up and serving is not lost.
///
/// # Errors
///
/// If the system doesn't let signals be caught.
#[cfg(unix)]
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Done when the process is told to end.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
