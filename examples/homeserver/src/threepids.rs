//! Validating addresses, and what a validated one is good for: between the crate's values, the database and
//! the outbox.

use crate::app::App;
use crate::db::threepids::{self, Owned};
use crate::db::validations::{self, Stored};
use crate::db::{Tx, UserKey, users};
use crate::failure::Failure;
use crate::outbox::{Message, Prepared, TokenMessage};
use crate::secrets::{self, Token};
use crate::who::{self, Peer};
use matrix_uia::endpoint::threepid::{
    ClaimBy, Claimant, Claimed, Delivery, Medium, Owner, Purpose, Requested, SubmitTokenRequest, Submitted,
    Threepid, TokenRequestContext, TokenRequestKey, Validation,
};
use matrix_uia::server::check::{AddressBy, AddressCheck};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::{Reference, UserRef};
use matrix_uia::server::verdict::Verdict;
use matrix_uia::{MatrixError, Secret};
use std::io;
use tokio::task::block_in_place;

/// The path of every `submit_url`.
pub const SUBMIT_PATH: &str = "/_matrix/static/client/3pid/submit_token";

/// A validation that somebody wants to begin.
#[derive(Debug)]
pub struct Wanted<'w> {
    pub purpose: Purpose,
    /// The user of the request's access token, if it has one.
    pub requester: Option<UserRef>,
    pub threepid: Threepid,
    pub client_secret: Secret<'w>,
    pub send_attempt: i64,
    pub next_link: Option<&'w str>,
    pub id_server: Option<&'w str>,
}

/// Begins a validation, or takes one up: the message is sent if it is to be. Its `sid`.
///
/// The message is written before the transaction that it belongs to, as that takes its time, and published in it:
/// a validation that can't be kept has sent a token that is no good at worst, and one that is kept has been sent.
///
/// # Errors
///
/// What the crate decides, and 429 for an address or a peer that asks too often.
pub async fn request(app: &App, peer: &Peer, wanted: Wanted<'_>) -> Result<String, Failure> {
    let key = format!("3pid {} {}", wanted.threepid.medium().name(), wanted.threepid.address());
    for key in [&format!("peer {}", peer.counted()), &key] {
        app.limits.request_token.check(key)?;
    }
    let token = Token::message();
    let mut wish = Wish {
        asked: TokenRequestKey::new(
            &app.policies.key,
            wanted.purpose,
            wanted.requester,
            wanted.threepid.clone(),
            wanted.client_secret,
            wanted.send_attempt,
        ),
        token: app.policies.key.validation_token(token.lend()),
        fresh: secrets::opaque_id(),
        wanted,
    };
    let mut counted = false;
    for _ in 0..PATIENCE {
        let planned = app.db.transaction(|tx| wish.plan(tx, app)).await?;
        let Planned::Send { sid, delivery, .. } = planned else { return Ok(planned.into_sid()) };
        if !std::mem::replace(&mut counted, true) {
            // Whoever asks, and however often under other names: nobody's mailbox is filled by this server.
            app.limits.messages_per_recipient.check(&key)?;
        }
        let submit_url = submit_url(app);
        let message = wish.message(&sid, delivery, &token, &submit_url);
        let outbox = app.outbox.as_ref().ok_or(MatrixError::unavailable())?;
        let prepared = block_in_place(|| outbox.prepare(&message)).map_err(not_sent)?;
        let sent = app.db.transaction(|tx| wish.send(tx, app, (&sid, delivery), prepared)).await?;
        if sent {
            return Ok(sid);
        }
        // Somebody else has asked for the same meanwhile.
        wish.fresh = secrets::opaque_id();
    }
    Err(MatrixError::unavailable().into())
}

/// How often one request may find that another one of the same identity was faster.
const PATIENCE: u8 = 8;

fn not_sent(error: io::Error) -> Failure {
    tracing::error!(%error, "the outbox failed");
    MatrixError::unavailable().into()
}

