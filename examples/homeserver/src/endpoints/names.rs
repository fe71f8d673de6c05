//! What a client may ask before it registers: whether a name is free, whether a registration token is good.

use crate::app::{App, SharedApp};
use crate::db::{registration_tokens, users};
use crate::failure::Failure;
use crate::http::answer;
use crate::who::Peer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use matrix_uia::endpoint::register::{
    AvailabilityResponse, Kind, Localpart, TokenValidityResponse, missing_query,
};
use matrix_uia::{MatrixError, Text};

/// Whether people may have that name, and nobody has it yet: `taken` says whether somebody has.
///
/// # Errors
///
/// Why not.
pub(super) fn is_free(app: &App, name: &Localpart, taken: bool) -> Result<(), MatrixError> {
    let claimed = app.config.appservices.iter().any(|service| service.owns(name.as_str()));
    name.available(claimed, taken)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable>
pub(super) async fn available(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    app.policies.registration.check(Kind::User)?;
    let username = peer.query("username")?.ok_or(missing_query())?;
    let name = Localpart::parse(Text::new(&username), &app.config.server_name)?;
    let taken =
        app.db.may_have_user(name.as_str()) && app.db.look(|db| users::exists(db, name.as_str())).await?;
    is_free(&app, &name, taken)?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = AvailabilityResponse::new(true).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity>
pub(super) async fn token_validity(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    app.policies.registration.check(Kind::User)?;
    let token = peer.query("token")?.ok_or(missing_query())?;
    // Whoever tries token after token here would have one to register with.
    let attempt = app.limits.attempt(None, peer.counted())?;
    let valid = is_valid(&app, &token).await?;
    if valid {
        attempt.forgive();
    }
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = TokenValidityResponse::new(valid).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

/// Whether a use of the token is left, those counted that are promised to somebody.
async fn is_valid(app: &App, token: &str) -> Result<bool, Failure> {
    let now = app.clock.now();
    let known = app.config.registration_tokens.iter().find(|known| known.token.matches(token));
    let Some(known) = known.filter(|known| known.expires_at_ms.is_none_or(|end| end > now.as_millis()))
    else {
        return Ok(false);
    };
    let lifetime = app.policies.rules.session_lifetime;
    let used = app.db.transaction(|tx| registration_tokens::used(tx, &known.token, lifetime, now)).await?;
    Ok(known.uses_allowed.is_none_or(|allowed| used < allowed))
}
