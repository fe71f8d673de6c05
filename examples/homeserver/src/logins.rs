//! Logging a user in on a device: at registration, at login, and when the answer to either was lost.

use crate::app::App;
use crate::db::tokens::{self, NewTokens};
use crate::db::{Tx, UserKey, devices};
use crate::failure::Failure;
use crate::secrets::{self, Token};
use crate::signing_keys;
use matrix_uia::endpoint::login::{DeviceIdUse, DevicePlan, LoginResponse, plan_device};
use matrix_uia::{Millis, Secret, Text};

/// What a client asked of its login.
#[derive(Debug, Default)]
pub struct Wanted<'w> {
    /// The device to take up, or to make under this ID.
    pub device_id: Option<Text<'w>>,
    /// Its name, if it is new.
    pub display_name: Option<Text<'w>>,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
}

/// A login that was made.
#[derive(Debug)]
pub struct Login {
    pub device_id: String,
    made: Made,
}

/// Takes up or makes the device; its earlier tokens end.
pub fn log_in(tx: &Tx, app: &App, user: UserKey, wanted: &Wanted<'_>) -> Result<Login, Failure> {
    let is = wanted.device_id.map_or(Ok(DeviceIdUse::Free), |id| device_id_use(tx, user, &id.to_cow()))?;
    let plan = plan_device(wanted.device_id, wanted.display_name, is)?;
    let (device_id, display_name) = match plan {
        DevicePlan::Make { id, display_name } => (id, display_name),
        DevicePlan::TakeUp { id } => (Some(id), None),
    };
    let device_id = device_id.map_or_else(secrets::device_id, |id| id.to_cow().into_owned());
    devices::put(
        tx,
        user,
        &device_id,
        display_name.map(|name| name.to_cow()).as_deref(),
        app.clock.now_ms(),
    )?;
    let (made, tokens) = make_tokens(app, wanted.refresh_token);
    tokens::issue(tx, user, &device_id, &tokens)?;
    Ok(Login { device_id, made })
}

/// What an ID that a device is to have is to the user already.
pub fn device_id_use(tx: &Tx, user: UserKey, id: &str) -> rusqlite::Result<DeviceIdUse> {
    Ok(if devices::get(tx, user, id)?.is_some() {
        DeviceIdUse::Device
    } else if signing_keys::has_public_key(tx, user, id)? {
        DeviceIdUse::SigningKey
    } else {
        DeviceIdUse::Free
    })
}

/// Tokens that were made, as their client gets them.
#[derive(Debug)]
pub struct Made {
    pub access: Token,
    pub refresh: Option<Token>,
    pub expires_in: Option<Millis>,
}

/// An access token, with a refresh token for a client that takes one: only then does it expire.
pub fn make_tokens(app: &App, refresh: bool) -> (Made, NewTokens) {
    let expires_in = app.config.access_token_lifetime_ms.filter(|_| refresh).map(Millis::new);
    let made = Made { access: Token::access(), refresh: refresh.then(Token::refresh), expires_in };
    let tokens = NewTokens {
        access: made.access.hash,
        expires_at: expires_in.map(|lifetime| app.clock.now().after(lifetime).as_millis()),
        refresh: made.refresh.as_ref().map(|token| token.hash),
    };
    (made, tokens)
}

/// The body of the answer.
pub fn response(user_id: &str, login: Option<&Login>) -> String {
    let mut answer = LoginResponse::new(Text::new(user_id));
    if let Some(login) = login {
        answer = answer.with_login(Secret::new(login.made.access.text.expose()), Text::new(&login.device_id));
        if let Some(made) = answer.login.as_mut() {
            made.refresh_token = login.made.refresh.as_ref().map(|token| Secret::new(token.text.expose()));
            made.expires_in = login.made.expires_in;
        }
    }
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = answer.write(&mut body);
    body
}
