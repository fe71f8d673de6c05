//! One endpoint without a heap: `POST /account/password`, sessions in a [`FixedStore`].

#[cfg(feature = "login")]
mod login;

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{
    ChangePasswordRequest, Effect, PasswordChange, PasswordStrength, StoredPasswordChange,
};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::{Comparison, Named, PasswordCheck};
use matrix_uia::server::commit::{Committed, SessionChanges};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Exchange, HostKind, Incoming, Load, OneTransaction, Perform};
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::respond::Respond;
use matrix_uia::server::seal::Sealer;
#[cfg(feature = "sealed")]
use matrix_uia::server::sealed::{IdKey, IdKeys};
use matrix_uia::server::store::{FixedStore, Lifetimes, OwnerKey, Store};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::Locality;
use matrix_uia::{BindingKey, Flows, MatrixError, Rules, Secret, Session, SessionId, Timestamp};

/// An answer's status; its body is in the caller's buffer.
pub type Status = u16;
/// The body of an answer.
pub type Body = heapless::String<512>;

/// Who the one user of this device is.
const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// A password of this device. There is none by default.
#[derive(Clone)]
pub struct Password(heapless::String<{ Password::MAX_LEN }>);

impl Password {
    /// Bytes of a password. The check of a request knows this bound, so that nobody
    /// authenticates for a password that does not fit.
    const MAX_LEN: usize = 64;

    #[inline(never)]
    pub fn new(password: Secret<'_>) -> Option<Self> {
        password.expose().to_fixed().ok().map(Self)
    }
}

/// All that lasts from one request to the next.
pub struct Server<'p> {
    flows: &'p Flows<'p, ChangePassword>,
    rules: Rules,
    key: BindingKey,
    #[cfg(feature = "sealed")]
    ids: IdKeys,
    device: Device,
}

/// What a request reads and writes.
struct Device {
    sessions: FixedStore<StoredPasswordChange, 8>,
    password: Password,
    /// What the user is logged in with.
    #[cfg(feature = "login")]
    token: Option<SessionId>,
    now: Timestamp,
}

/// Sessions and the password lie in one memory, and requests come one by one.
impl OneTransaction for Device {}

impl<'p> Server<'p> {
    pub fn new(flows: &'p Flows<'p, ChangePassword>, key: BindingKey, password: Password) -> Self {
        let rules = Rules::default();
        let sessions = FixedStore::new(Lifetimes::of(&rules));
        let device = Device {
            sessions,
            password,
            #[cfg(feature = "login")]
            token: None,
            now: Timestamp::from_millis(0),
        };
        Self {
            flows,
            rules,
            key,
            // From the chip's generator, and the same after a restart.
            #[cfg(feature = "sealed")]
            ids: IdKeys::new(IdKey::new(1, [8; 32])),
            device,
        }
    }

    /// Answers one request of the user whose access token came with it.
    #[inline(never)]
    pub fn answer(&mut self, body: &[u8], fresh: SessionId, now: Timestamp, out: &mut Body) -> Status {
        self.device.now = now;
        // Give back here what they had reserved; a password reserves nothing.
        while self.device.sessions.expire(now).is_some() {}
        let request = match read(body) {
            Ok(request) => request,
            Err(error) => return send(&Respond::Error(error), out),
        };
        #[cfg(feature = "sealed")]
        let ids = &self.ids;
        let Self { flows, rules, key, device, .. } = self;
        let kind = HostKind::assume_one_transaction::<Device>();
        #[cfg(feature = "sealed")]
        let kind = kind.with_sealed_ids(ids);
        let mut incoming = Incoming::new(flows, rules, kind, request.call(key), fresh, now);
        let respond = change_password(device, &request, &mut incoming, key);
        send(&respond, out)
    }
}

#[inline(never)]
fn read(body: &[u8]) -> Result<Checked<ChangePasswordRequest<'_>>, MatrixError> {
    let mut strength = PasswordStrength::default();
    strength.maximum_bytes = Password::MAX_LEN;
    ChangePasswordRequest::parse(body)?.check(&strength, true)
}

/// Goes through the questions of one request. Nothing here waits, and what is stored can be
/// looked at whenever it is needed: nothing is kept between two questions but the new hash.
#[inline(never)]
fn change_password<'r>(
    device: &mut Device,
    request: &'r Checked<ChangePasswordRequest<'r>>,
    incoming: &mut Incoming<'r, ChangePassword>,
    key: &BindingKey,
) -> Respond<'r> {
    let mut exchange = incoming.exchange();
    let mut hash = None;
    loop {
        exchange = match exchange {
            Exchange::Load(load) => device.load(load),
            Exchange::Account(asked) => {
                let found = (asked.user() == ALICE.user).then(account);
                asked.found(found)
            }
            Exchange::Admit(admit) => admit.admitted(),
            Exchange::Verify(verify) => {
                let verdict = device.verdict(verify.question());
                verify.verdict_in_transaction(verdict)
            }
            Exchange::Hash(asked) => {
                if !device.new_password(request, asked.session_id(), &mut hash) {
                    return Respond::Error(MatrixError::unavailable());
                }
                asked.hashed()
            }
            Exchange::Perform(perform) => device.perform(perform, request, key, hash.as_ref()),
            // Its answer is always the same.
            Exchange::Repeat(repeat) => repeat.repeated(),
            Exchange::Commit(commit) => {
                let committed = device.stored(commit.session_changes(), request, key);
                commit.committed(committed)
            }
            // Nothing is claimed where all is one transaction.
            Exchange::Recall(recall) => recall.unknown(),
            Exchange::Respond(respond) => return respond,
        }
    }
}

