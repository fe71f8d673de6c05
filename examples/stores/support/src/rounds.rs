//! How often a host asks its store in a flow: each question is a round trip of the network.

use crate::{Traffic, now};
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Committed, SessionChanges};
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Run, Stop, Verified};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::sealed::{IdKey, IdKeys};
use matrix_uia::server::store::OwnerKey;
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::testkit::adapter::{Found, TestStore};
use matrix_uia::{BindingKey, Flows, Rules, Secret, Session, SessionId};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// What each request of a flow may ask of the store.
struct Bounds {
    first: usize,
    /// A stage that is not the last: the session is loaded and written.
    stage: usize,
    /// The last: loaded, claimed, and written when the call is done.
    last: usize,
}

/// What is asked of the store. The futures of a store for tests may stay on one thread, those of a host may not: the
/// host asks over a channel.
enum Ask {
    Load(SessionId, oneshot::Sender<Result<Option<Found>, String>>),
    Commit(SessionChanges<Session>, Option<String>, oneshot::Sender<Result<Committed, String>>),
}

/// Answers a host's questions until it is gone.
async fn serve<S: TestStore>(store: &S, mut asked: mpsc::Receiver<Ask>) {
    while let Some(ask) = asked.recv().await {
        match ask {
            Ask::Load(id, answer) => {
                let _gone = answer.send(store.load(id).await.map_err(|error| error.to_string()));
            }
            Ask::Commit(changes, kept, answer) => {
                let done =
                    store.commit(changes.as_ref(), kept.as_deref(), OwnerKey::from_u64(1), now()).await;
                let _gone = answer.send(done.map(|done| done.committed).map_err(|error| error.to_string()));
            }
        }
    }
}

/// A host whose sessions lie in a store, and nothing else does. It asks for the session once: a commit that is stored
/// says what has become of it, and one that is lost says that it has to be loaded again.
struct OfStore {
    asks: mpsc::Sender<Ask>,
    known: Option<(SessionId, Option<Found>)>,
}

impl OfStore {
    const fn new(asks: mpsc::Sender<Ask>) -> Self {
        Self { asks, known: None }
    }

    /// What is known after these changes, in the place of what was known before.
    fn take_known_after(
        &mut self,
        changes: &SessionChanges<Session>,
        kept: Option<&str>,
    ) -> Option<(SessionId, Option<Found>)> {
        let before = self.known.take().and_then(|(_, found)| found).map(|found| found.kept);
        let put = changes.put.as_ref()?;
        let kept = kept.filter(|_| put.keep).map(str::to_owned).or(before.filter(|_| put.expected.is_some()));
        Some((put.id, Some(Found { session: put.session, kept: kept.unwrap_or_default() })))
    }

    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Ask + Send,
    ) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(ask(answer)).await.map_err(|error| error.to_string())?;
        answered.await.map_err(|error| error.to_string())?
    }
}

impl<'r, E: Endpoint> Host<'r, E> for OfStore {
    type Hash = String;
    type Error = String;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<E::Stored>, String> {
        let found = match (id, &self.known) {
            (Some(id), Some((known, found))) if *known == id => found.clone(),
            (Some(id), _) => {
                let found = self.ask(|answer| Ask::Load(id, answer)).await?;
                self.known = Some((id, found.clone()));
                found
            }
            (None, _) => None,
        };
        let (session, kept) = found.map(|found| (found.session, found.kept)).unzip();
        let stored = kept.and_then(|kept| serde_json::from_str(&kept).ok());
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        Ok(Loaded { session, stored, caller, now: now() })
    }

