//! `POST account/deactivate`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate>.

use crate::app::{App, SharedApp};
use crate::db::UserKey;
use crate::deactivations;
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::uia;
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::MatrixError;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::server::account::Action;
use matrix_uia::server::drive::Step;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::reference::Reference;

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    deactivate(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn deactivate(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    // Where the legacy API is off, that is the answer to everybody else, whatever their token.
    if !who::is_appservice(app, peer) {
        super::legacy(app)?;
    }
    let who = who::maybe(app, peer, Action::Deactivate).await?;
    let request = DeactivateRequest::parse(body)?.check()?;
    let without_token = app.policies.deactivate_without_token.as_ref();
    let (flows, passable) = match &who {
        Some(who) => app.policies.deactivate.offered(&who.user),
        None => (without_token.ok_or(MatrixError::missing_token())?, true),
    };
    let (mut run, mut begun) = (uia::begin(app, peer, who.as_ref(), flows, &request), None);
    while let Some(step) = run.next().await? {
        match step {
            Step::Admit(admit) => {
                run.go_on(match &who {
                    Some(who) => who.admit(admit, passable),
                    None => admit.admitted(),
                });
            }
            Step::Perform(granted) => {
                let (plan, call) = granted.into_parts();
                let user = UserKey::from(plan.user());
                begun = Some(user);
                let done = deactivations::begin(run.host.tx().await?, user, plan);
                let done = done.map(|()| Outcome::new(Reference::from(user))).map_err(Failure::from);
                uia::ended(&mut run, call, done).await?;
            }
            Step::Repeat(repeat) => {
                begun = Some(UserKey::from(repeat.outcome()));
                run.go_on(repeat.repeated());
            }
        }
    }
    let user = begun.ok_or(MatrixError::unavailable())?;
    let finished = deactivations::finish(app, user).await?.ok_or(MatrixError::unavailable())?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = finished.write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}
