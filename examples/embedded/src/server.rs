//! One endpoint without a heap: `POST /account/password`, sessions in a [`FixedStore`].

use matrix_uia::endpoint::password::{self, ChangePasswordRequest, Effect, KeptChange, PasswordStrength};
use matrix_uia::server::operation::{ChangePassword, Reference, Subject, UserRef};
use matrix_uia::server::session::{Check, Proof, StageFailure, Verdict, Write};
use matrix_uia::server::store::{FixedStore, Lifetimes, Store};
use matrix_uia::wire::{Locality, UserIdentifier};
use matrix_uia::{BindingKey, Flows, Guard, MatrixError, Rules, SessionId, Step, Text, Timestamp};

/// An answer's status; its body is in the caller's buffer.
pub type Status = u16;
/// The body of an answer.
pub type Body = heapless::String<512>;

/// Who the one user of this device is.
const ALICE: UserRef = UserRef::new(1);

/// All that lasts from one request to the next.
pub struct Server<'p> {
    flows: &'p Flows<'p, ChangePassword>,
    rules: Rules,
    key: BindingKey,
    sessions: FixedStore<Option<KeptChange>, 8>,
    password: heapless::String<64>,
}

impl<'p> Server<'p> {
    pub fn new(flows: &'p Flows<'p, ChangePassword>, key: BindingKey, password: &str) -> Self {
        let rules = Rules::default();
        let sessions = FixedStore::new(Lifetimes::of(&rules));
        Self { flows, rules, key, sessions, password: password.try_into().unwrap_or_default() }
    }

    /// Answers one request of the user whose access token came with it.
    pub fn answer(&mut self, body: &[u8], fresh: SessionId, now: Timestamp, out: &mut Body) -> Status {
        // Give back here what they had reserved; a password reserves nothing.
        while self.sessions.expire(now).is_some() {}
        match self.change_password(body, fresh, now, out) {
            Ok(status) => status,
            Err(reject) => {
                out.clear();
                let _ = reject.write(out);
                reject.status()
            }
        }
    }

    fn change_password(
        &mut self,
        body: &[u8],
        fresh: SessionId,
        now: Timestamp,
        out: &mut Body,
    ) -> Result<Status, MatrixError> {
        let request = ChangePasswordRequest::parse(body)?;
        request.check(&PasswordStrength::default(), true)?;
        let call = request.call(&self.key, Some(Subject::new(ALICE, 0)));
        let id = call.session_id();
        let rules = self.rules.clone();
        let load = |server: &Self| id.and_then(|id| server.sessions.load(&id)).map(|it| it.session.clone());

        let mut step = Guard::new(self.flows, &rules).receive(call, load(self), fresh, now);
        if let Step::Verify(pending) = step {
            let verdict = self.verify(pending.check());
            step = pending.resolve(verdict).apply(load(self), fresh, now);
        }
        match step {
            Step::Challenge(challenge) => {
                let kept = challenge.keep_params().then(|| Some(KeptChange::of(&request)));
                self.store(challenge.write(), kept, now)?;
                challenge.write_body(out).map_err(|_| MatrixError::unavailable())?;
                Ok(401)
            }
            Step::Grant(claim) => {
                let kept = claim.keep_params().then(|| Some(KeptChange::of(&request)));
                self.store(claim.write(), kept, now)?;
                let kept = id.and_then(|id| self.sessions.load(&id)).and_then(|record| record.kept);
                let change = match password::change(claim.assume_stored(), &request, kept) {
                    Ok(change) => change,
                    Err(denied) => {
                        self.store(denied.redeemed().write(), None, now)?;
                        return Err(denied.reject());
                    }
                };
                for effect in change.effects() {
                    // This device has no other devices to end.
                    if effect == Effect::SetPassword
                        && let Some(new) = request.new_password
                    {
                        self.password = new.expose().to_fixed().unwrap_or_default();
                    }
                }
                let redeemed = change.receipt().succeeded(Reference::new(0), now);
                self.store(redeemed.write(), None, now)?;
                ok(out)
            }
            Step::Replay(_) => ok(out),
            Step::Reject(refused) => {
                self.store(refused.write(), None, now)?;
                Err(refused.reject())
            }
            _ => Err(MatrixError::unavailable()),
        }
    }

    /// Looks up what a stage asks.
    fn verify(&self, check: Check<'_>) -> Verdict<'static> {
        let Check::Password { identifier, password } = check else {
            return Verdict::Failed(StageFailure::Other);
        };
        let named = match identifier.localpart("device.local") {
            Locality::Local(name) => name == "alice",
            _ => identifier == UserIdentifier::User(Text::new("alice")),
        };
        // A real device keeps a slow hash, and compares it in constant time.
        if named && password.expose() == self.password.as_str() {
            Verdict::Passed(Proof::User(ALICE))
        } else {
            Verdict::Failed(StageFailure::Credentials)
        }
    }

    /// One request at a time, so no revision can have passed; the store can be full.
    fn store(
        &mut self,
        write: Write<'_>,
        kept: Option<Option<KeptChange>>,
        now: Timestamp,
    ) -> Result<(), MatrixError> {
        use matrix_uia::server::store::NotStored;
        match self.sessions.apply(write, kept, now) {
            Ok(_) => Ok(()),
            Err(NotStored::Full { wait, .. }) => Err(MatrixError::limited(wait)),
            Err(_) => Err(MatrixError::unavailable()),
        }
    }
}

fn ok(out: &mut Body) -> Result<Status, MatrixError> {
    out.push_str("{}").map_err(|_| MatrixError::unavailable())?;
    Ok(200)
}
