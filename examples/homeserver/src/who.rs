//! Who makes a request, by its access token, and whether their account may make it.

use crate::app::{App, SharedApp};
use crate::config::Appservice;
use crate::db::users::{self, Phase, User};
use crate::db::{devices, tokens};
use crate::failure::Failure;
use crate::guard;
use crate::http::{Arrival, bearer_token, client_address, query};
use crate::network;
use crate::secrets::SecretHash;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use matrix_uia::endpoint::appservice::{self, ServiceToken};
use matrix_uia::endpoint::refresh::check_access;
use matrix_uia::server::account::{Account, AccountStatus, Action, Lifecycle};
use matrix_uia::server::drive::{Admit, Answer};
use matrix_uia::server::grant::{Exempt, Refusal};
use matrix_uia::server::operation::Operation;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{MatrixError, Millis, Timestamp};
use std::borrow::Cow;
use std::mem;
use std::net::IpAddr;

/// What every handler wants to know of a request before it reads the body.
#[derive(Debug)]
pub struct Peer {
    pub headers: HeaderMap,
    pub query: Option<String>,
    pub address: IpAddr,
    /// When the request came in. What happened after that, it can't be a repetition of.
    pub arrived: Timestamp,
}

impl FromRequestParts<SharedApp> for Peer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Response> {
        let &Arrival { from, at, .. } = Arrival::of(&parts.extensions)?;
        let address = client_address(from, &parts.headers, &app.config.trusted_proxies);
        Ok(Self {
            // Nothing else asks for them: bodies and paths are read without.
            headers: mem::take(&mut parts.headers),
            query: parts.uri.query().map(str::to_owned),
            address,
            arrived: at,
        })
    }
}

impl Peer {
    /// What its address counts as where something is limited.
    pub fn counted(&self) -> IpAddr {
        network::counted(self.address)
    }

    /// The request's access token: in its header or, unless the config refuses that, in its query. Both are
    /// the spec's (rule L6). A query is logged nowhere.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if there are two that differ, or the query's can't be read. 401 `M_MISSING_TOKEN` if there
    /// is a place for one with nothing in it, or only one that is refused. Such a client means to say who it is, so it is
    /// not served as one that doesn't; but a client that is told its token is unknown throws its data away.
    fn token(&self, app: &App) -> Result<Option<Cow<'_, [u8]>>, MatrixError> {
        let header = bearer_token(&self.headers).map(Cow::Borrowed);
        let query = self.query("access_token").or_else(|error| {
            // One that is refused makes no difference to one in the header.
            if app.config.query_tokens { Err(error) } else { Ok(Some(String::new())) }
        })?;
        let is_there = header.is_some() || query.is_some();
        let query = query.filter(|_| app.config.query_tokens);
        let query = query.map(|query| Cow::Owned(query.trim().as_bytes().to_vec()));
        let filled = |token: &Cow<'_, [u8]>| !token.is_empty();
        match (header.filter(filled), query.filter(filled)) {
            (Some(header), Some(query)) if header != query => Err(MatrixError::new(
                ErrorCode::InvalidParam,
                "The header has one access token, the query another.",
            )),
            (None, None) if is_there => Err(MatrixError::missing_token()),
            (header, query) => Ok(header.or(query)),
        }
    }

    /// The value of a query parameter, decoded; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if it can't be read.
    pub fn query(&self, name: &str) -> Result<Option<String>, MatrixError> {
        self.query.as_deref().map_or(Ok(None), |query| query::parameter(query, name))
    }
}

/// The user who makes a request.
#[derive(Debug)]
pub struct Who {
    pub user: User,
    /// The device of the token, or the one that an application service says it acts as.
    pub device_id: Option<String>,
    /// The token, to be marked when it completes authentication.
    pub token: Option<SecretHash>,
    /// When it last did, and the account's epoch then.
    pub uia: Option<(Timestamp, u32)>,
}

impl Who {
    /// Whether an application service acts for one of its own users.
    pub const fn is_appservice(&self) -> bool {
        self.token.is_none()
    }

