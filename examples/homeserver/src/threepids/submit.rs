//! The token of a message comes back.

use crate::app::App;
use crate::db::validations::{self, Stored};
use crate::failure::Failure;
use matrix_uia::endpoint::threepid::{SubmitTokenRequest, Submitted, Validation};
use matrix_uia::server::digest::Digest;

/// The path of every `submit_url`.
pub const SUBMIT_PATH: &str = "/_matrix/static/client/3pid/submit_token";

/// Where tokens are submitted. The server's own address, and never what a request's `Host` says: a token
/// would go wherever whoever asked for it likes.
pub fn submit_url(app: &App) -> String {
    let origin = app.origin.get().map_or("http://localhost", String::as_str);
    format!("{origin}{SUBMIT_PATH}")
}

/// A token came back. Where its user goes next, if the request said so.
///
/// # Errors
///
/// The crate's, in the Identity Service's terms. A wrong token has been counted.
pub async fn submit(app: &App, submitted: &SubmitTokenRequest<'_>) -> Result<Option<String>, Failure> {
    let (secret, token) = digests(app, submitted);
    let rules = &app.policies.validations;
    let sid = submitted.sid.to_cow();
    let done = app
        .db
        .transaction(|tx| -> Result<_, Failure> {
            let found = validations::by_sid(tx, &sid)?;
            let Some(Stored { reference, validation, next_link, .. }) = found else {
                return Ok((None, Validation::submit(None, secret, token, rules, app.clock.now())));
            };
            let done = Validation::submit(validation, secret, token, rules, app.clock.now());
            if let Submitted::Validated(changed) | Submitted::Refused(Some(changed), _) = &done {
                validations::replace(tx, reference, changed, rules)?;
            }
            Ok((next_link, done))
        })
        .await?;
    match done {
        (next_link, Submitted::Validated(_)) => Ok(next_link),
        (_, Submitted::Refused(_, reject)) => Err(reject.into()),
    }
}

/// What a link is about, for its page; `None` if nothing can come of it. Nothing changes.
pub async fn look(
    app: &App,
    submitted: &SubmitTokenRequest<'_>,
) -> Result<Option<(Validation, Option<String>)>, Failure> {
    let (secret, _) = digests(app, submitted);
    let found = app.db.transaction(|tx| validations::by_sid(tx, &submitted.sid.to_cow())).await?;
    Ok(found.and_then(|found| {
        let theirs = |validation: &Validation| {
            validation.is_of(secret) && !validation.is_over(&app.policies.validations, app.clock.now())
        };
        found.validation.filter(theirs).map(|validation| (validation, found.next_link))
    }))
}

fn digests(app: &App, submitted: &SubmitTokenRequest<'_>) -> (Digest, Digest) {
    let key = &app.policies.key;
    (key.client_secret(submitted.client_secret), key.validation_token(submitted.token))
}
