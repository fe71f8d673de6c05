//! One request on its way: what it brings, and what its host has answered so far.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Change, Committed, Put};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::{Commit, Exchange, HostKind, Incoming};
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::page::{PageExchange, PagePolicy, PageRequest};
use matrix_uia::server::page_outcome::PageOutcome;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::respond::Respond;
use matrix_uia::server::sealed::{IdKey, IdKeys, SessionName};
use matrix_uia::server::session::{Proof, Revision};
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::wire::{AuthData, AuthType, Raw};
use matrix_uia::{BindingKey, Flows, MatrixError, Millis, Rules, Session, SessionId, Text, Timestamp};

pub(super) type Op = ChangePassword;

pub(super) const ALICE: UserRef = UserRef::new(1);
const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const BEGUN: u64 = 1_000;
pub(super) const ARRIVED: u64 = 2_000;

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let mut rules = Rules::default();
    rules.claim_for = Millis::from_secs(10);
    rules
});
static FLOWS: LazyLock<Flows<'static, Op>> =
    LazyLock::new(|| Flows::new([["m.login.password", "org.example.voucher"]], None).unwrap());
static CHECKED: LazyLock<Vec<Checked<ChangePasswordRequest<'static>>>> =
    LazyLock::new(|| Kind::ALL.iter().map(|kind| checked(kind.body())).collect());
/// The same, with the session's sealed name.
static SEALED: LazyLock<Vec<Checked<ChangePasswordRequest<'static>>>> = LazyLock::new(|| {
    let name = sealed_name();
    let body = |kind: &Kind| str::from_utf8(kind.body()).unwrap().replace(&*id().expose(), &name);
    Kind::ALL.iter().map(|kind| checked(body(kind).leak().as_bytes())).collect()
});
/// What session IDs are sealed with.
pub(super) static KEYS: IdKeys = IdKeys::new(IdKey::new(1, [0x11; 32]));

fn checked(body: &'static [u8]) -> Checked<ChangePasswordRequest<'static>> {
    ChangePasswordRequest::parse(body).unwrap().check(&PasswordStrength::default(), true).unwrap()
}

/// What a request brings, all of them to one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The right password.
    Right,
    /// A wrong one.
    Wrong,
    /// The voucher, which is the last stage.
    Voucher,
    /// Only the session.
    Poll,
    /// The voucher, with other parameters than the session is bound to.
    OtherParams,
    /// The voucher, sent once the call has succeeded: its answer was lost.
    Repeat,
    /// The voucher, by the form of its fallback page.
    Page,
}

impl Kind {
    pub(super) const ALL: [Self; 7] =
        [Self::Right, Self::Wrong, Self::Voucher, Self::Poll, Self::OtherParams, Self::Repeat, Self::Page];

    /// The session's ID is that of 24 bytes of `Z`.
    const fn body(self) -> &'static [u8] {
        match self {
            Self::Right => {
                br#"{"auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK","type":"m.login.password","user":"alice","password":"right"}}"#
            }
            Self::Wrong => {
                br#"{"auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK","type":"m.login.password","user":"alice","password":"wrong"}}"#
            }
            Self::Voucher | Self::Repeat | Self::Page => {
                br#"{"auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK","type":"org.example.voucher","code":"once"}}"#
            }
            Self::Poll => br#"{"auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK"}}"#,
            Self::OtherParams => {
                br#"{"new_password":"rabbit-hole","auth":{"session":"PPPPPPPPPPPPPPPPPPPPPPPPKKKKKKKK","type":"org.example.voucher","code":"once"}}"#
            }
        }
    }

    fn checked(self, sealed: bool) -> &'static Checked<ChangePasswordRequest<'static>> {
        if sealed { &SEALED[self as usize] } else { &CHECKED[self as usize] }
    }
}

/// A session as it is stored: as text, which another process would read.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) session: Session,
    text: String,
}

/// What a step read, or what there is.
#[derive(Clone, Debug)]
pub(super) struct Read(pub(super) Option<Arc<Stored>>);

impl Read {
    pub(super) const NOTHING: Self = Self(None);

    pub(super) fn of(session: &Session) -> Self {
        let text = serde_json::to_string(session).unwrap();
        let session = serde_json::from_str(&text).unwrap();
        Self(Some(Arc::new(Stored { session, text })))
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.0.as_deref().map(|stored| &stored.session)
    }

    fn text(&self) -> Option<&str> {
        self.0.as_deref().map(|stored| stored.text.as_str())
    }
}

impl PartialEq for Read {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Read {}

impl Hash for Read {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.text().hash(hasher);
    }
}