/// A request, and what would be made for it.
struct Wish<'w> {
    wanted: Wanted<'w>,
    asked: TokenRequestKey,
    token: Digest,
    /// The `sid` of a new validation.
    fresh: String,
}

/// What comes of it, as things stand.
enum Planned {
    AlreadySent(String),
    Send { sid: String, delivery: Delivery, validation: Validation, again: Option<Reference> },
}

impl Planned {
    fn into_sid(self) -> String {
        match self {
            Self::AlreadySent(sid) | Self::Send { sid, .. } => sid,
        }
    }
}

impl Wish<'_> {
    fn plan(&self, tx: &Tx, app: &App) -> Result<Planned, Failure> {
        let delivery = circumstances(tx, app, &self.wanted)?.decide()?;
        let found = validations::by_identity(tx, self.asked.identity())?;
        let (place, found) = found.map(|found| ((found.reference, found.sid), found.validation)).unzip();
        let policies = &app.policies;
        let requested = Validation::request(
            found.flatten(),
            &self.asked,
            delivery,
            self.token,
            &policies.addresses,
            &policies.validations,
            app.clock.now(),
        );
        Ok(match (requested, place) {
            (Requested::AlreadySent, Some((_, sid))) => Planned::AlreadySent(sid),
            (Requested::Again(validation), Some((reference, sid))) => {
                // A token is kept nowhere, so that the message has a new one: the latest is the one that counts.
                let validation = validation.with_token(self.token);
                Planned::Send { sid, delivery, validation, again: Some(reference) }
            }
            (Requested::New(validation), _) => {
                Planned::Send { sid: self.fresh.clone(), delivery, validation, again: None }
            }
            // Only what was found is sent again.
            _ => return Err(MatrixError::unavailable().into()),
        })
    }

    fn message<'m>(
        &'m self,
        sid: &'m str,
        delivery: Delivery,
        token: &'m secrets::Secret,
        submit_url: &'m str,
    ) -> Message<'m> {
        let purpose = self.wanted.purpose;
        let token = match delivery {
            Delivery::Token => Some(TokenMessage { purpose, sid, token: token.lend(), submit_url }),
            Delivery::Notice => None,
        };
        Message { to: self.asked.threepid(), client_secret: self.wanted.client_secret, token }
    }

    /// Keeps the validation and sends its message. `false`: it would be another one by now.
    fn send(
        &self,
        tx: &Tx,
        app: &App,
        written: (&str, Delivery),
        prepared: Prepared<'_>,
    ) -> Result<bool, Failure> {
        let Planned::Send { sid, delivery, validation, again } = self.plan(tx, app)? else {
            return Ok(false);
        };
        if (sid.as_str(), delivery) != written {
            return Ok(false);
        }
        let (rules, next_link) = (&app.policies.validations, self.wanted.next_link);
        match again {
            Some(reference) => {
                validations::replace(tx, reference, &validation, rules)?;
                validations::set_next_link(tx, reference, next_link)?;
            }
            None => validations::insert(tx, &sid, self.asked.identity(), &validation, next_link, rules)?,
        }
        prepared.publish().map_err(not_sent)?;
        Ok(true)
    }
}

/// What the crate wants to know before anything is sent.
fn circumstances(tx: &Tx, app: &App, wanted: &Wanted<'_>) -> rusqlite::Result<TokenRequestContext> {
    let owner = match threepids::owner(tx, &wanted.threepid)?.map(UserRef::from) {
        None => Owner::Nobody,
        Some(owner) if wanted.requester == Some(owner) => Owner::Requester,
        Some(_) => Owner::Another,
    };
    let config = &app.config;
    let trusted = |server: &str| config.identity_servers.get(server).is_some_and(|server| server.trusted);
    Ok(TokenRequestContext {
        purpose: wanted.purpose,
        owner,
        allowed: !app.policies.denied_domains.iter().any(|domain| wanted.threepid.is_in_domain(domain)),
        // The message is this server's own; which other one would have been trusted is of interest to none.
        trusted: !config.strict_id_server || wanted.id_server.is_none_or(trusted),
        sendable: app.outbox.is_some(),
        hide_existence: config.hide_threepid_existence,
    })
}

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

