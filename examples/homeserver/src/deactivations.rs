//! Carrying a deactivation out, effect by effect, as the crate's value says; and going on after a crash.
//!
//! Each effect and the note that it is done are one transaction. Two that carry the same deactivation out at
//! once do no harm: each looks again what is next.

use crate::app::{App, SharedApp};
use crate::clock;
use crate::config::Unbind;
use crate::db::belongings::{self, Belonging};
use crate::db::threepids;
use crate::db::{Result, Tx, UserKey, deactivations, devices, login_tokens, users, validations};
use crate::fault;
use matrix_uia::endpoint::deactivate::{DeactivateResponse, Deactivation, Effect};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long identity servers that can't be reached are tried again, all of them together.
const PATIENCE_MS: u64 = 10_000;
const PAUSE: Duration = Duration::from_millis(500);
/// How long a start waits for what a crash left.
const AT_START: Duration = Duration::from_secs(2);

/// Begins: keeps the value and raises the fence. In the transaction that consumes the session, so that there is
/// no moment at which one has happened without the other.
pub fn begin(tx: &Tx, user: UserKey, progress: Deactivation) -> Result<()> {
    put(tx, user, &carry_out(tx, user, progress, Effect::Fence)?)
}

/// Finishes what has begun; the answer that it ends with.
pub async fn finish(app: &App, user: UserKey) -> Result<Option<DeactivateResponse>> {
    // None of them could go on behind the fence. The one that brought it about has ended.
    app.db.transaction(|tx| app.sessions.end_of_user(tx, user)).await?;
    loop {
        let Some(progress) = app.db.transaction(|tx| load(tx, user)).await? else { return Ok(None) };
        let Some(effect) = progress.effect() else { return Ok(progress.response()) };
        fault::point("between two effects of a deactivation");
        let unbound =
            if effect == Effect::UnbindThreepids { unbind(app, user, &progress).await? } else { true };
        app.db
            .transaction(|tx| -> Result<()> {
                let progress = match load(tx, user)? {
                    Some(progress) if progress.effect() == Some(effect) => progress,
                    // Somebody else has been here.
                    _ => return Ok(()),
                };
                let progress = if effect == Effect::UnbindThreepids {
                    progress.unbound(unbound)
                } else {
                    carry_out(tx, user, progress, effect)?
                };
                put(tx, user, &progress)
            })
            .await?;
    }
}

/// Finishes everything that a crash left, before anybody is let in. What takes long goes on afterwards: the
/// accounts are fenced, and an identity server that can't be reached must not keep everybody out.
pub async fn finish_all(app: &SharedApp) -> Result<()> {
    let mut left = JoinSet::new();
    for (user, _) in app.db.transaction(deactivations::all).await? {
        let app = SharedApp::clone(app);
        left.spawn(async move {
            let finished = finish(&app, user).await;
            finished.inspect_err(|error| tracing::error!(%error, "a deactivation is not finished"))
        });
    }
    let all = async {
        while let Some(task) = left.join_next().await {
            // One that panicked has said so, and is taken up at the next start.
            task.unwrap_or(Ok(None))?;
        }
        Ok(())
    };
    match timeout(AT_START, all).await {
        Ok(finished) => finished,
        Err(_) => {
            left.detach_all();
            Ok(())
        }
    }
}

/// How a deactivation of this user ended, or stands.
pub fn load(tx: &Tx, user: UserKey) -> Result<Option<Deactivation>> {
    let progress = deactivations::load(tx, user)?;
    progress.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}

fn put(tx: &Tx, user: UserKey, progress: &Deactivation) -> Result<()> {
    let text = serde_json::to_string(progress)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    deactivations::put(tx, user, &text)
}

/// One effect, and the value after it.
fn carry_out(tx: &Tx, user: UserKey, progress: Deactivation, effect: Effect) -> Result<Deactivation> {
    let remove = |what| belongings::remove_all(tx, user, what);
    match effect {
        Effect::Fence => {
            users::fence(tx, user)?;
            login_tokens::remove_by_user(tx, user)?;
        }
        Effect::RemoveThreepids => {
            // First: which validations are the user's is told by the addresses.
            validations::remove_by_user(tx, user)?;
            threepids::remove_all(tx, user)?;
        }
        Effect::EndDevices => devices::remove_all_but(tx, user, None)?,
        Effect::RemovePassword => users::set_password(tx, user, None)?,
        Effect::RemovePushers => belongings::remove_pushers(tx, user)?,
        Effect::RemoveKeyBackups => remove(Belonging::KeyBackup)?,
        Effect::RemoveAccountData => remove(Belonging::AccountData)?,
        Effect::RemoveProfile => remove(Belonging::Profile)?,
        Effect::RemoveDirectoryEntry => remove(Belonging::Directory)?,
        Effect::MarkErased => users::mark_erased(tx, user)?,
        Effect::MarkDeactivated => users::mark_deactivated(tx, user)?,
        // Asked of the identity servers before, and no part of a transaction.
        Effect::UnbindThreepids => {}
        // There are no rooms here to leave.
        Effect::LeaveRooms => {}
    }
    Ok(progress.done())
}

/// Unbinds every 3PID where the value says. Whether all could be.
async fn unbind(app: &App, user: UserKey, progress: &Deactivation) -> Result<bool> {
    let give_up_at = give_up_at();
    let mut all = true;
    for threepid in app.db.transaction(|tx| threepids::list(tx, user)).await? {
        // A crash may have come after this one.
        if threepid.id_server.is_some() && !threepid.bound {
            continue;
        }
        let done = match progress.unbind_at(threepid.id_server.as_deref()) {
            Some(server) => ask(app, server, give_up_at).await,
            None => false,
        };
        if done {
            app.db.transaction(|tx| threepids::mark_unbound(tx, user, &threepid.threepid)).await?;
        }
        all &= done;
        fault::point("between two 3PIDs to unbind");
    }
    Ok(all)
}

/// When to stop asking, for who begins now.
pub fn give_up_at() -> u64 {
    clock::now_ms().saturating_add(PATIENCE_MS)
}

/// Asks an identity server to unbind; the config says what it answers.
pub async fn ask(app: &App, server: &str, give_up_at: u64) -> bool {
    loop {
        match app.config.identity_servers.get(server) {
            Some(server) if !server.trusted => return false,
            None => return false,
            Some(server) => match server.unbind {
                Unbind::Success => return true,
                Unbind::NoSupport => return false,
                Unbind::Error => {}
            },
        }
        if clock::now_ms() >= give_up_at {
            return false;
        }
        sleep(PAUSE).await;
    }
}
