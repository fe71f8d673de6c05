//! `submit_url`: where the token of a message comes back, from the page that its link opens or from a client.
//!
//! A link is opened by mail scanners too (lesson 26): opening it shows a page, and changes nothing.

use crate::app::{App, SharedApp};
use crate::failure::Failure;
use crate::http::{self, JsonBody, answer, same_origin};
use crate::threepids;
use crate::who::Peer;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::threepid::{SubmitTokenRequest, SubmitTokenResponse};
use matrix_uia::pages::{Form, LinkPage, Page};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{MatrixError, Secret};

/// The three values of a link or a form.
fn three<'f>(form: &Form<'f>) -> Result<SubmitTokenRequest<'f>, MatrixError> {
    let secret = |name| form.get(name).map(Secret::from);
    SubmitTokenRequest::new(form.get("sid"), secret("client_secret"), secret("token"))
}

/// `GET`: a page with a button.
pub(super) async fn page(State(app): State<SharedApp>, peer: Peer) -> Response {
    show(&app, &peer).await.unwrap_or_else(refused)
}

async fn show(app: &App, peer: &Peer) -> Result<Response, Failure> {
    let query = peer.query.as_deref().unwrap_or_default().as_bytes();
    let mut buffer = vec![0; query.len()];
    let submitted = three(&Form::parse(query, &mut buffer).map_err(MatrixError::from)?)?;
    let (validation, next_link) = threepids::look(app, &submitted).await?.ok_or(MatrixError::new(
        ErrorCode::SessionExpired,
        "This link is too old, or not whole. Ask for another one where you asked for this.",
    ))?;
    let authorised = validation.authorises(&app.policies.addresses);
    let page = LinkPage::new(&submitted, validation.threepid().address(), authorised);
    Ok(http::page(Page::Link(page.leading_on(next_link.is_some()))))
}

fn refused(failure: Failure) -> Response {
    match failure {
        Failure::Reject(reject) => http::page(Page::Refused(reject)),
        other => other.into_response(),
    }
}

/// `POST`: the token itself, as that page's form or as JSON.
pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    // `curl -d` calls everything a form, and no form of ours begins so.
    let is_object = body.0.trim_ascii_start().starts_with(b"{");
    if is_form(&peer.headers) && !is_object {
        form(&app, &peer, &body.0).await.unwrap_or_else(refused)
    } else {
        json(&app, &body.0).await.unwrap_or_else(Failure::into_response)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

async fn json(app: &App, body: &[u8]) -> Result<Response, Failure> {
    // A client's user is where they were: only a browser is sent on.
    let _next_link = threepids::submit(app, &SubmitTokenRequest::parse(body)?).await?;
    let mut body = String::new();
    // A `String` takes whatever is written.
    let _ = SubmitTokenResponse::new(true).write(&mut body);
    Ok(answer::json(StatusCode::OK, body))
}

async fn form(app: &App, peer: &Peer, body: &[u8]) -> Result<Response, Failure> {
    same_origin(&peer.headers)?;
    let mut buffer = vec![0; body.len()];
    let submitted = three(&Form::parse(body, &mut buffer).map_err(MatrixError::from)?)?;
    let next_link = threepids::submit(app, &submitted).await?;
    Ok(match next_link.as_deref().map(HeaderValue::from_str) {
        Some(Ok(location)) => {
            let headers = [
                (LOCATION, location),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (StatusCode::FOUND, HeaderMap::from_iter(headers)).into_response()
        }
        _ => http::page(Page::Linked(None)),
    })
}
