//! One endpoint without a heap: `POST /account/password`, sessions in a [`FixedStore`].

#[cfg(feature = "deactivation")]
mod deactivation;
#[cfg(feature = "login")]
mod login;
#[cfg(feature = "registration")]
mod registration;
#[cfg(feature = "request_token")]
mod request_token;

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, Effect, PasswordStrength, StoredPasswordChange};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::call::Call;
use matrix_uia::server::check::{Comparison, Named, PasswordCheck};
use matrix_uia::server::commit::{Committed, SessionChanges};
use matrix_uia::server::drive::Guarded;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Exchange, HostKind, Incoming, Load, OneTransaction, Perform};
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::{ChangePassword, Operation};
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
    account: Account,
    /// What the user is logged in with.
    #[cfg(feature = "login")]
    token: Option<SessionId>,
    /// The access token that the registration gave; before it the device has no owner.
    #[cfg(feature = "registration")]
    owner: Option<SessionId>,
    #[cfg(feature = "request_token")]
    addresses: request_token::Addresses,
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
            account: Account::new(ALICE, AccountStatus::default()),
            #[cfg(feature = "login")]
            token: None,
            #[cfg(feature = "registration")]
            owner: None,
            #[cfg(feature = "request_token")]
            addresses: request_token::Addresses::default(),
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
        let guarded = Guarded { flows, rules, key, kind };
        let mut incoming = begin(guarded, request.call(key), fresh, now);
        let respond = go_through(device, &(&request, &*key), &mut incoming);
        send(&respond, out)
    }
}

#[inline(never)]
fn read(body: &[u8]) -> Result<Checked<ChangePasswordRequest<'_>>, MatrixError> {
    let mut strength = PasswordStrength::default();
    strength.maximum_bytes = Password::MAX_LEN;
    ChangePasswordRequest::parse(body)?.check(&strength, true)
}

/// What a call of this device does beside what all calls do.
trait Act<Op: Operation> {
    /// Whether its requests come with an access token.
    const BY_TOKEN: bool = true;

    /// Whether the call is let in.
    fn admit(&self, _: &Device) -> Result<(), Refusal> {
        Ok(())
    }

    /// The password to be hashed before the call happens.
    fn password(&self) -> Option<Secret<'_>>;

    /// What is kept beside the session from now on. There is room for a password alone: a client
    /// that leaves other parameters out is asked to repeat them.
    fn kept(&self, _: Option<StoredPasswordChange>, _: Option<Sealer>) -> StoredPasswordChange {
        StoredPasswordChange::default()
    }

    /// Carries the call out; `kept` is what was kept, and `hash` that of the password.
    fn act<'w, 'r>(
        &self,
        device: &mut Device,
        perform: Perform<'w, 'r, Op>,
        hash: Option<&Password>,
    ) -> Exchange<'w, 'r, Op>;
}

impl Act<ChangePassword> for (&Checked<ChangePasswordRequest<'_>>, &BindingKey) {
    fn password(&self) -> Option<Secret<'_>> {
        self.0.password()
    }

    fn kept(&self, before: Option<StoredPasswordChange>, sealer: Option<Sealer>) -> StoredPasswordChange {
        let (request, key) = self;
        request.to_stored(key, before, sealer)
    }

    #[inline(never)]
    fn act<'w, 'r>(
        &self,
        device: &mut Device,
        perform: Perform<'w, 'r, ChangePassword>,
        hash: Option<&Password>,
    ) -> Exchange<'w, 'r, ChangePassword> {
        let (request, key) = self;
        let (grant, performing) = perform.grant();
        let kept = grant.session_id().and_then(|id| device.kept(&id)).cloned();
        let change = match request.plan(key, grant, kept, hash) {
            Ok(change) => change,
            Err(refusal) => return performing.refused(refusal),
        };
        for effect in change.effects() {
            match effect {
                Effect::SetPassword(password) => device.password.clone_from(password),
                // This device has no other devices to end.
                Effect::EndDevices(_) | Effect::EndPushers(_) => {}
            }
        }
        performing.succeeded(Outcome::NOTHING, device.now)
    }
}

