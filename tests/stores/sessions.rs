//! Real sessions, each as a guard made it of a request, and what a test does with them.

use std::convert::Infallible;
use std::sync::LazyLock;

use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::call::{Param, Params};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::digest::{BindingKey, ParamDigest};
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Performing, Recalled, Run, Verified, ready};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::{Grant, Outcome, Refusal};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::seal::Sealer;
use matrix_uia::server::store::{NotStored, OwnerKey, Store, Stored};
use matrix_uia::server::verdict::{Evidence, Verdict};
use matrix_uia::wire::Auth;
use matrix_uia::{Call, Flows, MatrixError, Millis, Rules, Secret, Session, SessionId, Timestamp, flows};

/// In seconds, as every time in these tests.
pub(super) const LIFETIME: u64 = 1_000;
pub(super) const REPLAY: u64 = 100;
/// How long times that lie further off than a lifetime go on before they are believed.
pub(super) const MINUTE: u64 = 60;

pub(super) fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(secs * 1_000)
}

pub(super) fn id(number: u64) -> SessionId {
    // As even as a generator's, and the same in every run.
    let mut entropy = [0; 24];
    entropy[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    entropy[8..16].copy_from_slice(&number.to_le_bytes());
    SessionId::from_entropy(entropy)
}

pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let mut rules = Rules::default();
    rules.session_lifetime = Millis::from_secs(LIFETIME);
    rules.replay_for = Millis::from_secs(REPLAY);
    rules
});

static FLOWS: Flows<'static, ChangePassword> =
    flows!(ChangePassword: [["m.login.recaptcha", "m.login.password"], ["m.login.dummy"]]);

pub(super) fn user_of(id: SessionId) -> UserRef {
    UserRef::new(u64::from(id.as_bytes()[8] % 2))
}

fn caller(id: SessionId) -> Caller {
    Caller::User(Account::new(Subject::new(user_of(id), 0), AccountStatus::default()))
}

/// A password change of which only its auth dict and its parameters matter.
pub(super) struct PasswordCall {
    auth: Auth<'static>,
    params: Params,
}

impl Endpoint for PasswordCall {
    type Op = ChangePassword;
    type Stored = ();
    type Plan<H: Send> = ();

    fn call(&self, _: &BindingKey) -> Call<'_, ChangePassword> {
        Call::new(&self.auth).with_params(self.params)
    }

    fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        _: Grant<ChangePassword>,
        _: Option<()>,
        _: Option<H>,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}

/// The host of one session, to whom every stage passes.
pub(super) struct OneSession {
    id: SessionId,
    session: Option<Session>,
    /// Whether the session is one that a request has made what it is.
    is_new: bool,
    now: Timestamp,
}

impl<'r> Host<'r, PasswordCall> for OneSession {
    type Hash = ();
    type Error = Infallible;

    async fn load(&mut self, _: Option<SessionId>) -> Result<Loaded<()>, Infallible> {
        Ok(Loaded { session: self.session, stored: None, caller: caller(self.id), now: self.now })
    }

    async fn account(&mut self, _: UserRef) -> Result<Option<Account>, Infallible> {
        unreachable!("the token names the user")
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        Ok(Verified::Outside(match question.check() {
            Check::Password(check) => {
                check.named(Named::User(Subject::new(user_of(self.id), 0))).verdict(true)
            }
            _ => Verdict::Passed(Evidence::nothing()),
        }))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, _: Secret<'_>) -> Result<(), Infallible> {
        unreachable!("there is no password")
    }

    async fn recall(&mut self, _: SessionId) -> Result<Recalled, Infallible> {
        Ok(Recalled::NotCarriedOut)
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, ChangePassword>,
        _: Option<&()>,
    ) -> Result<Committed, Infallible> {
        for change in changes.iter() {
            if let Change::Put(Put { session, .. }) = change {
                (self.session, self.is_new) = (Some(*session), true);
            }
        }
        Ok(Committed::Stored)
    }
}

