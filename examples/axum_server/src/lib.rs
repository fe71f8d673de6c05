//! A small server over axum: register (with a registration token), log in, change the password, deactivate.
//!
//! Every guarded handler has the same three parts: parse and check the request; take it through the exchange with
//! [`Run`], carrying out what is granted; answer. [`Transaction`](transaction::Transaction) is all that the exchange asks of this server.
//! Left out: limits on attempts (`Question::limit_keys`), normalising passwords to NFKC, TLS.

mod db;
mod server;
mod system;
mod transaction;

pub use db::{Account, Db, Login, Write};
pub use server::Server;
pub use system::{Outside, System};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use matrix_uia::MatrixError;
use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::endpoint::login::{self, Attempt, LoginRequest};
use matrix_uia::endpoint::password::{ChangePasswordRequest, Devices, Effect};
use matrix_uia::endpoint::register::{RegisterRequest, Registration};
use matrix_uia::server::drive::{self, Step};
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::wire::error::ErrorCode;
use server::{LoggedIn, SERVER_NAME};
use std::{fmt::Write as _, sync::Arc};
use system::{Answer, answer, bearer};

/// The routes of the server.
pub fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/_matrix/client/v3/register", post(register))
        .route("/_matrix/client/v3/login", post(log_in))
        .route("/_matrix/client/v3/account/password", post(change_password))
        .route("/_matrix/client/v3/account/deactivate", post(deactivate))
        .with_state(server)
}

async fn change_password(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = ChangePasswordRequest::parse(&body)?.check(&server.strength, true)?;
    let token = bearer(&headers).ok_or(MatrixError::missing_token())?;
    let mut run = server.run(&server.password, Some(token), &request)?;
    while let Some(granted) = run.granted().await? {
        let (change, performing) = granted.into_parts();
        let user = change.user();
        for effect in change.effects() {
            let token = token.to_owned();
            match effect {
                Effect::SetPassword(hash) => {
                    let hash = hash.clone();
                    run.host.write(move |db| db.set_password(user, Some(hash)));
                }
                Effect::EndDevices(Devices::Others) => {
                    run.host.write(move |db| db.log_out(user, Some(&token)))
                }
                Effect::EndDevices(Devices::All) => run.host.write(move |db| db.log_out(user, None)),
                Effect::EndPushers(_) => {} // There are none here.
            }
        }
        run.done(performing, Ok(Outcome::NOTHING), server.outside.now());
    }
    answer(|out| write!(out, "{{}}"))
}

async fn deactivate(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Answer {
    let request = DeactivateRequest::parse(&body)?.check()?;
    let token = bearer(&headers).ok_or(MatrixError::missing_token())?;
    let mut user = server.db().await.logins.get(token).map(|login| login.user);
    let mut run = server.run(&server.deactivate, Some(token), &request)?;
    while let Some(granted) = run.granted().await? {
        let (deactivation, performing) = granted.into_parts();
        user = Some(deactivation.user());
        // The fence, and the note of what is still to be done, are written together; the rest follows.
        run.host.write(move |db| db.deactivate(deactivation));
        run.done(performing, Ok(Outcome::NOTHING), server.outside.now());
    }
    let left = server.finish(user.ok_or(MatrixError::unknown_token(false))?).await;
    let done = left.and_then(|left| left.response()).ok_or(MatrixError::unavailable())?;
    answer(|out| done.write(out))
}

async fn register(State(server): State<Arc<Server>>, body: Bytes) -> Answer {
    let request = RegisterRequest::parse(&body)?;
    let request = match request.check(&server.strength, SERVER_NAME) {
        Ok(checked) => checked,
        // Other parameters may be sent in the same session.
        Err(error) => {
            let (mut host, call) = (server.transaction(None), request.unchecked_call());
            let (guarded, now) = (server.guarded(&server.register), server.outside.now());
            let stop =
                drive::refuse::<_, Checked<Registration<'_>>>(&mut host, guarded, call, error, now).await;
            return Err(stop.into());
        }
    };
    let mut run = server.run(&server.register, None, &request)?;
    let mut answered = LoggedIn::default();
    while let Some(step) = run.next().await? {
        match step {
            Step::Admit(admit) => {
                let available = match &request.username {
                    Some(name) => name.available(false, server.find(name.as_str()).await.is_some()),
                    None => Ok(()),
                };
                run.go_on(match available {
                    Ok(()) => admit.admitted(),
                    Err(error) => admit.refused(Refusal::for_params(error)),
                });
            }
            Step::Perform(granted) => {
                let (new, performing) = granted.into_parts();
                let made = run.host.create(new).await.map(|(outcome, made)| {
                    answered = made;
                    outcome
                });
                run.done(performing, made, server.outside.now());
            }
            Step::Repeat(repeat) => match run.host.repeat(repeat.user(), repeat.outcome()).await? {
                Some(again) => {
                    answered = again;
                    run.go_on(repeat.repeated());
                }
                None => run.go_on(repeat.gone()),
            },
        }
    }
    answered.answer()
}

async fn log_in(State(server): State<Arc<Server>>, body: Bytes) -> Answer {
    let request = LoginRequest::parse(&body)?;
    let Attempt::Password { identifier, password } = request.attempt else {
        return Err(MatrixError::new(ErrorCode::Unknown, "This type of login is not served.").into());
    };
    let (_, account) = server.named(identifier).await;
    let hash = account.as_ref().and_then(|account| account.hash.clone());
    let right = server.matches(password, hash).await?;
    // As it is now: the password may have been replaced while it was compared.
    let mut db = server.db().await;
    let (name, epoch) = account.map(|it| (it.name, it.epoch)).unwrap_or_default();
    let user = server.key.user(&name);
    let now = db.accounts.get(&user).filter(|now| now.epoch == epoch);
    login::decide(now.map(|now| now.status), right, false)?;
    let device = request.device_id.map(|id| id.to_string());
    let login = server.new_login(user, device.as_deref())?;
    let answer = LoggedIn::new(&name, Some(&login)).answer();
    db.log_in(login);
    answer
}
