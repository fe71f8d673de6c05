//! One endpoint without a heap: `POST /account/password`, sessions in a [`FixedStore`].

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, Effect, PasswordStrength, StoredPasswordChange};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Run, Stop, Verified, ready};
use matrix_uia::server::exchange::{HostKind, OneTransaction};
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::respond::Respond;
#[cfg(feature = "sealed")]
use matrix_uia::server::sealed::{IdKey, IdKeys};
use matrix_uia::server::store::{FixedStore, Lifetimes, OwnerKey, Store};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::Locality;
use matrix_uia::{BindingKey, Flows, MatrixError, Rules, Secret, SessionId, Timestamp};

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

/// A password that does not fit: all that can go wrong here.
pub struct TooLong;

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
    now: Timestamp,
}

/// Sessions and the password lie in one memory, and requests come one by one.
impl OneTransaction for Device {}

impl<'p> Server<'p> {
    pub fn new(flows: &'p Flows<'p, ChangePassword>, key: BindingKey, password: Password) -> Self {
        let rules = Rules::default();
        let sessions = FixedStore::new(Lifetimes::of(&rules));
        let device = Device { sessions, password, now: Timestamp::from_millis(0) };
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
        let respond = match ready(change_password(device, &request, guarded, fresh)) {
            Some(Ok(())) => Respond::Performed,
            Some(Err(Stop::Respond(respond))) => respond,
            Some(Err(Stop::Host(TooLong))) | None => Respond::Error(MatrixError::unavailable()),
        };
        send(&respond, out)
    }
}

#[inline(never)]
fn read(body: &[u8]) -> Result<Checked<ChangePasswordRequest<'_>>, MatrixError> {
    let mut strength = PasswordStrength::default();
    strength.maximum_bytes = Password::MAX_LEN;
    ChangePasswordRequest::parse(body)?.check(&strength, true)
}

async fn change_password<'r>(
    device: &'r mut Device,
    request: &'r Checked<ChangePasswordRequest<'r>>,
    guarded: Guarded<'r, ChangePassword>,
    fresh: SessionId,
) -> Result<(), Stop<'r, TooLong>> {
    let now = device.now;
    let mut run = Run::new(device, request, guarded, fresh, now);
    while let Some(granted) = run.granted().await? {
        let (change, performing) = granted.into_parts();
        for effect in change.effects() {
            match effect {
                Effect::SetPassword(password) => run.host.password = password.clone(),
                // This device has no other devices to end.
                Effect::EndDevices(_) | Effect::EndPushers(_) => {}
            }
        }
        run.done(performing, Ok(Outcome::NOTHING), now);
    }
    Ok(())
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
    #[inline(never)]
    fn loaded(&self, id: Option<SessionId>) -> Loaded<StoredPasswordChange> {
        let record = id.and_then(|id| self.sessions.load(&id));
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        Loaded::from_record(record, |kept| Some(kept.clone()), caller, self.now)
    }

    #[inline(never)]
    fn verdict<'r>(&self, question: &Question<'r>) -> Verdict<'r> {
        let Check::Password(check) = question.check() else {
            return Verdict::Failed(StageFailure::Other);
        };
        let named = match check.identifier().localpart("device.local") {
            Locality::Local(name) if name == "alice" => Named::User(ALICE),
            Locality::Remote => Named::Remote,
            _ => Named::Nobody,
        };
        let comparison = check.named(named);
        // A real device keeps a slow hash, and compares it in constant time.
        let matches = comparison.password().expose() == self.password.0.as_str();
        comparison.verdict(matches)
    }

    #[inline(never)]
    fn stored(
        &mut self,
        changes: Changes<'_, '_, ChangePassword>,
        stored: Option<&StoredPasswordChange>,
    ) -> Committed {
        let now = self.now;
        match self.sessions.commit(changes.session_changes(), stored.cloned(), OwnerKey::NOBODY, now) {
            Ok(_) => Committed::Stored,
            Err(error) => error.into(),
        }
    }
}

impl<'r> Host<'r, Checked<ChangePasswordRequest<'r>>> for &mut Device {
    type Hash = Password;
    type Error = TooLong;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<StoredPasswordChange>, TooLong> {
        Ok(self.loaded(id))
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>, TooLong> {
        Ok((user == ALICE.user).then(|| Account::new(ALICE, AccountStatus::default())))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, TooLong> {
        Ok(Verified::InTransaction(self.verdict(question)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, password: Secret<'_>) -> Result<Password, TooLong> {
        Password::new(password).ok_or(TooLong)
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, ChangePassword>,
        stored: Option<&StoredPasswordChange>,
    ) -> Result<Committed, TooLong> {
        Ok(self.stored(changes, stored))
    }
}