    async fn account(&mut self, _: UserRef) -> Result<Option<Account>, String> {
        Ok(Some(Account::new(ALICE, AccountStatus::default())))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, String> {
        let Check::Password(check) = question.check() else {
            return Ok(Verified::Outside(Verdict::Failed(StageFailure::Other)));
        };
        Ok(Verified::Outside(check.named(Named::User(ALICE)).verdict(true)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, _: Secret<'_>) -> Result<String, String> {
        Ok(String::new())
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed, String> {
        let changes = changes.session_changes().cloned();
        let kept = stored.and_then(|stored| serde_json::to_string(stored).ok());
        let known = self.take_known_after(&changes, kept.as_deref());
        let committed = self.ask(|answer| Ask::Commit(changes, kept, answer)).await?;
        self.known = known.filter(|_| committed == Committed::Stored);
        Ok(committed)
    }
}

/// Changes a password over that store, in flows of two requests and of three, with sealed IDs and without, and looks how
/// often it was asked: a challenge once at most, a flow of two requests four times at most.
///
/// # Panics
///
/// If it was asked more often.
#[allow(clippy::panic, reason = "it is a part of tests")]
pub async fn stay_within_the_bounds<S: TestStore>(store: &S, traffic: impl Fn() -> Traffic) {
    let keys = IdKeys::new(IdKey::new(1, [9; 32]));
    let kinds = [
        ("", HostKind::CLAIMS, Bounds { first: 1, stage: 2, last: 3 }),
        ("sealed, ", HostKind::CLAIMS.with_sealed_ids(&keys), Bounds { first: 0, stage: 2, last: 3 }),
    ];
    for (name, kind, bounds) in kinds {
        for flow in [&["m.login.password"][..], &["m.login.dummy", "m.login.password"]] {
            // The first flow over a connection prepares its statements, or loads the script.
            let _prepares = change_password(store, kind, flow, &traffic).await;
            let asked = change_password(store, kind, flow, &traffic).await;
            for (number, asked) in asked.iter().enumerate() {
                let at_most = match number {
                    0 => bounds.first,
                    _ if number == flow.len() => bounds.last,
                    _ => bounds.stage,
                };
                println!("{name}request {number} of {}: {asked:?}", flow.len());
                assert!(asked.round_trips <= at_most, "{name}request {number}: {asked:?}, not {at_most}");
            }
            let whole: usize = asked.iter().map(|asked| asked.round_trips).sum();
            assert!(flow.len() > 1 || whole <= 4, "{name}a flow of two requests: {whole}");
        }
    }
}

/// What each request of the flow took.
#[allow(clippy::panic, reason = "it is a part of tests")]
async fn change_password<S: TestStore>(
    store: &S,
    kind: HostKind<'_>,
    flow: &[&'static str],
    traffic: &impl Fn() -> Traffic,
) -> Vec<Traffic> {
    let flows = Flows::new([flow.to_vec()], None).unwrap_or_else(|error| panic!("{error:?}"));
    let (key, rules) = (BindingKey::from_entropy([7; 16]), Rules::default());
    let guarded = Guarded { flows: &flows, rules: &rules, key: &key, kind };
    let (mut asked, mut session) = (Vec::new(), None::<String>);
    for stage in std::iter::once(None).chain(flow.iter().map(Some)) {
        let auth = stage.map(
            |stage| json!({ "type": stage, "session": session, "user": "alice", "password": "wonderland" }),
        );
        let mut body = json!({ "new_password": "through-the-looking-glass" });
        if let (Some(body), Some(auth)) = (body.as_object_mut(), auth) {
            body.insert("auth".to_owned(), auth);
        }
        let before = traffic();
        let (asks, served) = mpsc::channel(1);
        // The host goes with its request, and with it who waits for its questions.
        let (answer, ()) = tokio::join!(send(OfStore::new(asks), guarded, &body), serve(store, served));
        asked.push(traffic().since(before));
        let is_done = asked.len() > flow.len();
        assert_eq!(answer.is_none(), is_done, "after request {}: {answer:?}", asked.len());
        session = answer.and_then(|challenge| Some(challenge.get("session")?.as_str()?.to_owned()));
    }
    asked
}

/// The challenge that is answered; `None` if the call was carried out.
#[allow(clippy::panic, reason = "it is a part of tests")]
async fn send(host: OfStore, guarded: Guarded<'_, ChangePassword>, body: &Value) -> Option<Value> {
    let body = body.to_string();
    let parsed = ChangePasswordRequest::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
    let request =
        parsed.check(&PasswordStrength::default(), true).unwrap_or_else(|error| panic!("{error:?}"));
    let mut run = Run::new(host, &request, guarded, fresh(), now());
    loop {
        match run.granted().await {
            Ok(Some(granted)) => {
                let (_, performing) = granted.into_parts();
                run.done(performing, Ok(Outcome::NOTHING), now());
            }
            Ok(None) => return None,
            Err(Stop::Respond(respond)) => return serde_json::from_str(&respond.body().to_string()).ok(),
            Err(Stop::Host(error)) => panic!("{error}"),
        }
    }
}

/// An ID that no other session has.
fn fresh() -> SessionId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut entropy = [0; 24];
    for (to, from) in entropy.iter_mut().zip(since.as_nanos().to_le_bytes()) {
        *to = from;
    }
    SessionId::from_entropy(entropy)
}
