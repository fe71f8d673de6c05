//! `POST register`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register>.

use super::names::is_free;
use super::register_unasked;
use crate::app::{App, SharedApp};
use crate::db::users::{self, NewUser};
use crate::db::{Tx, UserKey, devices};
use crate::failure::Failure;
use crate::guests::{self, Upgradable, Upgrade};
use crate::http::{JsonBody, answer};
use crate::logins::{Login, Wanted, log_in, response};
use crate::password::{PasswordHash, normal_form};
use crate::secrets;
use crate::threepids;
use crate::uia::{self, UiaHost};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::register::{Kind, Localpart, NewAccount, RegisterRequest};
use matrix_uia::server::drive::{Granted, Repeat, Step};
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::Register;
use matrix_uia::server::reference::Reference;
use matrix_uia::{MatrixError, Text};
use serde::{Deserialize, Serialize};

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    // On the heap: a future is copied into each that awaits it, and this one is large.
    let answered = Box::pin(register(&app, &peer, &body.0)).await;
    answered.unwrap_or_else(Failure::into_response)
}

async fn register(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let kind = Kind::parse(peer.query("kind")?.as_deref())?;
    if kind == Kind::Guest {
        return Box::pin(register_unasked::guest(app, body)).await;
    }
    let request = RegisterRequest::parse(body);
    if let Ok(request) = &request
        && request.by_appservice
    {
        return Box::pin(register_unasked::appservice_user(app, peer, request)).await;
    }
    app.policies.registration.check(kind)?;
    let (mut request, guest) = (request?, guests::token_of(body)?);
    let password = request.password.map(normal_form);
    request.password = password.as_ref().map(secrets::Secret::lend);
    let flows = &app.policies.register;
    let request = match request.check(&app.policies.strength, &app.config.server_name) {
        Ok(registration) => Upgradable { registration, guest },
        Err(refused) => return Err(Box::pin(uia::refuse_registration(app, peer, refused)).await),
    };
    let (mut run, mut made) = (uia::begin(app, peer, None, flows, &request), None);
    // Not `while let`, which would keep what it matches as long as the step, and room for it in the future.
    loop {
        let Some(step) = run.next().await? else { break };
        match step {
            Step::Admit(admit) => match may_take(app, &mut run.host, &request).await {
                Ok(()) => run.go_on(admit.admitted()),
                Err(Failure::Refused(refusal)) => run.go_on(admit.refused(refusal)),
                Err(failure) => return Err(failure),
            },
            // On the heap, as all that comes after the stages: most requests ask for a challenge.
            Step::Perform(granted) => made = Box::pin(perform(app, &mut run, granted)).await?,
            Step::Repeat(repeat) => made = Box::pin(answer_again(app, &mut run, repeat)).await?,
        }
    }
    Ok(answer::json(StatusCode::OK, made.ok_or(MatrixError::unavailable())?))
}

/// Makes the account that is granted, and reports how that ended; the answer, if it was made.
async fn perform<'r>(
    app: &App,
    run: &mut uia::Request<'r, Upgradable<'r>>,
    granted: Granted<'r, Upgradable<'r>, PasswordHash>,
) -> Result<Option<String>, Failure> {
    let (upgrade, call) = granted.into_parts();
    let mut made = None;
    let done = make(app, run.host.tx().await?, &upgrade).map(|(outcome, answer, again)| {
        made = Some(answer);
        run.host.keep_result(again);
        outcome
    });
    uia::ended(run, call, done).await?;
    Ok(made)
}

/// What the answer to a registration is made of again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Again {
    device_id: Option<String>,
    refresh: bool,
}