    /// Lets a call in; as one that needs no authentication if an application service makes it, or a token that
    /// has authenticated just now. Who needs it and couldn't is refused, rather than asked for ever.
    pub fn admit<Op: Operation>(&self, admit: Admit<Op>, passable: bool) -> Answer<Op> {
        match self.uia {
            _ if self.is_appservice() => admit.assume_exempt(Exempt::ApplicationService),
            _ if !passable => admit.refused(Refusal::new(guard::no_way())),
            Some((at, epoch)) => admit.assume_recent(Subject::new(user_ref(&self.user), epoch), at),
            None => admit.admitted(),
        }
    }
}

/// The user of the request's token, if it has one and their account may do this. A guest may not.
///
/// # Errors
///
/// 401 `M_UNKNOWN_TOKEN` if the token is nobody's (any more), what the account's status says, and 403
/// `M_GUEST_ACCESS_FORBIDDEN` to a guest.
pub async fn maybe(app: &App, peer: &Peer, action: Action) -> Result<Option<Who>, Failure> {
    let who = maybe_guest(app, peer, action).await?;
    if who.as_ref().is_some_and(|who| who.user.guest) {
        return Err(not_for_guests().into());
    }
    Ok(who)
}

/// Refuses a guest where everybody else may ask, with a token or without: no other token is even looked at.
///
/// # Errors
///
/// 403 `M_GUEST_ACCESS_FORBIDDEN` to a guest, and those of the database.
pub async fn refuse_guest(app: &App, peer: &Peer) -> Result<(), Failure> {
    match maybe_guest(app, peer, Action::WhoAmI).await {
        Ok(Some(who)) if who.user.guest => Err(not_for_guests().into()),
        Err(Failure::Db(error)) => Err(Failure::Db(error)),
        // Whoever it is, or isn't any more.
        Ok(_) | Err(_) => Ok(()),
    }
}

const fn not_for_guests() -> MatrixError {
    MatrixError::new(ErrorCode::GuestAccessForbidden, "This is not for guests.")
}

/// As [`maybe`], where there has to be a token.
///
/// # Errors
///
/// Also 401 `M_MISSING_TOKEN`.
pub async fn required(app: &App, peer: &Peer, action: Action) -> Result<Who, Failure> {
    maybe(app, peer, action).await?.ok_or(Failure::Reject(MatrixError::missing_token()))
}

/// As [`required`], for what is open to guests, too (rule R9).
///
/// # Errors
///
/// As of [`required`], but for what is said to guests.
pub async fn required_guest_too(app: &App, peer: &Peer, action: Action) -> Result<Who, Failure> {
    maybe_guest(app, peer, action).await?.ok_or(Failure::Reject(MatrixError::missing_token()))
}

async fn maybe_guest(app: &App, peer: &Peer, action: Action) -> Result<Option<Who>, Failure> {
    let Some(token) = peer.token(app)? else { return Ok(None) };
    let who = match appservice_of(app, &token) {
        Some(service) => of_appservice(app, peer, service, action).await?,
        None => of_device(app, peer, SecretHash::of(&token), action).await?,
    };
    status(&who.user).gate(action)?;
    Ok(Some(who))
}

/// Whether the request's token is an application service's.
pub fn is_appservice(app: &App, peer: &Peer) -> bool {
    peer.token(app).is_ok_and(|token| token.is_some_and(|token| appservice_of(app, &token).is_some()))
}

/// What the request's token is where an application service's is asked for, which names `localpart`.
///
/// # Errors
///
/// As of a request with two tokens.
pub fn service_token(app: &App, peer: &Peer, localpart: Option<&str>) -> Result<ServiceToken, MatrixError> {
    let Some(token) = peer.token(app)? else { return Ok(ServiceToken::Missing) };
    Ok(match appservice_of(app, &token) {
        Some(service) => {
            ServiceToken::Service { in_namespace: localpart.is_some_and(|name| service.owns(name)) }
        }
        None => ServiceToken::Other,
    })
}

fn appservice_of<'a>(app: &'a App, token: &[u8]) -> Option<&'a Appservice> {
    app.config.appservices.iter().find(|service| service.as_token.matches(token))
}