/// The host's answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Said {
    /// The session, the epoch of the account and the time, read in one transaction.
    Loaded(Read, u32, u64),
    /// The password was compared when the account was at this epoch.
    Verified(u32),
    /// The voucher's one use is reserved for the session.
    Reserved,
    /// It is used up: by the session that this request has read before.
    UsedUp,
    /// Whether there is a record of the call.
    Recalled(bool),
    /// The call succeeded at this time.
    Succeeded(u64),
    /// The call failed for a reason of its own.
    Failed,
    /// There was a record of the call already.
    Already,
    Stored,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// 401: so many stages have passed, and what was wrong.
    Challenged(usize, Option<&'static str>),
    Refused(&'static str),
    Succeeded,
    Replayed,
    /// The page says that the stage has passed, or that it hasn't.
    Shown(bool),
}

/// The question that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asks {
    Load,
    Verify(Of),
    Recall,
    Perform,
    Commit,
    Nothing(Answer),
    Killed,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Password,
    Voucher,
}

impl Of {
    fn asked(question: &Question<'_>) -> Self {
        assert_eq!(question.session_id(), id());
        match question.check() {
            Check::Password(_) => Self::Password,
            Check::Custom { .. } => Self::Voucher,
            other => unreachable!("{other:?} is in no flow"),
        }
    }
}

/// A write to the session that everybody names.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) expected: Option<Revision>,
    /// `None`: it is removed.
    pub(super) session: Option<Session>,
}

/// What a commit does with the voucher's use that is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    GivenBack,
    Spent,
}

