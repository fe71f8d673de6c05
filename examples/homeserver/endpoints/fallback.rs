//! `GET` and `POST auth/{authType}/fallback/web`, and the login fallback.
//!
//! What a page's form says goes through the crate's own transition, as an auth dict does: in one transaction,
//! with the account as it is then. The confirmation page of `m.login.sso`, of `m.oauth` and of a custom stage
//! stands for the provider that a real server would send its user to.

use crate::app::{App, SharedApp};
use crate::db::users::{self, User};
use crate::db::{UserKey, registration_tokens};
use crate::failure::Failure;
use crate::http::{Named, page, same_origin};
use crate::sessions::Stored;
use crate::verify::verify;
use crate::who::{self, Peer};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::account::Action;
use matrix_uia::error::ErrorCode;
use matrix_uia::fallback::{Form, Languages, LoginPage, Page, StagePage};
use matrix_uia::operation::Subject;
use matrix_uia::session::{NotCompleted, Outside, Proof, Visit, Visited, Write};
use matrix_uia::wire::AuthType;
use matrix_uia::{Reject, SessionId, Text};
use rusqlite::Transaction;

/// <https://spec.matrix.org/v1.19/client-server-api/#fallback>
pub(super) async fn get(State(app): State<SharedApp>, peer: Peer, Named(auth_type): Named) -> Response {
    let session = match session_of(peer.query("session")) {
        Ok(session) => session,
        Err(reject) => return Failure::from(reject).into_response(),
    };
    show(&app, &peer, &auth_type, &session).unwrap_or_else(refused)
}

/// The page's own form.
pub(super) async fn post(
    State(app): State<SharedApp>,
    peer: Peer,
    Named(auth_type): Named,
    body: Bytes,
) -> Response {
    let mut buffer = vec![0; body.len()];
    let form = match Form::parse(&body, &mut buffer) {
        Ok(form) => form,
        Err(error) => return page(Page::Refused(error.into())),
    };
    let given = form.get("session").map(|text| text.to_cow().into_owned());
    let session = match session_of(given.or_else(|| peer.query("session"))) {
        Ok(session) => session,
        Err(reject) => return Failure::from(reject).into_response(),
    };
    submit(&app, &peer, &auth_type, &session, &form).await.unwrap_or_else(refused)
}

/// <https://spec.matrix.org/v1.19/client-server-api/#login-fallback>
pub(super) async fn login(State(app): State<SharedApp>, peer: Peer) -> Response {
    if let Err(failure) = super::legacy(&app) {
        return failure.into_response();
    }
    let query = peer.query.as_deref().unwrap_or_default().as_bytes();
    let mut buffer = vec![0; query.len()];
    match Form::parse(query, &mut buffer) {
        Ok(query) => page(Page::Login(LoginPage::forwarding(&query))),
        Err(error) => page(Page::Refused(error.into())),
    }
}

fn session_of(given: Option<String>) -> Result<String, Reject> {
    let missing = Reject::new(ErrorCode::MissingParam, "The session is missing.");
    given.filter(|session| !session.is_empty()).ok_or(missing)
}

fn refused(failure: Failure) -> Response {
    match failure {
        Failure::Reject(reject) => page(Page::Refused(reject)),
        other => other.into_response(),
    }
}

/// A session that somebody is at, and its account as it is now.
struct Found<'a> {
    stored: Stored,
    outside: Outside<'a>,
    account: Option<Subject>,
    /// Whom the page is for.
    user: Option<User>,
}

impl<'a> Found<'a> {
    /// The session, unless its account may not go on (rule A1).
    fn load(tx: &Transaction<'_>, app: &'a App, id: &SessionId) -> Result<Option<Self>, Failure> {
        let Some(stored) = app.sessions.load(tx, id)? else { return Ok(None) };
        let Some(outside) = app.policies.outside(&stored.session) else { return Ok(None) };
        let user = match stored.session.user() {
            Some(user) => users::by_key(tx, UserKey::from(user))?,
            None => None,
        };
        match user.as_ref().map_or(Ok(()), |user| who::status(user).gate(Action::WhoAmI)) {
            Ok(()) => {}
            Err(reject) if reject.code() == ErrorCode::UserLocked => return Err(reject.into()),
            // Its sessions went with it.
            Err(_) => return Ok(None),
        }
        let account = stored.session.subject().zip(user.as_ref()).map(|(_, user)| who::subject(user));
        Ok(Some(Self { stored, outside, account, user }))
    }

    fn user_id(&self, app: &App) -> Option<String> {
        self.user.as_ref().map(|user| app.user_id(&user.localpart))
    }
}

fn id_of(session: &str) -> Result<SessionId, Reject> {
    SessionId::parse(Text::new(session)).ok_or(NotCompleted::Unknown.reject())
}

fn show(app: &App, peer: &Peer, auth_type: &str, session: &str) -> Result<Response, Failure> {
    let id = id_of(session)?;
    let found = app.db.transaction(|tx| Found::load(tx, app, &id))?;
    let found = found.ok_or(NotCompleted::Unknown.reject())?;
    let visit = Visit::new(id, AuthType::from(auth_type), found.account);
    match found.outside.look(visit, Some(found.stored.session.clone()), peer.arrived) {
        Ok(()) => Ok(stage_page(app, peer, &found, visit, None)),
        Err(reason) => Ok(not_passed(app, peer, &found, visit, reason)),
    }
}

