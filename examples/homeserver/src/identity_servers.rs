//! Identity servers, which the config plays.

use crate::app::App;
use crate::config::Unbind;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long those that can't be reached are tried again, all of one request together.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// For how long to ask, by a monotonic clock: setting the time of day makes no request wait longer.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Instant);

impl Patience {
    /// For who begins now.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    fn is_over(self) -> bool {
        self.0.elapsed() >= PATIENCE
    }
}

/// Asks an identity server to unbind an address; the config says what it answers.
pub async fn unbind(app: &App, server: &str, patience: Patience) -> bool {
    let Some(server) = app.config.identity_servers.get(server).filter(|server| server.trusted) else {
        return false;
    };
    loop {
        match server.unbind {
            Unbind::Success => return true,
            Unbind::NoSupport => return false,
            Unbind::Error if patience.is_over() => return false,
            Unbind::Error => sleep(PAUSE).await,
        }
    }
}