/// What a request has come to: the session as it is to be stored, and the call if it is granted.
pub(super) struct Step {
    run: Run<'static, OneSession, PasswordCall>,
    granted: Option<Performing<'static, ChangePassword>>,
}

impl Step {
    /// Goes on to the call or to the answer. Whatever is asked, the answer is yes.
    fn of(mut run: Run<'static, OneSession, PasswordCall>) -> Self {
        let granted = ready(run.granted()).expect("nothing waits here").ok().flatten();
        let granted = granted.map(|granted| granted.into_parts().1);
        Self { run, granted }
    }

    fn session(&self) -> Option<Session> {
        let OneSession { session, is_new, .. } = &self.run.host;
        session.filter(|_| *is_new)
    }
}

fn request(id: SessionId, auth: &str, params: Params, session: Option<&Session>, now: Timestamp) -> Step {
    static KEY: BindingKey = BindingKey::from_entropy([7; 16]);
    let auth: &'static str = String::from(auth).leak();
    let change = Box::leak(Box::new(PasswordCall { auth: Auth::parse(auth.as_bytes()).unwrap(), params }));
    let host = OneSession { id, session: session.cloned(), is_new: false, now };
    let guarded = Guarded { flows: &FLOWS, rules: &RULES, key: &KEY, kind: HostKind::CLAIMS };
    Step::of(Run::new(host, change, guarded, id, now))
}

/// A new session.
pub(super) fn session(id: SessionId, now: Timestamp) -> Session {
    request(id, "{}", Params::NONE, None, now).session().expect("no auth, no success")
}

fn attempt(id: SessionId, session: &Session, stage: &str, now: Timestamp) -> Step {
    let auth = format!(
        r#"{{"type":"{stage}","session":"{}","response":"r",
            "identifier":{{"type":"m.id.user","user":"u"}},"password":"p"}}"#,
        id.expose(),
    );
    request(id, &auth, Params::NONE, Some(session), now)
}

/// The session if it goes on, and something of it has changed.
fn changed(step: &Step, session: &Session) -> Option<Session> {
    let next = |it: &Session| it.revision().get() == session.revision().get() + 1;
    step.session().filter(|it| next(it) && !it.is_claimed())
}

