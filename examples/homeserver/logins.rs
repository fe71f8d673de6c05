//! Logging a user in on a device: at registration, at login, and when the answer to either was lost.

use crate::app::App;
use crate::clock;
use crate::db::tokens::{self, NewTokens};
use crate::db::{Result, UserKey, devices};
use crate::secrets::{self, Token};
use matrix_uia::registration::LoginResponse;
use matrix_uia::{Secret, Text};
use rusqlite::Transaction;

/// What a client asked of its login.
#[derive(Debug, Default)]
pub struct Wanted<'w> {
    /// The device to take up, or to make under this ID.
    pub device_id: Option<&'w str>,
    /// Its name, if it is new.
    pub display_name: Option<&'w str>,
    /// Whether the client takes refresh tokens.
    pub refresh_token: bool,
}

/// A login that was made.
#[derive(Debug)]
pub struct Login {
    pub device_id: String,
    access: Token,
    refresh: Option<Token>,
    expires_in_ms: Option<u64>,
}

/// Takes up or makes the device; its earlier tokens end.
pub fn log_in(tx: &Transaction<'_>, app: &App, user: UserKey, wanted: &Wanted<'_>) -> Result<Login> {
    let now = clock::now_ms();
    let device_id = wanted.device_id.map_or_else(secrets::device_id, str::to_owned);
    let expires_in_ms = app.config.access_token_lifetime_ms.filter(|_| wanted.refresh_token);
    let refresh = wanted.refresh_token.then(Token::refresh);
    let access = Token::access();
    devices::put(tx, user, &device_id, wanted.display_name, now)?;
    let tokens = NewTokens {
        access: access.hash,
        expires_at: expires_in_ms.map(|lifetime| now.saturating_add(lifetime)),
        refresh: refresh.as_ref().map(|token| token.hash),
    };
    tokens::issue(tx, user, &device_id, &tokens)?;
    Ok(Login { device_id, access, refresh, expires_in_ms })
}

/// The body of the answer.
pub fn response(user_id: &str, login: Option<&Login>) -> String {
    let mut answer = LoginResponse::new(Text::new(user_id));
    if let Some(login) = login {
        answer = answer.with_login(Secret::new(login.access.text.expose()), Text::new(&login.device_id));
        if let Some(made) = answer.login.as_mut() {
            made.refresh_token = login.refresh.as_ref().map(|token| Secret::new(token.text.expose()));
            made.expires_in_ms = login.expires_in_ms;
        }
    }
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = answer.write(&mut body);
    body
}
