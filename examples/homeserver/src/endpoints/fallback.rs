//! `GET` and `POST auth/{authType}/fallback/web`, and the login fallback.
//!
//! What a page's form says goes through the crate's own transition, as an auth dict does: in one transaction,
//! with the account as it is then. The confirmation page of `m.login.sso`, of `m.oauth` and of a custom stage
//! stands for the provider that a real server would send its user to.

use crate::app::{App, SharedApp};
use crate::db::users::{self, User};
use crate::db::{Tx, UserKey, registration_tokens};
use crate::failure::Failure;
use crate::http::{Named, page, same_origin};
use crate::phones;
use crate::secrets::opaque_id;
use crate::sessions::Stored;
use crate::threepids::{self, Wanted};
use crate::verify::verify;
use crate::who::{self, Peer};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::threepid::{Medium, Purpose, Threepid};
use matrix_uia::pages::{Form, Languages, LoginPage, Page, StagePage};
use matrix_uia::server::account::Action;
use matrix_uia::server::flows::TermsVersion;
use matrix_uia::server::operation::Subject;
use matrix_uia::server::session::{NotCompleted, Outside, Proof, Visit, Visited, Write};
use matrix_uia::wire::AuthType;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{MatrixError, Secret, SessionId, Text};

/// <https://spec.matrix.org/v1.19/client-server-api/#fallback>
pub(super) async fn get(State(app): State<SharedApp>, peer: Peer, Named(auth_type): Named) -> Response {
    let session = match session_of(peer.query("session")) {
        Ok(session) => session,
        Err(reject) => return Failure::from(reject).into_response(),
    };
    show(&app, &peer, &auth_type, &session).await.unwrap_or_else(refused)
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

fn session_of(given: Option<String>) -> Result<String, MatrixError> {
    let missing = MatrixError::new(ErrorCode::MissingParam, "The session is missing.");
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
    fn load(tx: &Tx, app: &'a App, id: &SessionId) -> Result<Option<Self>, Failure> {
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

fn id_of(session: &str) -> Result<SessionId, MatrixError> {
    SessionId::parse(Text::new(session)).ok_or(NotCompleted::Unknown.reject())
}

async fn show(app: &App, peer: &Peer, auth_type: &str, session: &str) -> Result<Response, Failure> {
    let id = id_of(session)?;
    let found =
        app.db.transaction(|tx| Found::load(tx, app, &id)).await?.ok_or(NotCompleted::Unknown.reject())?;
    let at = At { app, peer, visit: Visit::new(id, AuthType::from(auth_type), found.account), sent: None };
    match found.outside.look(at.visit, Some(found.stored.session.clone()), peer.arrived) {
        Ok(()) => Ok(page(Page::Stage(at.stage(&found, found.user_id(app).as_deref())))),
        Err(reason) => Ok(at.not_passed(&found, reason)),
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
    // Found first: who the session's user is, the form need not say.
    let found =
        app.db.transaction(|tx| Found::load(tx, app, &id)).await?.ok_or(NotCompleted::Unknown.reject())?;
    let user = found.user_id(app);
    let shown = form.get("terms").and_then(TermsVersion::parse);
    let visit = Visit::new(id, AuthType::from(auth_type), found.account).shown(shown);
    let at = At { app, peer, visit, sent: form.get("sid").zip(form.get("client_secret").map(Secret::from)) };
    match visit.auth_type() {
        AuthType::Sso | AuthType::OAuth | AuthType::Custom(_) => {
            return app.db.transaction(|tx| at.approve(tx)).await;
        }
        AuthType::EmailIdentity | AuthType::Msisdn if at.sent.is_none() => {
            return at.send(&found, form).await;
        }
        _ => {}
    }
    let data = form.auth_data(visit.auth_type(), user.as_deref());
    let first = app
        .db
        .transaction(|tx| {
            let Some(found) = Found::load(tx, app, &id)? else { return Ok(Err(gone())) };
            match found.outside.attempt(visit, data, Some(found.stored.session.clone()), peer.arrived) {
                Visited::Verify(inquiry) => Ok(Ok(inquiry)),
                visited => at.settle(tx, found, visited).map(Err),
            }
        })
        .await?;
    let inquiry = match first {
        Ok(inquiry) => inquiry,
        Err(answer) => return Ok(answer),
    };
    let verdict = verify(app, peer, inquiry.question()).await?;
    let answered = inquiry.resolve(verdict);
    app.db
        .transaction(|tx| {
            let Some(found) = Found::load(tx, app, &id)? else {
                registration_tokens::give_back(tx, id.as_bytes())?;
                return Ok(gone());
            };
            let visited = answered.apply(found.account, Some(found.stored.session.clone()), peer.arrived);
            at.settle(tx, found, visited)
        })
        .await
}

/// Where somebody is, and with what.
struct At<'a> {
    app: &'a App,
    peer: &'a Peer,
    visit: Visit<'a>,
    /// The validation whose link they have been asked to follow.
    sent: Option<(Text<'a>, Secret<'a>)>,
}

impl At<'_> {
    /// The provider says that it is they. There is none here: the page's button is what stands for it.
    fn approve(&self, tx: &Tx) -> Result<Response, Failure> {
        let Some(found) = Found::load(tx, self.app, &self.visit.session_id())? else { return Ok(gone()) };
        let proof = match (self.visit.auth_type(), found.stored.session.user()) {
            (AuthType::Sso | AuthType::OAuth, Some(user)) => Proof::User(user),
            _ => Proof::Nothing,
        };
        let stored = Some(found.stored.session.clone());
        match found.outside.complete(self.visit, proof, stored, self.peer.arrived) {
            Ok(completed) => self.store(tx, found, completed.write()).map(|()| page(Page::Done)),
            Err(reason) => Ok(self.not_passed(&found, reason)),
        }
    }

    /// Sends a message to the address that was typed in, and shows the page that waits for its link.
    async fn send(&self, found: &Found<'_>, form: &Form<'_>) -> Result<Response, Failure> {
        let looked = found.outside.look(self.visit, Some(found.stored.session.clone()), self.peer.arrived);
        if let Err(reason) = looked {
            return Ok(self.not_passed(found, reason));
        }
        // The page keeps the secret, as a client would.
        let client_secret = opaque_id();
        let wanted = address(self.visit.auth_type(), form).map(|threepid| Wanted {
            purpose: Purpose::of_stage(found.outside.operation()),
            requester: None,
            threepid,
            client_secret: Secret::new(&client_secret),
            send_attempt: 1,
            next_link: None,
            id_server: None,
        });
        let sent = match wanted {
            Ok(wanted) => threepids::request(self.app, self.peer, wanted).await,
            Err(reject) => Err(reject.into()),
        };
        let user = found.user_id(self.app);
        let stage = self.stage(found, user.as_deref());
        match sent {
            Ok(sid) => Ok(page(Page::Stage(stage.sent(Text::new(&sid), Secret::new(&client_secret))))),
            Err(Failure::Reject(reject)) => Ok(page(Page::Stage(stage.not_sent(reject)))),
            Err(failure) => Err(failure),
        }
    }

    fn settle(&self, tx: &Tx, found: Found<'_>, visited: Visited<'_>) -> Result<Response, Failure> {
        match visited {
            Visited::Passed(completed) => {
                self.store(tx, found, completed.write())?;
                Ok(page(Page::Done))
            }
            Visited::Not(not) => {
                if let Some(Proof::Token(_)) = not.unused_proof() {
                    registration_tokens::give_back(tx, self.visit.session_id().as_bytes())?;
                }
                let answer = self.not_passed(&found, not.reason());
                self.store(tx, found, not.write())?;
                Ok(answer)
            }
            _ => Err(MatrixError::unavailable().into()),
        }
    }

    fn store(&self, tx: &Tx, found: Found<'_>, write: Write<'_>) -> Result<(), Failure> {
        let stored = self.app.sessions.write(tx, write, found.stored.kept, self.peer.arrived)?;
        if stored { Ok(()) } else { Err(MatrixError::unavailable().into()) }
    }

    /// The page again, where another attempt makes sense, or the one that says why none does.
    fn not_passed(&self, found: &Found<'_>, reason: NotCompleted) -> Response {
        let user = found.user_id(self.app);
        let stage = self.stage(found, user.as_deref());
        match reason {
            // The button was pressed twice, or the page opened again.
            NotCompleted::Already => page(Page::Done),
            NotCompleted::Unknown | NotCompleted::OutOfOrder | NotCompleted::Closed(_) => {
                page(Page::Refused(reason.reject()))
            }
            NotCompleted::Pending => page(Page::Stage(match self.sent {
                Some((sid, client_secret)) => stage.sent(sid, client_secret).because(reason),
                None => stage.because(reason),
            })),
            _ => page(Page::Stage(stage.because(reason))),
        }
    }

    fn stage<'p>(&'p self, found: &Found<'p>, user: Option<&'p str>) -> StagePage<'p> {
        let languages = self.peer.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let languages = Languages::parse(languages.unwrap_or_default());
        StagePage::new(&found.outside, self.visit).of_user(user).in_languages(languages)
    }
}

fn address(auth_type: AuthType<'_>, form: &Form<'_>) -> Result<Threepid, MatrixError> {
    let field = |name| form.get(name).unwrap_or(Text::new("")).to_cow();
    match auth_type {
        AuthType::Msisdn => phones::threepid(&field("country").to_uppercase(), &field("phone_number")),
        _ => Threepid::parse(Medium::Email, Text::new(field("email").trim())),
    }
}

fn gone() -> Response {
    page(Page::Refused(NotCompleted::Unknown.reject()))
}
