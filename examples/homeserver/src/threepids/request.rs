//! A validation is asked for, and its message sent.

use super::submit::submit_url;
use crate::app::App;
use crate::db::{Tx, threepids, validations};
use crate::failure::Failure;
use crate::outbox::{Message, Prepared, TokenMessage};
use crate::secrets::{self, Token};
use crate::who::Peer;
use matrix_uia::endpoint::threepid::{
    Delivery, Owner, Purpose, Requested, Threepid, TokenRequestContext, TokenRequestKey, Validation,
};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::reference::{Reference, UserRef};
use matrix_uia::{MatrixError, Secret};
use std::io;
use tokio::task::block_in_place;

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
