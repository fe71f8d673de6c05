//! Listening, and stopping without dropping what is in hand.

use axum::Router;
use axum::serve::ListenerExt as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How long the requests in hand have after the signal. The slowest, a deactivation whose identity servers
/// don't answer, takes ten seconds.
const GRACE: Duration = Duration::from_secs(20);

/// Serves until `stop` is done, then finishes the requests in hand. Handlers may ask for
/// `ConnectInfo<SocketAddr>`, the client's address.
///
/// # Errors
///
/// None but what axum reports; it deals with those of single connections itself.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Answers are small, and some are awaited by a person.
    let listener = listener.tap_io(|connection| {
        let _best_effort = connection.set_nodelay(true);
    });
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
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