/// Makes the account; the answer, and what it is made of again.
fn make(app: &App, tx: &Tx, upgrade: &Upgrade<PasswordHash>) -> Result<(Outcome, String, String), Failure> {
    let Upgrade { account, guest } = upgrade;
    let proved = threepids::proved(tx, &account.threepids)?;
    let (user, localpart) = match guest {
        Some(token) => {
            let guest = guests::upgrade(tx, token, account)?;
            (guest.key, guest.localpart)
        }
        None => create(app, tx, account)?,
    };
    threepids::give(tx, app, user, proved)?;
    let wanted = Wanted {
        device_id: account.device_id.as_deref().map(Text::new),
        display_name: account.display_name.as_deref().map(Text::new),
        refresh_token: account.refresh_token,
    };
    let login = if account.login { Some(log_in(tx, app, user, &wanted)?) } else { None };
    let made = users::by_key(tx, user)?.ok_or(MatrixError::unavailable())?;
    let outcome = Outcome::new(Reference::from(user)).of_account(who::subject(&made));
    let device_id = login.as_ref().map(|login| login.device_id.clone());
    let again =
        serde_json::to_string(&Again { device_id, refresh: account.refresh_token }).unwrap_or_default();
    Ok((outcome, body(app, &localpart, login.as_ref()), again))
}

/// Makes an account that wasn't there.
fn create(app: &App, tx: &Tx, account: &NewAccount<PasswordHash>) -> Result<(UserKey, String), Failure> {
    // Asked again: the name may have been taken since it was free, and what was kept was never asked about.
    if let Some(name) = &account.username {
        is_free_for_params(app, name, users::exists(tx, name.as_str())?)?;
    }
    let localpart =
        account.username.as_ref().map_or_else(secrets::localpart, |name| name.as_str().to_owned());
    let new = NewUser { password: Some(&account.hash), ..NewUser::named(&localpart) };
    let user = users::create(tx, &new)?.ok_or(Refusal::for_params(Localpart::in_use()))?;
    Ok((user, localpart))
}

/// Answers a repeated request; `None` if what it had made is gone.
async fn answer_again<'r>(
    app: &App,
    run: &mut uia::Request<'r, Upgradable<'r>>,
    repeat: Repeat<Register>,
) -> Result<Option<String>, Failure> {
    let again = run.host.kept_result(repeat.session_id()).await?.unwrap_or_default();
    let made = repeat_answer(app, run.host.tx().await?, repeat.outcome(), &again)?;
    run.go_on(if made.is_some() { repeat.repeated() } else { repeat.gone() });
    Ok(made)
}

/// The same user and the same device; its earlier tokens end, so that there are never two that live. `None` if the
/// device was logged out.
fn repeat_answer(app: &App, tx: &Tx, outcome: Reference, again: &str) -> Result<Option<String>, Failure> {
    let key = UserKey::from(outcome);
    let Some(user) = users::by_key(tx, key)? else { return Ok(None) };
    let Ok(Again { device_id, refresh }) = serde_json::from_str(again) else { return Ok(None) };
    let Some(device_id) = device_id else { return Ok(Some(body(app, &user.localpart, None))) };
    if devices::get(tx, key, &device_id)?.is_none() {
        return Ok(None);
    }
    let wanted =
        Wanted { device_id: Some(Text::new(&device_id)), display_name: None, refresh_token: refresh };
    let login = log_in(tx, app, key, &wanted)?;
    Ok(Some(body(app, &user.localpart, Some(&login))))
}

fn body(app: &App, localpart: &str, login: Option<&Login>) -> String {
    response(&app.user_id(localpart), login)
}

/// Whether the name is theirs to take: that of the guest they are, or one that nobody has. It is asked again when the
/// account is made.
async fn may_take(app: &App, host: &mut UiaHost<'_>, request: &Upgradable<'_>) -> Result<(), Failure> {
    let name = request.registration.username.as_ref();
    if let Some(token) = &request.guest {
        let found = guests::find(Box::pin(host.tx()).await?, token, name);
        host.has_looked_up();
        return found.map(drop);
    }
    // Without a name there is nothing to look up.
    let Some(name) = name else { return Ok(()) };
    let has_session = request.registration.request.auth.session().is_some();
    let found = if app.db.may_have_user(name.as_str()) {
        Box::pin(host.look(|db| users::by_localpart(db, name.as_str()))).await?
    } else {
        None
    };
    match found {
        // The session may have been told the guest's token.
        Some(user) if user.guest && has_session => Ok(()),
        user => is_free_for_params(app, name, user.is_some()),
    }
}

/// Whether people may have the name. They may ask for another.
fn is_free_for_params(app: &App, name: &Localpart, taken: bool) -> Result<(), Failure> {
    is_free(app, name, taken).map_err(|error| Refusal::for_params(error).into())
}