enum On {
    Client(Box<Incoming<'static, Op>>),
    Page(Box<PageExchange<'static>>),
}

/// An exchange at the question that needs the world to answer it.
pub(super) struct Going {
    on: On,
    epoch: u32,
    /// Whether the session was claimed when it was loaded.
    claimed: bool,
    repeated: bool,
    one_transaction: bool,
}

impl Going {
    pub(super) fn begin(kind: Kind, host: HostKind<'static>, sealed: bool, fresh: u8, arrived: u64) -> Self {
        let fresh = SessionId::from_entropy([fresh; 24]);
        let arrived = Timestamp::from_millis(arrived);
        let call = kind.checked(sealed).call(&KEY);
        let on = if kind == Kind::Page {
            let session = if sealed { named(&host) } else { id().into() };
            let stage = AuthType::Custom("org.example.voucher".into());
            let visit = PageRequest::form(session, stage, Ok(voucher()), None);
            On::Page(Box::new(PageExchange::begin(visit, arrived)))
        } else {
            On::Client(Box::new(Incoming::new(&FLOWS, &RULES, host, call, fresh, arrived)))
        };
        Self { on, epoch: 0, claimed: false, repeated: false, one_transaction: !host.claims() }
    }

    /// Answers the question, and every one after it that this request alone can answer.
    pub(super) fn say(mut self, said: &Said) -> Self {
        if let Said::Loaded(read, epoch, _) = said {
            self.epoch = *epoch;
            self.claimed = read.session().is_some_and(Session::is_claimed);
        }
        let (epoch, one_transaction) = (self.epoch, self.one_transaction);
        match &mut self.on {
            On::Client(incoming) => {
                let mut exchange = say(incoming.exchange(), said, one_transaction);
                loop {
                    exchange = match exchange {
                        Exchange::Account(it) => it.found(Some(alice(epoch))),
                        Exchange::Admit(it) => it.admitted(),
                        Exchange::Hash(it) => it.hashed(),
                        Exchange::Repeat(it) => {
                            assert_eq!(it.outcome(), Reference::new(1));
                            self.repeated = true;
                            it.repeated()
                        }
                        Exchange::Commit(it) if it.changes().next().is_none() => {
                            it.committed(Committed::Stored)
                        }
                        _ => return self,
                    };
                }
            }
            On::Page(_) => self.say_page(said),
        }
    }

    fn say_page(self, said: &Said) -> Self {
        let On::Page(exchange) = self.on else { return self };
        let mut exchange = say_page(*exchange, said, self.one_transaction);
        loop {
            exchange = match exchange {
                PageExchange::Policy(it) => it.found(Some(PagePolicy::new(&FLOWS, &RULES))),
                PageExchange::Account(it) => it.found(Some(alice(self.epoch))),
                PageExchange::Commit(it) if it.changes().next().is_none() => it.committed(Committed::Stored),
                exchange => return Self { on: On::Page(Box::new(exchange)), ..self },
            };
        }
    }

    pub(super) fn asks(&mut self) -> Asks {
        match &mut self.on {
            On::Client(incoming) => match incoming.exchange() {
                Exchange::Load(_) => Asks::Load,
                Exchange::Verify(verify) => Asks::Verify(Of::asked(verify.question())),
                Exchange::Recall(_) => Asks::Recall,
                Exchange::Perform(_) => Asks::Perform,
                Exchange::Commit(_) => Asks::Commit,
                Exchange::Respond(respond) => Asks::Nothing(match respond {
                    Respond::Performed if self.repeated => Answer::Replayed,
                    Respond::Performed => Answer::Succeeded,
                    Respond::Challenge(challenge) => {
                        let passed = challenge.completed();
                        Answer::Challenged(passed, challenge.error_code().map(ErrorCode::name))
                    }
                    Respond::Error(error) => Answer::Refused(error.code().name()),
                }),
                _ => unreachable!("it has been answered"),
            },
            On::Page(exchange) => match &**exchange {
                PageExchange::Load(_) => Asks::Load,
                PageExchange::Commit(_) => Asks::Commit,
                PageExchange::Respond(outcome) => {
                    Asks::Nothing(Answer::Shown(*outcome == PageOutcome::Passed))
                }
                PageExchange::Verify(verify) => Asks::Verify(Of::asked(verify.question())),
                PageExchange::Policy(_) | PageExchange::Account(_) => unreachable!("it has been answered"),
            },
        }
    }

    /// What is to be written, but for sessions that nobody here can name.
    pub(super) fn writes(&mut self) -> Vec<Write> {
        self.changes(write)
    }

    /// What becomes of the voucher's use that is reserved.
    pub(super) fn reservations(&mut self) -> Vec<Reservation> {
        self.changes(reservation)
    }

    fn changes<T>(&mut self, of: fn(Change<'_>) -> Option<T>) -> Vec<T> {
        match &mut self.on {
            On::Client(incoming) => {
                let Exchange::Commit(commit) = incoming.exchange() else {
                    unreachable!("there is nothing to write")
                };
                commit.changes().filter_map(of).collect()
            }
            On::Page(exchange) => {
                let PageExchange::Commit(commit) = &**exchange else {
                    unreachable!("there is nothing to write")
                };
                commit.changes().filter_map(of).collect()
            }
        }
    }

    /// The epoch at which the account was loaded.
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether the grant is of a whole flow, and for whom the session is, and whether the
    /// session is claimed for it where claims are stored. The record of the
    /// call is left under the session where a claim is stored, and only there.
    pub(super) fn grants_what_is_earned(self, claims: bool) -> bool {
        let On::Client(mut incoming) = self.on else { return false };
        let Exchange::Perform(perform) = incoming.exchange() else { return false };
        let under = perform.record_under();
        let (grant, performing) = perform.grant();
        grant.proofs().count() == 2
            && grant.user() == Some(ALICE)
            && self.epoch == 0
            && self.claimed == claims
            && performing.session_id() == Some(id())
            && under == grant.record_under()
            && under == claims.then(id)
    }
}

fn say<'w>(
    exchange: Exchange<'w, 'static, Op>,
    said: &Said,
    one_transaction: bool,
) -> Exchange<'w, 'static, Op> {
    let outcome = Outcome::new(Reference::new(1));
    match (exchange, said) {
        (Exchange::Load(it), Said::Loaded(read, epoch, now)) => {
            assert_eq!(it.session_id(), Some(id()));
            it.found(read.session(), Caller::User(alice(*epoch)), Timestamp::from_millis(*now))
        }
        (Exchange::Verify(it), Said::Verified(epoch)) => {
            let verdict = compare(it.question(), *epoch);
            it.verdict(verdict)
        }
        (Exchange::Verify(it), said) if one_transaction => it.verdict_in_transaction(verdict(said)),
        (Exchange::Verify(it), said) => it.verdict(verdict(said)),
        (Exchange::Recall(it), Said::Recalled(found)) => {
            assert_eq!(it.session_id(), id());
            if *found { it.carried_out(outcome) } else { it.not_carried_out() }
        }
        (Exchange::Perform(it), Said::Succeeded(at)) => {
            it.grant().1.succeeded(outcome, Timestamp::from_millis(*at))
        }
        (Exchange::Perform(it), Said::Failed) => {
            it.grant().1.refused(Refusal::new(MatrixError::new(ErrorCode::Unknown, "It failed.")))
        }
        (Exchange::Perform(it), Said::Already) => it.grant().1.already(outcome),
        (Exchange::Commit(it), Said::Stored) => it.committed(Committed::Stored),
        (Exchange::Commit(it), Said::Lost) => it.committed(Committed::Lost),
        (exchange, said) => unreachable!("{said:?} is no answer to {exchange:?}"),
    }
}

fn say_page(exchange: PageExchange<'static>, said: &Said, one_transaction: bool) -> PageExchange<'static> {
    match (exchange, said) {
        (PageExchange::Load(it), Said::Loaded(read, _, now)) => {
            it.found(read.session().cloned(), Timestamp::from_millis(*now))
        }
        (PageExchange::Verify(it), said) if one_transaction => it.verdict_in_transaction(verdict(said)),
        (PageExchange::Verify(it), said) => it.verdict(verdict(said)),
        (PageExchange::Commit(it), Said::Stored) => it.committed(Committed::Stored),
        (PageExchange::Commit(it), Said::Lost) => it.committed(Committed::Lost),
        (exchange, said) => unreachable!("{said:?} is no answer to {exchange:?}"),
    }
}

/// The right password is right as long as the account is as it was at first.
fn compare(question: &Question<'_>, epoch: u32) -> Verdict<'static> {
    let Check::Password(check) = question.check() else { unreachable!("nothing else is asked") };
    let comparison = check.named(Named::User(Subject::new(ALICE, epoch)));
    assert_eq!(comparison.against(), Some(ALICE));
    let matches = epoch == 0 && comparison.password().expose() == "right";
    comparison.verdict(matches)
}

fn write(change: Change<'_>) -> Option<Write> {
    match change {
        Change::Put(Put { id: key, expected, session, .. }) => {
            (key == id()).then_some(Write { expected, session: Some(*session) })
        }
        Change::Remove { id: key, expected } => {
            assert_eq!(key, id());
            Some(Write { expected: Some(expected), session: None })
        }
        // The effects of a call that failed are not modelled.
        Change::Undo | Change::GiveBack { .. } | Change::Spend { .. } => None,
    }
}

fn reservation(change: Change<'_>) -> Option<Reservation> {
    let (session, proof, reservation) = match change {
        Change::GiveBack { session, proof } => (session, proof, Reservation::GivenBack),
        Change::Spend { session, proof } => (session, proof, Reservation::Spent),
        Change::Undo | Change::Put(_) | Change::Remove { .. } => return None,
    };
    assert_eq!((session, proof), (id(), Proof::Other(RESERVATION)));
    Some(reservation)
}

const RESERVATION: Reference = Reference::new(2);

fn verdict(said: &Said) -> Verdict<'static> {
    match said {
        Said::Reserved => Verdict::Passed(Evidence::other(RESERVATION)),
        Said::UsedUp => Verdict::Failed(StageFailure::Other),
        said => unreachable!("{said:?} says nothing about the voucher"),
    }
}

fn voucher() -> AuthData<'static> {
    AuthData::Custom(Raw::parse(r#"{"type":"org.example.voucher","code":"once"}"#).unwrap())
}

fn alice(epoch: u32) -> Account {
    Account::new(Subject::new(ALICE, epoch), AccountStatus::default())
}

const fn id() -> SessionId {
    SessionId::from_entropy([b'Z'; 24])
}

/// The client's first request, with its parameters.
static FIRST: LazyLock<Checked<ChangePasswordRequest<'static>>> =
    LazyLock::new(|| checked(br#"{"new_password":"looking-glass"}"#));

/// Takes it to its commit, of a session that no store has yet.
fn first<T>(kind: HostKind<'_>, take: impl FnOnce(Commit<'_, '_, Op>) -> T) -> T {
    let begun = Timestamp::from_millis(BEGUN);
    let mut incoming = Incoming::new(&FLOWS, &RULES, kind, FIRST.call(&KEY), id(), begun);
    let Exchange::Load(load) = incoming.exchange() else { unreachable!("it begins with a load") };
    let exchange = load.found(None, Caller::User(alice(0)), begun);
    let Exchange::Admit(admit) = exchange else { unreachable!("the host lets it in or not") };
    let Exchange::Commit(commit) = admit.admitted() else { unreachable!("no auth, no success") };
    take(commit)
}

/// What the first answer of a host with sealed IDs calls the session.
fn sealed_name() -> String {
    first(HostKind::CLAIMS.with_sealed_ids(&KEYS), |commit| {
        assert_eq!(commit.changes().count(), 0);
        let Exchange::Respond(respond) = commit.committed(Committed::Stored) else {
            unreachable!("it is stored")
        };
        let body: serde_json::Value = serde_json::from_str(&respond.body().to_string()).unwrap();
        body["session"].as_str().unwrap().to_owned()
    })
}

/// The session as a page with its sealed name finds it.
fn named(host: &HostKind<'static>) -> SessionName<'static> {
    static NAME: LazyLock<String> = LazyLock::new(sealed_name);
    host.session_name(Text::new(&NAME)).unwrap()
}

/// The session as the client's first request left it.
pub(super) fn begun() -> Read {
    let session = first(HostKind::CLAIMS, |commit| {
        commit.changes().find_map(write).and_then(|write| write.session).unwrap()
    });
    Read::of(&session)
}
