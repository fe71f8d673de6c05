//! `POST account/deactivate`: <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate>.

use crate::app::{App, SharedApp};
use crate::db::{Tx, UserKey, users};
use crate::deactivations;
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::sessions::Kept;
use crate::uia::{Done, Endpoint, Exchange, empty, succeeded_at};
use crate::who::{self, Peer, Who, user_ref};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::deactivate::{self as core, DeactivateRequest, KeptDeactivation};
use matrix_uia::server::account::Action;
use matrix_uia::server::operation::{Deactivate, Reference};
use matrix_uia::server::session::{Exempt, Replay};
use matrix_uia::{Denied, Grant, MatrixError};

pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    deactivate(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn deactivate(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    // Where the legacy API is off, that is the answer to everybody else, whatever their token.
    if !who::is_appservice(app, peer) {
        super::legacy(app)?;
    }
    let who = who::maybe(app, peer, Action::Deactivate).await?;
    let appservice = who.as_ref().is_some_and(Who::is_appservice);
    let request = DeactivateRequest::parse(body)?;
    request.check()?;
    let without_token = app.policies.deactivate_without_token.as_ref();
    let flows = match (&who, without_token) {
        (Some(_), _) => &app.policies.deactivate,
        (None, Some(flows)) => flows,
        (None, None) => return Err(MatrixError::missing_token().into()),
    };
    let mut endpoint = Deactivating { app, request, begun: None };
    let response = match &who {
        Some(who) if appservice => {
            let grant = Exempt::ApplicationService.assume_exempt(Some(user_ref(&who.user)));
            match app.db.transaction(|tx| endpoint.begin(tx, grant, &Kept::default())).await? {
                Done::Succeeded(response, _) => response,
                Done::Denied(denied) => Failure::Reject(denied.reject()).into_response(),
            }
        }
        _ => {
            let call = request.call(&app.policies.key, who.as_ref().map(Who::subject));
            let token = who.as_ref().and_then(|who| who.token);
            Exchange { app, flows, call, peer, token }.run(&mut endpoint).await
        }
    };
    let Some(user) = endpoint.begun else { return Ok(response) };
    let finished = deactivations::finish(app, user).await?.ok_or(MatrixError::unavailable())?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = finished.write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

struct Deactivating<'r> {
    app: &'r App,
    request: DeactivateRequest<'r>,
    /// Whose deactivation is to be finished before there is an answer.
    begun: Option<UserKey>,
}

impl Deactivating<'_> {
    fn begin(&mut self, tx: &Tx, grant: Grant<Deactivate>, kept: &Kept) -> Result<Done, Failure> {
        let params: Option<KeptDeactivation> = serde_json::from_value(kept.params.clone()).ok();
        let without_token = !grant.has_subject();
        let (progress, receipt) = match core::begin(grant, &self.request, params) {
            Ok(begun) => begun,
            Err(denied) => return Ok(Done::Denied(denied)),
        };
        let user = UserKey::from(progress.user());
        let action = if without_token { Action::DeactivateWithoutToken } else { Action::Deactivate };
        let account = users::by_key(tx, user)?;
        let allowed =
            account.map_or(Err(MatrixError::unknown_token(false)), |user| who::status(&user).gate(action));
        if let Err(reject) = allowed {
            return Ok(Done::Denied(Denied::new(reject, receipt)));
        }
        self.begun = Some(deactivations::begin(tx, self.app, progress, receipt.session_id())?);
        let outcome = Reference::from(user);
        Ok(Done::Succeeded(empty(), receipt.succeeded(outcome, succeeded_at())))
    }
}

impl Endpoint<Deactivate> for Deactivating<'_> {
    fn keep(&mut self) -> Result<Kept, Failure> {
        let params = serde_json::to_value(KeptDeactivation::of(&self.request)).unwrap_or_default();
        Ok(Kept { params, ..Kept::default() })
    }

    fn redeem(&mut self, tx: &Tx, grant: Grant<Deactivate>, kept: &mut Kept) -> Result<Done, Failure> {
        self.begin(tx, grant, kept)
    }

    fn replay(&mut self, _: &Tx, replay: &Replay<Deactivate>, _: &Kept) -> Result<Response, Failure> {
        self.begun = Some(UserKey::from(replay.outcome()));
        Ok(empty())
    }
}