/// A stage wants to pass by an address that was validated here. What an identity server may know of it is not
/// asked.
pub fn claim<'q>(
    tx: &Tx,
    app: &App,
    question: &Question<'q>,
    medium: Medium,
    check: AddressCheck<'q>,
) -> rusqlite::Result<Verdict<'q>> {
    let (found, by) = match check.by() {
        AddressBy::Credentials(creds) => {
            let secret = app.policies.key.client_secret(creds.client_secret);
            (validations::by_sid(tx, &creds.sid.to_cow())?, ClaimBy::Credentials { medium, secret })
        }
        AddressBy::Awaited(reference) => (validations::by_reference(tx, reference)?, ClaimBy::Awaited),
    };
    let Some(Stored { reference, validation, .. }) = found else { return Ok(check.refused()) };
    let rules = &app.policies.validations;
    let claimant = Claimant {
        operation: question.operation(),
        session: app.policies.key.claimant(question.session_id()),
        user: question.user(),
    };
    let policies = &app.policies.addresses;
    let claimed = Validation::claim(validation, by, claimant, policies, rules, app.clock.now());
    let granted = match claimed {
        Claimed::Granted(granted) => granted,
        Claimed::NotYet => return Ok(check.pending(reference)),
        Claimed::Refused => return Ok(check.refused()),
    };
    let owner = match threepids::owner(tx, granted.threepid())? {
        Some(owner) => users::by_key(tx, owner)?.as_ref().map(who::subject),
        None => None,
    };
    let verdict = check.validated(reference, owner);
    if matches!(verdict, Verdict::Passed(_)) {
        validations::replace(tx, reference, &granted, rules)?;
    }
    Ok(verdict)
}

/// The addresses that the stages of a registration proved, to be given to the new account.
///
/// # Errors
///
/// 400 `M_THREEPID_IN_USE` if somebody has one by now, 400 `M_THREEPID_AUTH_FAILED` if a validation is gone.
pub fn proved(tx: &Tx, validated: &[Reference]) -> Result<Vec<Proved>, Failure> {
    let mut proved = Vec::new();
    for reference in validated {
        let found = validations::by_reference(tx, *reference)?.and_then(|found| found.validation);
        let found = found.and_then(|found| Some((found.threepid().clone(), found.validated_at()?)));
        let (threepid, at) = found.ok_or(Threepid::not_validated())?;
        if threepids::owner(tx, &threepid)?.is_some() {
            return Err(Threepid::in_use().into());
        }
        proved.push(Proved { threepid, validated_at: at.as_millis() });
    }
    Ok(proved)
}

/// An address that was validated for an account.
#[derive(Debug)]
pub struct Proved {
    threepid: Threepid,
    validated_at: u64,
}

/// Gives an account what was proved for it. The validations are spent with the session.
pub fn give(tx: &Tx, app: &App, user: UserKey, proved: Vec<Proved>) -> rusqlite::Result<()> {
    for Proved { threepid, validated_at } in proved {
        add(tx, app, user, threepid, validated_at)?;
    }
    Ok(())
}

/// Gives an address to an account, bound at no identity server.
pub fn add(tx: &Tx, app: &App, user: UserKey, threepid: Threepid, validated_at: u64) -> rusqlite::Result<()> {
    let added_at = app.clock.now_ms();
    let owned = Owned { threepid, id_server: None, bound: false, validated_at, added_at };
    // Whose it is was asked in the same transaction.
    let _added = threepids::add(tx, user, &owned)?;
    Ok(())
}