/// Apart from what goes on with it: it is large, and what has it in its own frame reaches little else.
#[inline(never)]
fn begin<'r, Op: Operation>(
    guarded: Guarded<'r, Op>,
    call: Call<'r, Op>,
    fresh: SessionId,
    now: Timestamp,
) -> Incoming<'r, Op> {
    let Guarded { flows, rules, kind, .. } = guarded;
    Incoming::new(flows, rules, kind, call, fresh, now)
}

/// Goes through the questions of one request. Nothing here waits, and what is stored can be
/// looked at whenever it is needed: nothing is kept between two questions but the new hash.
#[inline(never)]
fn go_through<'r, Op: Operation, A: Act<Op>>(
    device: &mut Device,
    act: &A,
    incoming: &mut Incoming<'r, Op>,
) -> Respond<'r> {
    let mut exchange = incoming.exchange();
    let mut hash = None;
    loop {
        exchange = match exchange {
            Exchange::Load(load) => device.load::<_, A>(load),
            Exchange::Account(asked) => {
                let found = (asked.user() == ALICE.user).then_some(device.account);
                asked.found(found)
            }
            Exchange::Admit(admit) => match act.admit(device) {
                Ok(()) => admit.admitted(),
                Err(refusal) => admit.refused(refusal),
            },
            Exchange::Verify(verify) => {
                let verdict = device.verdict(verify.question());
                verify.verdict_in_transaction(verdict)
            }
            Exchange::Hash(asked) => {
                if !device.new_password(act, asked.session_id(), &mut hash) {
                    return Respond::Error(MatrixError::unavailable());
                }
                asked.hashed()
            }
            Exchange::Perform(perform) => act.act(device, perform, hash.as_ref()),
            // Its answer is always the same.
            Exchange::Repeat(repeat) => repeat.repeated(),
            Exchange::Commit(commit) => {
                let committed = device.stored(commit.session_changes(), act);
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

impl Device {
    /// What is kept beside a session; nothing once its parameters were refused.
    fn kept(&self, id: &SessionId) -> Option<&StoredPasswordChange> {
        self.sessions.load(id).filter(|record| record.session.keeps_params()).map(|record| record.kept)
    }

    #[inline(never)]
    fn load<'w, 'r, Op: Operation, A: Act<Op>>(&self, load: Load<'w, 'r, Op>) -> Exchange<'w, 'r, Op> {
        let caller = if A::BY_TOKEN { Caller::User(self.account) } else { Caller::Nobody };
        let record = load.session_id().and_then(|id| self.sessions.load(&id));
        load.found(record.as_ref().map(|record| &record.session), caller, self.now)
    }

    /// Hashes the password that was sent or kept, if one was; `false` if it does not fit.
    #[inline(never)]
    fn new_password<Op: Operation>(
        &self,
        call: &impl Act<Op>,
        id: SessionId,
        hash: &mut Option<Password>,
    ) -> bool {
        let sealed = self.kept(&id).and_then(Checked::<ChangePasswordRequest<'_>>::stored_password);
        let kept = sealed.and_then(|sealed| sealed.open(&id));
        let Some(password) = call.password().or(kept.as_ref().map(|opened| opened.secret())) else {
            return true;
        };
        *hash = Password::new(password);
        hash.is_some()
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
    fn stored<Op: Operation>(&mut self, changes: SessionChanges<&Session>, call: &impl Act<Op>) -> Committed {
        let kept = changes.put.filter(|put| put.keep).map(|put| {
            // A session that begins has nothing of the one that was named.
            let before = put.expected.and_then(|_| self.kept(&put.id)).cloned();
            call.kept(before, Sealer::new(put.id, put.session.revision()))
        });
        self.commit(changes, kept)
    }

    #[cfg_attr(feature = "deactivation", inline(never))]
    fn commit(&mut self, changes: SessionChanges<&Session>, kept: Option<StoredPasswordChange>) -> Committed {
        match self.sessions.commit(changes, kept, OwnerKey::NOBODY, self.now) {
            Ok(_) => Committed::Stored,
            Err(error) => error.into(),
        }
    }
}
