//! Driving the crate's session machine: load, receive, look up, apply, store, answer.
//!
//! Everything that changes a session happens in one transaction with what the session allows to happen: a
//! crash leaves both or neither. The database's one lock makes sure that nobody comes in between, so no
//! write can lose a race here; a host with many writers would try again where this one reports a fault.

use crate::app::App;
use crate::clock;
use crate::db::{Tx, registration_tokens, tokens, users};
use crate::failure::Failure;
use crate::http::answer;
use crate::password::PasswordHash;
use crate::secrets::{SecretHash, entropy};
use crate::sessions::{Kept, Stored};
use crate::verify::verify;
use crate::who::{self, Peer};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use matrix_uia::server::account::Action;
use matrix_uia::server::operation::{Operation, Subject};
use matrix_uia::server::session::{Challenge, Claim, Pending, Redeemed, Replay, Resolved, Write};
use matrix_uia::{
    Call, Denied, Flows, Grant, Guard, MatrixError, Secret, Session, SessionId, Step, Timestamp,
};

/// The endpoint's part of an exchange.
pub trait Endpoint<Op: Operation>: Send {
    /// The password that has to be hashed before the endpoint can go on without it.
    fn password(&self) -> Option<Secret<'_>> {
        None
    }

    /// The hash of [`password`](Self::password).
    fn hashed(&mut self, _: PasswordHash) {}

    /// What can be refused before anybody is asked to authenticate.
    fn admit(&mut self, _: &Tx) -> Result<(), Failure> {
        Ok(())
    }

    /// What the client may leave out from now on.
    fn keep(&mut self) -> Result<Kept, Failure> {
        Ok(Kept::default())
    }

    /// Authentication is complete: the call itself.
    fn redeem(&mut self, tx: &Tx, grant: Grant<Op>, kept: &mut Kept) -> Result<Done, Failure>;

    /// The call has succeeded before, and its answer was lost.
    fn replay(&mut self, _: &Tx, _: &Replay<Op>, _: &Kept) -> Result<Response, Failure> {
        Ok(empty())
    }
}

/// How a call ended.
#[derive(Debug)]
pub enum Done {
    /// It succeeded.
    Succeeded(Response, Redeemed),
    /// It was refused, for a reason other than authentication.
    Denied(Denied),
}

/// What stands behind a handler.
pub struct Exchange<'r, Op: Operation> {
    pub app: &'r App,
    pub flows: &'r Flows<'static, Op>,
    pub call: Call<'r, Op>,
    pub peer: &'r Peer,
    /// The token it was let in by, which is remembered as one that has completed authentication.
    pub token: Option<SecretHash>,
}

/// `{}` with 200.
pub fn empty() -> Response {
    answer::json(StatusCode::OK, "{}")
}

enum Next<'r, Op: Operation> {
    Answer(Response),
    Verify(Pending<'r, Op>),
}

impl<'r, Op: Operation> Exchange<'r, Op> {
    /// Takes one request through.
    pub async fn run(self, endpoint: &mut impl Endpoint<Op>) -> Response {
        self.try_run(endpoint).await.unwrap_or_else(Failure::into_response)
    }

    async fn try_run(self, endpoint: &mut impl Endpoint<Op>) -> Result<Response, Failure> {
        let fresh = SessionId::from_entropy(entropy());
        let next = self.with_hash(endpoint, |endpoint, tx| self.receive(endpoint, tx, fresh)).await?;
        let pending = match next {
            Next::Answer(response) => return Ok(response),
            Next::Verify(pending) => pending,
        };
        let verdict = verify(self.app, self.peer, pending.question()).await?;
        let resolved = pending.resolve(verdict);
        let next =
            self.with_hash(endpoint, |endpoint, tx| self.apply(endpoint, tx, &resolved, fresh)).await?;
        match next {
            Next::Answer(response) => Ok(response),
            Next::Verify(_) => Err(MatrixError::unavailable().into()),
        }
    }