async fn submit(
    app: &App,
    peer: &Peer,
    auth_type: &str,
    session: &str,
    form: &Form<'_>,
) -> Result<Response, Failure> {
    same_origin(&peer.headers)?;
    let id = id_of(session)?;
    let auth_type = AuthType::from(auth_type);
    if matches!(auth_type, AuthType::Sso | AuthType::OAuth | AuthType::Custom(_)) {
        return app.db.transaction(|tx| approve(tx, app, peer, id, auth_type));
    }
    // Found first: who the session's user is, the form need not say.
    let found = app.db.transaction(|tx| Found::load(tx, app, &id))?;
    let found = found.ok_or(NotCompleted::Unknown.reject())?;
    let user = found.user_id(app);
    let shown = form.get("terms").and_then(matrix_uia::flows::TermsVersion::parse);
    let visit = Visit::new(id, auth_type, found.account).shown(shown);
    let data = form.auth_data(auth_type, user.as_deref());
    let first = app.db.transaction(|tx| {
        let Some(found) = Found::load(tx, app, &id)? else { return Ok(Err(gone())) };
        let visit = Visit::new(id, auth_type, found.account).shown(shown);
        match found.outside.attempt(visit, data, Some(found.stored.session.clone()), peer.arrived) {
            Visited::Verify(inquiry) => Ok(Ok(inquiry)),
            visited => settle(tx, app, peer, found, visit, visited).map(Err),
        }
    })?;
    let inquiry = match first {
        Ok(inquiry) => inquiry,
        Err(answer) => return Ok(answer),
    };
    let verdict = verify(app, peer, inquiry.question()).await?;
    let answered = inquiry.resolve(verdict);
    app.db.transaction(|tx| {
        let Some(found) = Found::load(tx, app, &id)? else {
            registration_tokens::give_back(tx, id.as_bytes())?;
            return Ok(gone());
        };
        let visited = answered.apply(found.account, Some(found.stored.session.clone()), peer.arrived);
        settle(tx, app, peer, found, visit, visited)
    })
}

/// The provider says that it is they. There is none here: the page's button is what stands for it.
fn approve(
    tx: &Transaction<'_>,
    app: &App,
    peer: &Peer,
    id: SessionId,
    auth_type: AuthType<'_>,
) -> Result<Response, Failure> {
    let Some(found) = Found::load(tx, app, &id)? else { return Ok(gone()) };
    let visit = Visit::new(id, auth_type, found.account);
    let proof = match (auth_type, found.stored.session.user()) {
        (AuthType::Sso | AuthType::OAuth, Some(user)) => Proof::User(user),
        _ => Proof::Nothing,
    };
    match found.outside.complete(visit, proof, Some(found.stored.session.clone()), peer.arrived) {
        Ok(completed) => store(tx, app, peer, found, completed.write()).map(|()| page(Page::Done)),
        Err(reason) => Ok(not_passed(app, peer, &found, visit, reason)),
    }
}

fn settle(
    tx: &Transaction<'_>,
    app: &App,
    peer: &Peer,
    found: Found<'_>,
    visit: Visit<'_>,
    visited: Visited<'_>,
) -> Result<Response, Failure> {
    match visited {
        Visited::Passed(completed) => {
            store(tx, app, peer, found, completed.write())?;
            Ok(page(Page::Done))
        }
        Visited::Not(not) => {
            if let Some(Proof::Token(_)) = not.unused_proof() {
                registration_tokens::give_back(tx, visit.session_id().as_bytes())?;
            }
            let answer = not_passed(app, peer, &found, visit, not.reason());
            store(tx, app, peer, found, not.write())?;
            Ok(answer)
        }
        _ => Err(Reject::unavailable().into()),
    }
}

fn store(
    tx: &Transaction<'_>,
    app: &App,
    peer: &Peer,
    found: Found<'_>,
    write: Write<'_>,
) -> Result<(), Failure> {
    let stored = app.sessions.write(tx, write, found.stored.kept, peer.arrived)?;
    if stored { Ok(()) } else { Err(Reject::unavailable().into()) }
}

/// The page again, where another attempt makes sense, or the one that says why none does.
fn not_passed(app: &App, peer: &Peer, found: &Found<'_>, visit: Visit<'_>, reason: NotCompleted) -> Response {
    match reason {
        // The button was pressed twice, or the page opened again.
        NotCompleted::Already => page(Page::Done),
        NotCompleted::Unknown | NotCompleted::OutOfOrder | NotCompleted::Closed(_) => {
            page(Page::Refused(reason.reject()))
        }
        _ => stage_page(app, peer, found, visit, Some(reason)),
    }
}

fn stage_page(
    app: &App,
    peer: &Peer,
    found: &Found<'_>,
    visit: Visit<'_>,
    reason: Option<NotCompleted>,
) -> Response {
    let user = found.user_id(app);
    let languages = peer.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let languages = Languages::parse(languages.unwrap_or_default());
    let stage = StagePage::new(&found.outside, visit).of_user(user.as_deref()).in_languages(languages);
    page(Page::Stage(match reason {
        Some(reason) => stage.because(reason),
        None => stage,
    }))
}

fn gone() -> Response {
    page(Page::Refused(NotCompleted::Unknown.reject()))
}
