//! What the server does unasked: it ends what has run out, and takes up deactivations that were interrupted.

use crate::app::{App, SharedApp};
use crate::db::{Result, login_tokens, records, registration_tokens, validations};
use crate::deactivations;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How much one transaction removes: those who ask get in between.
const AT_ONCE: usize = 64;
/// How often it looks for what has run out.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);
/// How often it looks for deactivations that are to be taken up. Each that fails is left alone for longer.
const RESUME_EVERY: Duration = Duration::from_secs(2);

/// Begins. It goes on until the runtime ends.
pub fn begin(app: &SharedApp) {
    let expiring = SharedApp::clone(app);
    tokio::spawn(async move {
        loop {
            sleep(EXPIRE_EVERY).await;
            expire_all(&expiring).await;
        }
    });
    let resuming = SharedApp::clone(app);
    tokio::spawn(async move {
        let mut back_off = deactivations::back_off();
        loop {
            sleep(RESUME_EVERY).await;
            deactivations::finish_due(&resuming, &mut back_off, Instant::now()).await;
        }
    });
}

/// Ends everything that has run out, a little at a time.
pub async fn expire_all(app: &App) {
    loop {
        match expire(app).await {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "what has run out can't be removed");
                return;
            }
        }
    }
}

/// Ends some of what has run out; whether there was anything.
async fn expire(app: &App) -> Result<bool> {
    let now = app.clock.now();
    let settled = app.sessions.settle(&app.db).await? | app.sessions.sweep(&app.db).await;
    app.db
        .transaction(|tx| {
            let (policies, config) = (&app.policies, &app.config);
            let mut any = settled | app.sessions.expire(tx, now)?;
            any |= validations::forget(tx, &policies.validations, now, AT_ONCE)?;
            any |= records::forget(tx, &policies.rules, now, AT_ONCE)?;
            any |= registration_tokens::forget(tx, policies.rules.session_lifetime, now, AT_ONCE)?;
            any |= login_tokens::forget(tx, config.login_token.lifetime(), now, AT_ONCE)?;
            any |= deactivations::forget(app, tx, AT_ONCE)?;
            Ok(any)
        })
        .await
}