    /// Runs a transaction, and once more if it needed a hash.
    async fn with_hash<E: Endpoint<Op>, T>(
        &self,
        endpoint: &mut E,
        work: impl Fn(&mut E, &Tx) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self.let_in(|tx| work(endpoint, tx)).await {
            Err(Failure::NeedsHash) => {}
            done => return done,
        }
        let password = endpoint.password().map(|password| password.expose().to_cow().into_owned());
        let hash = self.app.passwords.hash(&password.unwrap_or_default()).await;
        endpoint.hashed(hash);
        self.let_in(|tx| work(endpoint, tx)).await
    }

    /// Runs a transaction if the request's token still is one. It was when the request came in, but verifying
    /// and hashing take their time, and a password change meanwhile ends the other devices: what one of those
    /// had under way must not undo it.
    async fn let_in<T>(&self, work: impl FnOnce(&Tx) -> Result<T, Failure>) -> Result<T, Failure> {
        let gated = |tx: &Tx| {
            if let Some(token) = &self.token
                && !tokens::is_there(tx, token)?
            {
                return Err(MatrixError::unknown_token(false).into());
            }
            work(tx)
        };
        self.app.db.transaction(gated).await
    }

    fn receive<E: Endpoint<Op>>(
        &self,
        endpoint: &mut E,
        tx: &Tx,
        fresh: SessionId,
    ) -> Result<Next<'r, Op>, Failure> {
        self.app.sessions.expire(tx, self.peer.arrived)?;
        let stored = self.load(tx, self.call.session_id())?;
        let over = match &stored {
            Some(stored) => stored.session.consumed_at().is_some(),
            None => self.call.names_session(),
        };
        self.gate(tx, stored.as_ref())?;
        // A finished call is answered with its result or, if that is too late, as one whose session isn't
        // known: not refused because of what it has brought about.
        let admitted = if over { Ok(()) } else { endpoint.admit(tx) };
        if let Err(failure) = admitted {
            return self.not_admitted(tx, stored, failure).map(Next::Answer);
        }
        let (session, kept) = split(stored);
        let step = self.guard().receive(self.call, session, fresh, self.peer.arrived);
        self.settle(endpoint, tx, step, kept)
    }

    /// Refused for its parameters, which the client may change: they are bound anew.
    fn not_admitted(&self, tx: &Tx, stored: Option<Stored>, failure: Failure) -> Result<Response, Failure> {
        let Failure::Reject(reject) = failure else { return Err(failure) };
        let (session, kept) = split(stored);
        if let Some(change) = self.guard().refused_for_params(&self.call, session, self.peer.arrived) {
            self.write(tx, change.write(), kept)?;
        }
        Ok(Failure::Reject(reject).into_response())
    }

    fn apply<E: Endpoint<Op>>(
        &self,
        endpoint: &mut E,
        tx: &Tx,
        resolved: &Resolved<'r, Op>,
        fresh: SessionId,
    ) -> Result<Next<'r, Op>, Failure> {
        let stored = self.load(tx, Some(resolved.session_id()))?;
        let subject = self.gate(tx, stored.as_ref())?;
        let (session, kept) = split(stored);
        let step = resolved.as_of(subject).apply(session, fresh, self.peer.arrived);
        // A session that came to its end meanwhile has no use for what was reserved in its name.
        let over = match &step {
            Step::Challenge(challenge) => challenge.session_id() != resolved.session_id(),
            Step::Replay(_) => true,
            _ => false,
        };
        if over {
            registration_tokens::give_back(tx, resolved.session_id().as_bytes())?;
        }
        self.settle(endpoint, tx, step, kept)
    }

    fn settle<E: Endpoint<Op>>(
        &self,
        endpoint: &mut E,
        tx: &Tx,
        step: Step<'r, Op>,
        kept: Kept,
    ) -> Result<Next<'r, Op>, Failure> {
        let response = match step {
            Step::Verify(pending) => return Ok(Next::Verify(pending)),
            Step::Challenge(challenge) => {
                let kept = if challenge.keep_params() { endpoint.keep()? } else { kept };
                self.challenge(tx, &challenge, kept)?
            }
            Step::Grant(claim) => {
                let kept = if claim.keep_params() { endpoint.keep()? } else { kept };
                self.redeem(endpoint, tx, claim, kept)?
            }
            Step::Replay(replay) => endpoint.replay(tx, &replay, &kept)?,
            Step::Reject(refused) => {
                self.write(tx, refused.write(), kept)?;
                Failure::Reject(refused.reject()).into_response()
            }
            _ => return Err(MatrixError::unavailable().into()),
        };
        Ok(Next::Answer(response))
    }

    fn challenge(&self, tx: &Tx, challenge: &Challenge<'_>, kept: Kept) -> Result<Response, Failure> {
        if let Some(ended) = challenge.ended() {
            self.app.sessions.remove(tx, &ended)?;
        }
        self.write(tx, challenge.write(), kept)?;
        let mut body = String::with_capacity(512);
        // A `String` takes whatever is written.
        let _ = challenge.write_body(&mut body);
        Ok(answer::json(StatusCode::UNAUTHORIZED, body))
    }

    /// Carries the call out and ends the session, in one transaction.
    ///
    /// The claim is never stored by itself: what is written, against the revision the claim was made from, is
    /// how the session ended. So there is no claim for a crash to leave behind. It is written last, when
    /// nothing can fail any more that would undo the transaction: the store in memory is no part of that.
    fn redeem<E: Endpoint<Op>>(
        &self,
        endpoint: &mut E,
        tx: &Tx,
        claim: Claim<Op>,
        mut kept: Kept,
    ) -> Result<Response, Failure> {
        tx.mark()?;
        let done = endpoint.redeem(tx, claim.assume_in_transaction(), &mut kept)?;
        let redeemed = match &done {
            Done::Succeeded(_, redeemed) => redeemed,
            Done::Denied(denied) => {
                // A call that was denied has no effect, wherever it was denied.
                tx.undo_to_mark()?;
                denied.redeemed()
            }
        };
        if let (Done::Succeeded(..), Some(token)) = (&done, &self.token) {
            tokens::mark_uia(tx, token, clock::now_ms())?;
        }
        self.write(tx, redeemed.write(), kept)?;
        Ok(match done {
            Done::Succeeded(response, _) => response,
            Done::Denied(denied) => Failure::Reject(denied.reject()).into_response(),
        })
    }

    fn write(&self, tx: &Tx, write: Write<'_>, kept: Kept) -> Result<(), Failure> {
        let stored = self.app.sessions.write(tx, write, kept, self.peer.arrived)?;
        if stored {
            Ok(())
        } else {
            Err(MatrixError::limited(self.app.policies.rules.session_lifetime).into())
        }
    }

    fn load(&self, tx: &Tx, id: Option<SessionId>) -> Result<Option<Stored>, Failure> {
        Ok(match id {
            Some(id) => self.app.sessions.load(tx, &id)?,
            None => None,
        })
    }

    /// The subject of the token as it is by now: the password may have been replaced meanwhile.
    ///
    /// A session doesn't advance while the account is locked, whoever answers its stages: that of the token,
    /// or the one that a stage has proved.
    fn gate(&self, tx: &Tx, stored: Option<&Stored>) -> Result<Option<Subject>, Failure> {
        let user = match self.call.subject() {
            Some(subject) => users::by_key(tx, subject.user.into())?,
            None => None,
        };
        let session = stored.map(|stored| &stored.session);
        // A finished call is answered with its result, or as one that isn't known.
        if session.is_none_or(|session| session.consumed_at().is_none()) {
            if let Some(user) = &user {
                who::status(user).gate(Action::WhoAmI)?;
            } else if self.call.subject().is_none() {
                let mut proofs = session.into_iter().flat_map(Session::proofs);
                proofs.try_for_each(|proof| who::gate_proved(tx, Op::ID, proof))?;
            }
        }
        Ok(user.as_ref().map(who::subject))
    }

    const fn guard(&self) -> Guard<'r, Op> {
        Guard::new(self.flows, &self.app.policies.rules)
    }
}

fn split(stored: Option<Stored>) -> (Option<Session>, Kept) {
    stored.map_or((None, Kept::default()), |stored| (Some(stored.session), stored.kept))
}

/// The moment a call succeeded: later than when its request came in, so that what came in between is told
/// from what comes after.
pub fn succeeded_at() -> Timestamp {
    clock::now()
}