async fn of_device(app: &App, peer: &Peer, token: SecretHash, action: Action) -> Result<Who, Failure> {
    let lifetime = app.config.access_token_lifetime_ms.map(Millis::new);
    let bearer = app
        .db
        .transaction(|tx| {
            let bearer = tokens::bearer(tx, &token, lifetime, app.clock.now())?;
            let good =
                |bearer: &&tokens::Bearer| check_access(Some(bearer.presented), bearer.expired).is_ok();
            if let Some(bearer) = bearer.as_ref().filter(good) {
                devices::seen_from(tx, bearer.user.key, &bearer.device_id, &peer.address.to_string())?;
            }
            Ok::<_, rusqlite::Error>(bearer)
        })
        .await?;
    let bearer = bearer.ok_or(Failure::Reject(MatrixError::unknown_token(false)))?;
    if let Err(unknown) = check_access(Some(bearer.presented), bearer.expired) {
        // A lock outlives the token, and so does being gone; a suspension is only about what a good one does.
        let lasting = if action == Action::Logout { action } else { Action::Sync };
        status(&bearer.user).gate(lasting)?;
        return Err(unknown.into());
    }
    Ok(Who {
        user: bearer.user,
        device_id: Some(bearer.device_id),
        token: Some(token),
        uia: bearer.uia.map(|(at, epoch)| (Timestamp::from_millis(at), epoch)),
    })
}

async fn of_appservice(app: &App, peer: &Peer, service: &Appservice, action: Action) -> Result<Who, Failure> {
    let forbidden = |message| MatrixError::new(ErrorCode::Forbidden, message);
    let user_id = peer.query("user_id")?;
    let localpart = match user_id.as_deref() {
        None => service.sender_localpart.as_str(),
        Some("") => return Err(MatrixError::new(ErrorCode::InvalidParam, "user_id is empty.").into()),
        Some(user_id) => user_id
            .strip_prefix('@')
            .and_then(|full| full.strip_suffix(&format!(":{}", app.config.server_name)))
            .filter(|name| service.owns(name))
            .ok_or(forbidden("The user is not this application service's."))?,
    };
    let device_id = peer.query("device_id")?;
    let found = app
        .db
        .transaction(|tx| {
            let user = users::by_localpart(tx, localpart)?;
            match (&user, &device_id) {
                (Some(user), Some(id)) if devices::get(tx, user.key, id)?.is_none() => {
                    Err(Failure::from(appservice::unknown_device()))
                }
                _ => Ok(user),
            }
        })
        .await?;
    let user = match found {
        Some(user) if user.phase != Phase::Active => {
            // The token is good: what is wrong is the user that it names.
            return Err(appservice_user_is_gone().into());
        }
        Some(user) => user,
        // The service's sender always is, registered or not (rule L7): for what needs no device, and changes nothing.
        None if matches!(action, Action::WhoAmI | Action::ListThreepids | Action::Logout)
            && localpart == service.sender_localpart
            && device_id.is_none() =>
        {
            User::unregistered(localpart)
        }
        None => return Err(forbidden("The application service has no such user.").into()),
    };
    Ok(Who { user, device_id, token: None, uia: None })
}

/// The answer where an application service acts for a user who is deactivated.
pub const fn appservice_user_is_gone() -> MatrixError {
    MatrixError::new(ErrorCode::UserDeactivated, "The user is deactivated.")
}

/// The user as the crate names one.
pub fn user_ref(user: &User) -> UserRef {
    user.key.into()
}

/// The user, and the account's epoch: how often its password was replaced, an address removed from it, or it was
/// fenced.
pub fn subject(user: &User) -> Subject {
    // Nobody changes a password 2^32 times.
    Subject::new(user_ref(user), u32::try_from(user.epoch).unwrap_or(u32::MAX))
}

/// The account as the crate asks about it.
pub fn account(user: &User) -> Account {
    Account::new(subject(user), status(user))
}

/// The account's status as the crate knows it.
pub fn status(user: &User) -> AccountStatus {
    let mut status = AccountStatus::default();
    status.life = match user.phase {
        Phase::Active => Lifecycle::Active,
        Phase::Deactivating => Lifecycle::Deactivating,
        Phase::Deactivated => Lifecycle::Deactivated,
    };
    status.locked = user.locked;
    status.suspended = user.suspended;
    status.erased = user.erased;
    status
}
