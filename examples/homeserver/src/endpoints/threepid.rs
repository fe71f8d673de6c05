//! The addresses of an account: listing, adding and removing them.
//! <https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information>

use crate::addresses;
use crate::app::{App, SharedApp};
use crate::db::{Tx, UserKey, threepids as table, validations};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::identity_servers::{self, Patience};
use crate::threepids;
use crate::uia::{self, empty};
use crate::who::{self, Peer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::Timestamp;
use matrix_uia::endpoint::threepid::{
    AddThreepidRequest, Addition, DeleteThreepidRequest, DeleteThreepidResponse, ListedThreepid,
    ThreepidsResponse,
};
use matrix_uia::server::account::Action;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::reference::UserRef;

/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid>
pub(super) async fn list(State(app): State<SharedApp>, peer: Peer) -> Result<Response, Failure> {
    let who = who::required(&app, &peer, Action::ListThreepids).await?;
    let list = app.db.transaction(|tx| table::list(tx, who.user.key)).await?;
    let at = Timestamp::from_millis;
    let list: Vec<_> = list
        .into_iter()
        .map(|owned| ListedThreepid::new(owned.threepid, at(owned.validated_at), at(owned.added_at)))
        .collect();
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = ThreepidsResponse::new(&list).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd>
pub(super) async fn add(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    try_add(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn try_add(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::AddThreepid).await?;
    let request = AddThreepidRequest::parse(body)?.check(app.config.capabilities.threepid_changes)?;
    let flows = app.policies.add_threepid.required(&who.user)?;
    let mut run = uia::begin(app, peer, Some(&who), flows, &request);
    while let Some(granted) = run.granted().await? {
        let (addition, call) = granted.into_parts();
        let done = bind(app, run.host.tx().await?, addition);
        uia::ended(&mut run, call, done).await?;
    }
    Ok(empty())
}

fn bind(app: &App, tx: &Tx, addition: Addition) -> Result<Outcome, Failure> {
    let found = validations::by_sid(tx, addition.sid())?;
    let (reference, found) = found.map(|found| (found.reference, found.validation)).unzip();
    let found = found.flatten();
    let owner = match &found {
        Some(validation) => table::owner(tx, validation.threepid())?.map(UserRef::from),
        None => None,
    };
    let binding = addition.bind(found, owner, &app.policies.validations, app.clock.now())?;
    if let Some(reference) = reference {
        validations::remove(tx, reference)?;
    }
    let validated_at = binding.validated_at().as_millis();
    threepids::add(tx, app, UserKey::from(binding.user()), binding.threepid().clone(), validated_at)?;
    Ok(Outcome::NOTHING)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete>
pub(super) async fn delete(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    try_delete(&app, &peer, &body.0).await.unwrap_or_else(Failure::into_response)
}

async fn try_delete(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    let who = who::required(app, peer, Action::RemoveThreepid).await?;
    let request = DeleteThreepidRequest::parse_international(
        body,
        app.config.capabilities.threepid_changes,
        addresses::a_labels,
    )?;
    let theirs = app.db.transaction(|tx| table::list(tx, who.user.key)).await?;
    let theirs = theirs.into_iter().find(|owned| owned.threepid == request.threepid);
    // Nobody else's address is unbound for them.
    let unbound = match &theirs {
        Some(owned) => match request.unbind_at(owned.id_server.as_deref()) {
            Some(server) => identity_servers::unbind(app, &server.to_cow(), Patience::begin()).await,
            None => false,
        },
        None => false,
    };
    app.db.transaction(|tx| table::remove(tx, who.user.key, &request.threepid)).await?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = DeleteThreepidResponse::new(unbound).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}
