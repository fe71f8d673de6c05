//! `submit_url`: where the token of a message comes back, from the page that its link opens or from a client.
//!
//! A link is opened by mail scanners too (lesson 26): opening it shows a page, and changes nothing.

use crate::app::{App, SharedApp};
use crate::failure::Failure;
use crate::http::{JsonBody, answer};
use crate::submit_page;
use crate::threepids;
use crate::who::Peer;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use matrix_uia::threepid::SubmitToken;
use matrix_uia::{Reject, Secret, Text};
use std::borrow::Cow;

/// The three values of a link or a form.
#[derive(Default)]
struct Three<'f> {
    sid: Option<Cow<'f, str>>,
    client_secret: Option<Cow<'f, str>>,
    token: Option<Cow<'f, str>>,
}

impl<'f> Three<'f> {
    fn read(encoded: &'f [u8]) -> Self {
        let mut three = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            let slot = match name.as_ref() {
                "sid" => &mut three.sid,
                "client_secret" => &mut three.client_secret,
                "token" => &mut three.token,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        three
    }

    fn checked(&self) -> Result<SubmitToken<'_>, Reject> {
        SubmitToken::new(
            self.sid.as_deref().map(Text::new),
            self.client_secret.as_deref().map(Secret::new),
            self.token.as_deref().map(Secret::new),
        )
    }
}

/// `GET`: a page with a button.
pub(super) async fn page(State(app): State<SharedApp>, peer: Peer) -> Response {
    let query = peer.query.as_deref().unwrap_or_default();
    let three = Three::read(query.as_bytes());
    let shown = three.checked().map_err(Failure::from).and_then(|submitted| {
        let found = threepids::look(&app, &peer, &submitted)?;
        Ok(found
            .map(|(validation, next_link)| submit_page::button(&submitted, &validation, next_link.is_some())))
    });
    match shown {
        Ok(Some(page)) => page,
        Ok(None) => submit_page::failed(StatusCode::BAD_REQUEST),
        Err(failure) => submit_page::failed(failure.into_response().status()),
    }
}

/// `POST`: the token itself, as that page's form or as JSON.
pub(super) async fn post(State(app): State<SharedApp>, peer: Peer, body: JsonBody) -> Response {
    if is_form(&peer.headers) { form(&app, &peer, &body.0) } else { json(&app, &peer, &body.0) }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn json(app: &App, peer: &Peer, body: &[u8]) -> Response {
    let done = SubmitToken::parse(body).map_err(Failure::from);
    let done = done.and_then(|submitted| threepids::submit(app, peer, &submitted));
    match done {
        // A client's user is where they were: only a browser is sent on.
        Ok(_) => answer::json(StatusCode::OK, SubmitToken::SUCCESS),
        Err(failure) => failure.into_response(),
    }
}

fn form(app: &App, peer: &Peer, body: &[u8]) -> Response {
    let three = Three::read(body);
    let done = three.checked().map_err(Failure::from);
    let done = done.and_then(|submitted| threepids::submit(app, peer, &submitted));
    match done.map(|next_link| next_link.as_deref().map(HeaderValue::from_str)) {
        Ok(Some(Ok(location))) => {
            let headers = [
                (LOCATION, location),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (StatusCode::FOUND, HeaderMap::from_iter(headers)).into_response()
        }
        Ok(_) => submit_page::done(),
        Err(failure) => submit_page::failed(failure.into_response().status()),
    }
}