fn send(respond: &Respond<'_>, out: &mut Body) -> Status {
    match respond.write_body(out) {
        Ok(Some(status)) => status,
        Ok(None) if out.push_str("{}").is_ok() => 200,
        _ => 500,
    }
}

#[cfg(feature = "sealed")]
impl Server<'_> {
    /// How many sessions are stored.
    pub fn stored(&self) -> usize {
        self.device.sessions.len()
    }
}

fn account() -> Account {
    Account::new(ALICE, AccountStatus::default())
}

impl Device {
    /// What is kept beside a session; nothing once its parameters were refused.
    fn kept(&self, id: &SessionId) -> Option<&StoredPasswordChange> {
        self.sessions.load(id).filter(|record| record.session.keeps_params()).map(|record| record.kept)
    }

    #[inline(never)]
    fn load<'w, 'r>(&self, load: Load<'w, 'r, ChangePassword>) -> Exchange<'w, 'r, ChangePassword> {
        let record = load.session_id().and_then(|id| self.sessions.load(&id));
        load.found(record.as_ref().map(|record| &record.session), Caller::User(account()), self.now)
    }

    #[inline(never)]
    fn perform<'w, 'r>(
        &mut self,
        perform: Perform<'w, 'r, ChangePassword>,
        request: &Checked<ChangePasswordRequest<'_>>,
        key: &BindingKey,
        hash: Option<&Password>,
    ) -> Exchange<'w, 'r, ChangePassword> {
        let (grant, performing) = perform.grant();
        let kept = grant.session_id().and_then(|id| self.kept(&id)).cloned();
        match request.plan(key, grant, kept, hash) {
            Ok(change) => {
                self.carry_out(&change);
                performing.succeeded(Outcome::NOTHING, self.now)
            }
            Err(refusal) => performing.refused(refusal),
        }
    }

    /// Hashes the password that is asked for, if one is; `false` if it does not fit.
    #[inline(never)]
    fn new_password(
        &self,
        request: &Checked<ChangePasswordRequest<'_>>,
        id: SessionId,
        hash: &mut Option<Password>,
    ) -> bool {
        let sealed = self.kept(&id).and_then(Checked::<ChangePasswordRequest<'_>>::stored_password);
        let kept = sealed.and_then(|sealed| sealed.open(&id));
        let Some(password) = request.password().or(kept.as_ref().map(|opened| opened.secret())) else {
            return true;
        };
        *hash = Password::new(password);
        hash.is_some()
    }

    fn carry_out(&mut self, change: &PasswordChange<&Password>) {
        for effect in change.effects() {
            match effect {
                Effect::SetPassword(password) => self.password.clone_from(password),
                // This device has no other devices to end.
                Effect::EndDevices(_) | Effect::EndPushers(_) => {}
            }
        }
    }

    #[inline(never)]
    fn verdict<'r>(&self, question: &Question<'r>) -> Verdict<'r> {
        let Check::Password(check) = question.check() else {
            return Verdict::Failed(StageFailure::Other);
        };
        let (comparison, matches) = self.compare(check);
        comparison.verdict(matches)
    }

    /// Whose password it is compared with, and whether it is the right one.
    #[cfg_attr(feature = "login", inline(never))]
    fn compare<'r>(&self, check: PasswordCheck<'r>) -> (Comparison<'r>, bool) {
        let named = match check.identifier().localpart("device.local") {
            Locality::Local(name) if name == "alice" => Named::User(ALICE),
            Locality::Remote => Named::Remote,
            _ => Named::Nobody,
        };
        let comparison = check.named(named);
        // A real device keeps a slow hash, and compares it in constant time.
        let matches = comparison.password().expose() == self.password.0.as_str();
        (comparison, matches)
    }

    #[inline(never)]
    fn stored(
        &mut self,
        changes: SessionChanges<&Session>,
        request: &Checked<ChangePasswordRequest<'_>>,
        key: &BindingKey,
    ) -> Committed {
        let kept = changes.put.filter(|put| put.keep).map(|put| {
            // A session that begins has nothing of the one that was named.
            let before = put.expected.and_then(|_| self.kept(&put.id)).cloned();
            request.to_stored(key, before, Sealer::new(put.id, put.session.revision()))
        });
        let now = self.now;
        match self.sessions.commit(changes, kept, OwnerKey::NOBODY, now) {
            Ok(_) => Committed::Stored,
            Err(error) => error.into(),
        }
    }
}