/// The session with parameters bound: changed, and nothing passed.
pub(super) fn bound(id: SessionId, session: Session, now: Timestamp) -> Option<Session> {
    let auth = format!(r#"{{"session":"{}"}}"#, id.expose());
    let params = Params::new([Param::required(Some(ParamDigest::boolean(true)))]);
    changed(&request(id, &auth, params, Some(&session), now), &session)
}

/// The session once a stage has proved something.
pub(super) fn passed(id: SessionId, session: Session, now: Timestamp) -> Option<Session> {
    changed(&attempt(id, &session, "m.login.recaptcha", now), &session)
}

/// A session that is claimed, and the call that has claimed it.
pub(super) struct Claim {
    pub(super) session: Session,
    pub(super) receipt: Receipt,
}

/// A call that is about to be carried out.
pub(super) struct Receipt {
    pub(super) id: SessionId,
    pub(super) session: Session,
    run: Run<'static, OneSession, PasswordCall>,
    performing: Performing<'static, ChangePassword>,
}

fn granted(id: SessionId, step: Step) -> Option<Claim> {
    let session = step.session().filter(Session::is_claimed)?;
    let receipt = Receipt { id, session, run: step.run, performing: step.granted? };
    Some(Claim { session, receipt })
}

/// The session once the other stage of its flow has passed too.
pub(super) fn claim(id: SessionId, session: Session, now: Timestamp) -> Option<Claim> {
    granted(id, attempt(id, &session, "m.login.password", now))
}

/// The session once the flow that proves nothing is complete.
pub(super) fn dummy(id: SessionId, session: Session, now: Timestamp) -> Option<Claim> {
    granted(id, attempt(id, &session, "m.login.dummy", now))
}

impl Receipt {
    /// The session once the call has ended so.
    pub(super) fn end(self, succeeded: bool, now: Timestamp) -> Session {
        let Self { mut run, performing, .. } = self;
        let done = if succeeded {
            Ok(Outcome::new(Reference::new(1)))
        } else {
            Err(Refusal::new(MatrixError::unavailable()))
        };
        run.done(performing, done, now);
        run.host.now = now;
        Step::of(run).session().expect("its end is stored")
    }
}

/// An owner as evenly spread as a digest, and the same in every run.
pub(super) fn owner(number: u64) -> OwnerKey {
    OwnerKey::from_u64(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// What a test does to a store, in one call each.
pub(super) trait Steps: Store<Kept = u32> + Sized {
    fn session(&self, number: u64) -> Session {
        self.load(&id(number)).expect("the session is there").session
    }

    fn has(&self, number: u64) -> bool {
        self.load(&id(number)).is_some()
    }

    fn begin(&mut self, number: u64, now: u64) -> Result<Stored<u32>, NotStored<u32>> {
        self.begin_of(OwnerKey::NOBODY, number, now)
    }

    fn begin_of(&mut self, owner: OwnerKey, number: u64, now: u64) -> Result<Stored<u32>, NotStored<u32>> {
        self.insert(id(number), &session(id(number), at(now)), number as u32, owner, at(now))
    }

    /// As `begin`, where there is room.
    fn open(&mut self, number: u64, now: u64) {
        assert_eq!(self.begin(number, now).unwrap().evicted, None);
    }

    fn open_of(&mut self, owner: OwnerKey, number: u64, now: u64) {
        assert_eq!(self.begin_of(owner, number, now).unwrap().evicted, None);
    }

    fn pass(&mut self, number: u64, now: u64) {
        let before = self.session(number);
        let after = passed(id(number), before, at(now)).unwrap();
        self.replace(id(number), before.revision(), &after, None, at(now)).unwrap();
    }

    fn put(
        &mut self,
        number: u64,
        expected: matrix_uia::server::session::Revision,
        next: &Session,
        now: u64,
    ) {
        self.replace(id(number), expected, next, None, at(now)).unwrap();
    }

    fn claim(&mut self, number: u64, now: u64) -> Receipt {
        let before = self.session(number);
        let claim = claim(id(number), before, at(now)).unwrap();
        self.put(number, before.revision(), &claim.session, now);
        claim.receipt
    }

    /// Claims it by the flow that proves nothing.
    fn claim_for_nothing(&mut self, number: u64, now: u64) -> Receipt {
        let before = self.session(number);
        let claim = dummy(id(number), before, at(now)).unwrap();
        self.put(number, before.revision(), &claim.session, now);
        claim.receipt
    }

    fn fail(&mut self, receipt: Receipt, now: u64) {
        let (number, expected) = (number(&receipt.id), receipt.session.revision());
        let open = receipt.end(false, at(now));
        self.put(number, expected, &open, now);
    }

    fn succeed(&mut self, receipt: Receipt, now: u64) {
        let (number, expected) = (number(&receipt.id), receipt.session.revision());
        let consumed = receipt.end(true, at(now));
        self.put(number, expected, &consumed, now);
    }

    /// All the way, in one moment.
    fn consume(&mut self, number: u64, now: u64) {
        self.pass(number, now);
        let receipt = self.claim(number, now);
        self.succeed(receipt, now);
    }

    /// The numbers of the sessions that are over.
    fn expired(&mut self, now: u64) -> Vec<u64> {
        core::iter::from_fn(|| self.expire(at(now))).map(|(id, _)| number(&id)).collect()
    }

    fn numbers(&self) -> Vec<u64> {
        self.iter().map(|(id, _)| number(id)).collect()
    }
}

impl<S: Store<Kept = u32>> Steps for S {}

pub(super) fn number(id: &SessionId) -> u64 {
    u64::from_le_bytes(id.as_bytes()[8..16].try_into().unwrap())
}

pub(super) fn evicted(result: Result<Stored<u32>, NotStored<u32>>) -> Option<u64> {
    result.unwrap().evicted.map(|(id, record)| {
        assert_eq!(u64::from(record.kept), number(&id), "with what was kept beside it");
        number(&id)
    })
}
