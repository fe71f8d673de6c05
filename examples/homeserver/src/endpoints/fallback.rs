//! `GET` and `POST auth/{authType}/fallback/web`, and the login fallback.
//!
//! What a page's form says goes through the crate's own transition, as an auth dict does: in one transaction,
//! with the account as it is then. The confirmation page of `m.login.sso`, of `m.oauth` and of a custom stage
//! stands for the provider that a real server would send its user to.

use crate::addresses;
use crate::app::{App, SharedApp};
use crate::failure::Failure;
use crate::http::{Named, RawBody, page, same_origin};
use crate::phones;
use crate::secrets::opaque_id;
use crate::threepids::{self, Wanted};
use crate::visits::{self, Seen};
use crate::who::Peer;
use axum::extract::State;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::endpoint::threepid::{Medium, Purpose, Threepid};
use matrix_uia::pages::{Form, Languages, LoginPage, Page, StagePage};
use matrix_uia::server::flows::TermsVersion;
use matrix_uia::server::page::{Approval, PageRequest};
use matrix_uia::server::page_outcome::{PageOutcome, PageRefusal};
use matrix_uia::server::sealed::SessionName;
use matrix_uia::wire::AuthType;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{MatrixError, Secret, Text};

/// <https://spec.matrix.org/v1.19/client-server-api/#fallback>
pub(super) async fn get(State(app): State<SharedApp>, peer: Peer, Named(auth_type): Named) -> Response {
    let session = match peer.query("session").and_then(session_of) {
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
    RawBody(body): RawBody,
) -> Response {
    let mut buffer = vec![0; body.len()];
    let form = match Form::parse(&body, &mut buffer) {
        Ok(form) => form,
        Err(error) => return page(Page::Refused(error.into())),
    };
    let given = form.get("session").map(|text| text.to_cow().into_owned());
    let given = given.map_or_else(|| peer.query("session"), |given| Ok(Some(given)));
    let session = match given.and_then(session_of) {
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

fn named<'s>(app: &App, session: &'s str) -> Result<SessionName<'s>, MatrixError> {
    app.sessions.kind().session_name(Text::new(session)).ok_or(PageRefusal::Unknown.error())
}

async fn show(app: &App, peer: &Peer, auth_type: &str, session: &str) -> Result<Response, Failure> {
    let look = PageRequest::look(named(app, session)?, AuthType::from(auth_type));
    At { app, peer, sent: None }.visit(look).await
}

async fn submit(
    app: &App,
    peer: &Peer,
    auth_type: &str,
    session: &str,
    form: &Form<'_>,
) -> Result<Response, Failure> {
    same_origin(&peer.headers)?;
    let (session, auth_type) = (named(app, session)?, AuthType::from(auth_type));
    let at = At { app, peer, sent: form.get("sid").zip(form.get("client_secret").map(Secret::from)) };
    match auth_type {
        // The provider says that it is they. There is none here: the page's button is what stands for it.
        AuthType::Sso | AuthType::OAuth => {
            at.visit(PageRequest::assume_approved(session, auth_type, Approval::SessionUser)).await
        }
        AuthType::Custom(_) => {
            at.visit(PageRequest::assume_approved(session, auth_type, Approval::Anybody)).await
        }
        AuthType::EmailIdentity | AuthType::Msisdn if at.sent.is_none() => {
            at.send(PageRequest::look(session, auth_type), form).await
        }
        _ => {
            // Who the session's user is, the form need not say.
            let (_, seen) = visits::visit(app, peer, PageRequest::look(session, auth_type)).await?;
            let user_id = seen.as_ref().and_then(|seen| seen.user_id.as_deref());
            let shown = form.get("terms").and_then(TermsVersion::parse);
            at.visit(PageRequest::form(session, auth_type, form.auth_data(auth_type, user_id), shown)).await
        }
    }
}

/// Where somebody is, and with what.
struct At<'a> {
    app: &'a App,
    peer: &'a Peer,
    /// The validation whose link they have been asked to follow.
    sent: Option<(Text<'a>, Secret<'a>)>,
}

impl At<'_> {
    /// The page that says how a visit went: the stage's again, where another attempt makes sense.
    async fn visit(&self, visit: PageRequest<'_>) -> Result<Response, Failure> {
        let (outcome, seen) = visits::visit(self.app, self.peer, visit).await?;
        Ok(self.answer(visit, outcome, seen.as_ref()))
    }

    fn answer(&self, visit: PageRequest<'_>, outcome: PageOutcome, seen: Option<&Seen<'_>>) -> Response {
        let reason = match outcome {
            // The button was pressed twice, or the page opened again.
            PageOutcome::Passed | PageOutcome::Refused(PageRefusal::Already) => return page(Page::Done),
            PageOutcome::Open => None,
            PageOutcome::Refused(reason) => Some(reason),
        };
        let refused = |reason: PageRefusal| page(Page::Refused(reason.error()));
        let Some(seen) = seen else { return refused(reason.unwrap_or(PageRefusal::Unknown)) };
        let stage = self.stage(visit, seen);
        page(Page::Stage(match (reason, self.sent) {
            (None, _) => stage,
            (
                Some(
                    reason @ (PageRefusal::Unknown
                    | PageRefusal::Account(_)
                    | PageRefusal::OutOfOrder
                    | PageRefusal::Closed(_)),
                ),
                _,
            ) => return refused(reason),
            (Some(PageRefusal::Pending), Some((sid, client_secret))) => {
                stage.sent(sid, client_secret).because(PageRefusal::Pending)
            }
            (Some(reason), _) => stage.because(reason),
        }))
    }

    /// Sends a message to the address that was typed in, and shows the page that waits for its link.
    async fn send(&self, look: PageRequest<'_>, form: &Form<'_>) -> Result<Response, Failure> {
        let (outcome, seen) = visits::visit(self.app, self.peer, look).await?;
        let (PageOutcome::Open, Some(seen)) = (outcome, &seen) else {
            return Ok(self.answer(look, outcome, seen.as_ref()));
        };
        // The page keeps the secret, as a client would.
        let client_secret = opaque_id();
        let wanted = address(look.auth_type(), form).map(|threepid| Wanted {
            purpose: Purpose::of_stage(seen.policy.operation()),
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
        let stage = self.stage(look, seen);
        match sent {
            Ok(sid) => Ok(page(Page::Stage(stage.sent(Text::new(&sid), Secret::new(&client_secret))))),
            Err(Failure::Reject(reject)) => Ok(page(Page::Stage(stage.not_sent(reject)))),
            Err(failure) => Err(failure),
        }
    }

    fn stage<'p>(&'p self, visit: PageRequest<'p>, seen: &'p Seen<'p>) -> StagePage<'p> {
        let languages = self.peer.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let languages = Languages::parse(languages.unwrap_or_default());
        StagePage::new(&seen.policy, visit).of_user(seen.user_id.as_deref()).in_languages(languages)
    }
}

fn address(auth_type: AuthType<'_>, form: &Form<'_>) -> Result<Threepid, MatrixError> {
    let field = |name| form.get(name).unwrap_or(Text::new("")).to_cow();
    match auth_type {
        AuthType::Msisdn => phones::threepid(&field("country").to_uppercase(), &field("phone_number")),
        _ => addresses::threepid(Medium::Email, Text::new(&field("email"))),
    }
}
