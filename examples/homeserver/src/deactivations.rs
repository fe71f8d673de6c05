//! Carrying a deactivation out, effect by effect, as the crate's value says; and going on where one was interrupted.
//!
//! Each effect and the note that it is done are one transaction. Two that carry the same deactivation out at
//! once do no harm: each looks again what is next.

use crate::app::{App, SharedApp};
use crate::back_off::BackOff;
use crate::clock::Clock;
use crate::db::belongings::{self, Belonging};
use crate::db::threepids;
use crate::db::{Result, Tx, UserKey, deactivations, devices, login_tokens, trouble, users, validations};
use crate::fault;
use crate::identity_servers::{self, Patience};
use matrix_uia::endpoint::deactivate::{DeactivateResponse, Deactivation, Effect};
use matrix_uia::{CLOCK_TOLERANCE, Rules};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How many are taken up at once, so that many that were left don't keep those who ask waiting.
const AT_ONCE: usize = 8;
/// How long a start waits for what a crash left.
const AT_START: Duration = Duration::from_secs(2);

/// Begins: keeps the value and raises the fence. In the transaction that consumes the session, so that there is
/// no moment at which one has happened without the other.
pub fn begin(tx: &Tx, user: UserKey, progress: Deactivation) -> Result<()> {
    put(tx, user, &carry_out(tx, user, progress, Effect::Fence)?, None)
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
                let forget_at =
                    progress.effect().is_none().then(|| forget_at(&app.clock, &app.policies.rules));
                put(tx, user, &progress, forget_at)
            })
            .await?;
    }
}

/// When the request of one that ends now can't be repeated any more.
fn forget_at(clock: &Clock, rules: &Rules) -> u64 {
    clock.now().after(rules.session_lifetime).after(rules.replay_for).as_millis()
}

/// Finishes everything that a crash left, before anybody is let in. What takes long, or fails, goes on afterwards: the
/// accounts are fenced, and an identity server that can't be reached, or one row that can't be read, must not keep
/// everybody out.
pub async fn finish_at_start(app: &SharedApp) {
    let _the_rest_goes_on_later = timeout(AT_START, finish_all(app)).await;
}

/// How soon one that failed is taken up again, and how late at the most if it keeps failing.
const AGAIN: Duration = Duration::from_secs(2);
const AGAIN_AT_LATEST: Duration = Duration::from_secs(300);

/// Which have failed, and when each is taken up again.
pub fn back_off() -> BackOff<UserKey> {
    BackOff::new(AGAIN, AGAIN_AT_LATEST)
}

/// Takes up each that is under way; whether all are finished now.
pub async fn finish_all(app: &SharedApp) -> bool {
    finish_due(app, &mut back_off(), Instant::now()).await
}

/// Takes up each that is under way and has not failed just now; whether all are finished.
pub async fn finish_due(app: &SharedApp, back_off: &mut BackOff<UserKey>, now: Instant) -> bool {
    let (mut last, mut all_finished, mut under_way) = (None, true, HashSet::new());
    loop {
        let users = app.db.transaction(|tx| deactivations::under_way(tx, last, AT_ONCE)).await;
        let users = match users {
            Ok(users) if users.is_empty() => {
                back_off.retain(|user| under_way.contains(&user));
                return all_finished;
            }
            Ok(users) => users,
            Err(error) => {
                tracing::error!(%error, "unfinished deactivations can't be looked for");
                return false;
            }
        };
        last = users.last().copied();
        let mut tasks = JoinSet::new();
        for user in users {
            under_way.insert(user);
            if !back_off.is_due(user, now) {
                all_finished = false;
                continue;
            }
            // Until it is known to have succeeded: one that panics doesn't say whose it was.
            back_off.has_failed(user, now);
            let app = SharedApp::clone(app);
            tasks.spawn(async move { (user, finish(&app, user).await) });
        }
        while let Some(finished) = tasks.join_next().await {
            match finished {
                Ok((user, Ok(_))) => back_off.has_succeeded(user),
                // One account's trouble is one account's.
                Ok((_, Err(error))) => {
                    let reason = trouble::explain(&error);
                    tracing::error!(reason, "a deactivation is not finished, and will be tried again");
                    all_finished = false;
                }
                // It has said so.
                Err(_panicked) => all_finished = false,
            }
        }
    }
}

/// Forgets some of those that are over; whether there was any.
pub fn forget(app: &App, tx: &Tx, at_most: usize) -> Result<bool> {
    let (now, latest) = (app.clock.now(), forget_at(&app.clock, &app.policies.rules));
    let latest = latest.saturating_add(CLOCK_TOLERANCE.get());
    deactivations::forget(tx, now.as_millis(), latest, at_most)
}

/// How a deactivation of this user ended, or stands.
pub fn load(tx: &Tx, user: UserKey) -> Result<Option<Deactivation>> {
    let progress = deactivations::load(tx, user)?;
    progress.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}

fn put(tx: &Tx, user: UserKey, progress: &Deactivation, forget_at: Option<u64>) -> Result<()> {
    let text = serde_json::to_string(progress)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    deactivations::put(tx, user, &text, forget_at)
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
    let patience = Patience::begin();
    let mut all = true;
    for threepid in app.db.transaction(|tx| threepids::list(tx, user)).await? {
        // A crash may have come after this one.
        if threepid.id_server.is_some() && !threepid.bound {
            continue;
        }
        let done = match progress.unbind_at(threepid.id_server.as_deref()) {
            Some(server) => identity_servers::unbind(app, server, patience).await,
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
