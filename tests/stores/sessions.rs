//! Real sessions, each as a guard made it of a request, and what a test does with them.

use std::sync::LazyLock;

use matrix_uia::server::operation::{ChangePassword, Reference, Subject, UserRef};
use matrix_uia::server::session::{Claim, Proof, Receipt, Verdict, Write};
use matrix_uia::server::store::{NotStored, OwnerKey, Store, Stored};
use matrix_uia::wire::Auth;
use matrix_uia::{BindingKey, Call, Flows, Guard, Millis, Rules, Session, SessionId, Step, Timestamp};

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

static FLOWS: LazyLock<Flows<'static, ChangePassword>> = LazyLock::new(|| {
    let buffer = Box::leak(Box::new([0; 512]));
    let flows = [&["m.login.recaptcha", "m.login.password"][..], &["m.login.dummy"]];
    Flows::in_buffer(flows, None, buffer).unwrap()
});

pub(super) fn user_of(id: SessionId) -> UserRef {
    UserRef::new(u64::from(id.as_bytes()[8] % 2))
}

/// A new session.
pub(super) fn session(id: SessionId, now: Timestamp) -> Session {
    let call = Call::new(Auth::Absent, Some(Subject::new(user_of(id), 0)));
    let Step::Challenge(challenge) = Guard::new(&FLOWS, &RULES).receive(call, None, id, now) else {
        unreachable!("no auth, no success")
    };
    challenge.session().clone()
}

/// Has the guard take an attempt at a stage.
fn attempt<R>(
    id: SessionId,
    session: Session,
    stage: &str,
    now: Timestamp,
    then: impl FnOnce(Step<'_, ChangePassword>) -> R,
) -> R {
    let auth = format!(
        r#"{{"type":"{stage}","session":"{}","response":"r",
            "identifier":{{"type":"m.id.user","user":"u"}},"password":"p"}}"#,
        id.expose(),
    );
    let call = Call::new(Auth::parse(auth.as_bytes()).unwrap(), Some(Subject::new(user_of(id), 0)));
    then(Guard::new(&FLOWS, &RULES).receive(call, Some(session), id, now))
}

/// What the step makes of the session, if it goes on and something has changed.
fn changed(step: Step<'_, ChangePassword>) -> Option<Session> {
    match step {
        Step::Challenge(challenge) => match challenge.write() {
            Write::Replace { session, .. } => Some(session.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The session with parameters bound: changed, and nothing passed.
pub(super) fn bound(id: SessionId, session: Session, now: Timestamp) -> Option<Session> {
    let auth = format!(r#"{{"session":"{}"}}"#, id.expose());
    let params = BindingKey::from_entropy([1; 16]).params::<ChangePassword>().boolean(Some(true)).finish();
    let call = Call::new(Auth::parse(auth.as_bytes()).unwrap(), Some(Subject::new(user_of(id), 0)));
    changed(Guard::new(&FLOWS, &RULES).receive(call.with_params(params), Some(session), id, now))
}

/// The session once a stage has proved something.
pub(super) fn passed(id: SessionId, session: Session, now: Timestamp) -> Option<Session> {
    attempt(id, session.clone(), "m.login.recaptcha", now, |step| match step {
        Step::Verify(pending) => {
            changed(pending.resolve(Verdict::Passed(Proof::Nothing)).apply(Some(session), id, now))
        }
        _ => None,
    })
}

fn granted(step: Step<'_, ChangePassword>) -> Option<Claim<ChangePassword>> {
    match step {
        Step::Grant(claim) => Some(claim),
        _ => None,
    }
}

/// The session once the other stage of its flow has passed too.
pub(super) fn claim(id: SessionId, session: Session, now: Timestamp) -> Option<Claim<ChangePassword>> {
    attempt(id, session.clone(), "m.login.password", now, |step| match step {
        Step::Verify(pending) => {
            let verified = pending.resolve(Verdict::Passed(Proof::User(user_of(id))));
            granted(verified.apply(Some(session), id, now))
        }
        step => granted(step),
    })
}

/// The session once the flow that proves nothing is complete.
pub(super) fn dummy(id: SessionId, session: Session, now: Timestamp) -> Option<Claim<ChangePassword>> {
    attempt(id, session, "m.login.dummy", now, granted)
}

/// An owner as evenly spread as a digest, and the same in every run.
pub(super) fn owner(number: u64) -> OwnerKey {
    OwnerKey::from_u64(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

pub(super) fn replacement(write: Write<'_>) -> Session {
    match write {
        Write::Replace { session, .. } => session.clone(),
        other => panic!("{other:?}"),
    }
}

/// What a test does to a store, in one call each.
pub(super) trait Steps: Store<Kept = u32> + Sized {
    fn session(&self, number: u64) -> Session {
        self.load(&id(number)).expect("the session is there").session.clone()
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
        let after = passed(id(number), before.clone(), at(now)).unwrap();
        self.replace(id(number), before.revision(), &after, None, at(now)).unwrap();
    }

    fn claim(&mut self, number: u64, now: u64) -> Receipt {
        let claim = claim(id(number), self.session(number), at(now)).unwrap();
        assert_eq!(self.apply(claim.write(), None, at(now)).unwrap().evicted, None);
        claim.assume_stored().redeem()
    }

    /// Claims it by the flow that proves nothing.
    fn claim_for_nothing(&mut self, number: u64, now: u64) -> Receipt {
        let claim = dummy(id(number), self.session(number), at(now)).unwrap();
        assert_eq!(self.apply(claim.write(), None, at(now)).unwrap().evicted, None);
        claim.assume_stored().redeem()
    }

    fn fail(&mut self, receipt: Receipt, now: u64) {
        assert_eq!(self.apply(receipt.failed().write(), None, at(now)).unwrap().evicted, None);
    }

    fn succeed(&mut self, receipt: Receipt, now: u64) {
        let redeemed = receipt.succeeded(Reference::new(1), at(now));
        assert_eq!(self.apply(redeemed.write(), None, at(now)).unwrap().evicted, None);
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
