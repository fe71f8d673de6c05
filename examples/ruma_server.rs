//! A homeserver's handler in ruma's types, with this crate's machine inside.
//!
//!     cargo run --example ruma_server --features ruma

use core::error::Error;
use std::io::Read as _;
use std::time::Instant;

use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, Effect, PasswordStrength, StoredPasswordChange};
use matrix_uia::ruma::Body;
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
use matrix_uia::server::store::{HashedStore, Lifetimes, OwnerKey, Store as _};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::UserIdentifier;
use matrix_uia::{BindingKey, Flows, MatrixError, Rules, Secret, SessionId, Timestamp};
use ruma_client_api::account::change_password::v3;
use ruma_client_api::uiaa::{self, AuthData, UiaaInfo, UiaaResponse};

const ALICE: Subject = Subject::new(UserRef::new(1), 0);

struct Server {
    rules: Rules,
    flows: Flows<'static, ChangePassword>,
    key: BindingKey,
    memory: Memory,
}

/// What a request reads and writes. Nobody else has it, and requests come one by one.
struct Memory {
    sessions: HashedStore<StoredPasswordChange>,
    alices_password: String,
    started: Instant,
}

impl OneTransaction for Memory {}

impl Server {
    /// The handler. The framework has read the request, and the access token is alice's.
    fn change_password(&mut self, body: &v3::Request) -> Result<v3::Response, UiaaResponse> {
        let body = Body::of(body);
        let request = body.read()?.check(&PasswordStrength::default(), true)?;

        let fresh = SessionId::from_entropy(entropy().ok_or_else(MatrixError::unavailable)?);
        let kind = HostKind::assume_one_transaction::<Memory>();
        let guarded = Guarded { flows: &self.flows, rules: &self.rules, key: &self.key, kind };
        match ready(carry_out(&mut self.memory, &request, guarded, fresh)) {
            Some(Ok(())) => Ok(v3::Response::new()),
            Some(Err(Stop::Respond(Respond::Challenge(challenge)))) => Err((&challenge).into()),
            Some(Err(Stop::Respond(Respond::Error(error)) | Stop::Host(error))) => Err(error.into()),
            // Nothing here waits, and a call that was performed is no reason to stop.
            Some(Err(Stop::Respond(Respond::Performed))) | None => Err(MatrixError::unavailable().into()),
        }
    }
}

async fn carry_out<'r>(
    memory: &'r mut Memory,
    request: &'r Checked<ChangePasswordRequest<'r>>,
    guarded: Guarded<'r, ChangePassword>,
    fresh: SessionId,
) -> Result<(), Stop<'r, MatrixError>> {
    let arrived = memory.now();
    let mut run = Run::new(memory, request, guarded, fresh, arrived);
    while let Some(granted) = run.granted().await? {
        let (change, performing) = granted.into_parts();
        for effect in change.effects() {
            // The rest of them ends devices, of which this server has none.
            if let Effect::SetPassword(password) = effect {
                run.host.alices_password.clone_from(password);
            }
        }
        let now = run.host.now();
        run.done(performing, Ok(Outcome::NOTHING), now);
    }
    Ok(())
}

impl Memory {
    fn now(&self) -> Timestamp {
        self.started.elapsed().into()
    }
}

impl<'r> Host<'r, Checked<ChangePasswordRequest<'r>>> for &mut Memory {
    type Hash = String;
    type Error = MatrixError;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<StoredPasswordChange>, MatrixError> {
        let record = id.and_then(|id| self.sessions.load(&id));
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        Ok(Loaded::from_record(record, |kept| Some(kept.clone()), caller, self.now()))
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>, MatrixError> {
        Ok((user == ALICE.user).then(|| Account::new(ALICE, AccountStatus::default())))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
        let Check::Password(check) = question.check() else {
            return Ok(Verified::InTransaction(Verdict::Failed(StageFailure::Other)));
        };
        let named = match check.identifier() {
            UserIdentifier::User(name) if name == "alice" => Named::User(ALICE),
            _ => Named::Nobody,
        };
        let comparison = check.named(named);
        // A real server compares with a slow hash.
        let matches = comparison.password().expose() == self.alices_password.as_str();
        Ok(Verified::InTransaction(comparison.verdict(matches)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, password: Secret<'_>) -> Result<String, MatrixError> {
        Ok(password.expose().to_cow().into_owned())
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, ChangePassword>,
        stored: Option<&StoredPasswordChange>,
    ) -> Result<Committed, MatrixError> {
        let now = self.now();
        let committed =
            self.sessions.commit(changes.session_changes(), stored.cloned(), OwnerKey::NOBODY, now);
        Ok(committed.map_or_else(Committed::from, |_| Committed::Stored))
    }
}

fn entropy<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom").ok()?.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// The 401 that the handler has to have answered with.
fn challenged(answer: Result<v3::Response, UiaaResponse>) -> Result<UiaaInfo, Box<dyn Error>> {
    match answer {
        Err(UiaaResponse::AuthResponse(info)) => Ok(info),
        other => Err(format!("not a challenge: {other:?}").into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rules = Rules::default();
    let memory = Memory {
        sessions: HashedStore::new(Lifetimes::of(&rules), 1_000),
        alices_password: "wonderland".to_owned(),
        started: Instant::now(),
    };
    let mut server = Server {
        flows: Flows::new([["m.login.password"]], None)?,
        key: BindingKey::from_entropy(entropy().ok_or("no entropy")?),
        memory,
        rules,
    };
    let mut request = v3::Request::new("looking-glass".to_owned());

    let first = challenged(server.change_password(&request))?;
    assert!(first.flows.iter().all(|flow| flow.stages == [uiaa::AuthType::Password]));

    let mut attempt = |password: &str, session: Option<String>| {
        let identifier = uiaa::MatrixUserIdentifier::new("alice".to_owned()).into();
        let mut data = uiaa::Password::new(identifier, password.to_owned());
        data.session = session;
        request.auth = Some(AuthData::Password(data));
        server.change_password(&request)
    };
    let failed = challenged(attempt("white-rabbit", first.session.clone()))?;
    assert_eq!(failed.session, first.session);
    assert_eq!(
        failed.auth_error.map(|error| error.kind),
        Some(ruma_common::api::error::ErrorKind::Forbidden)
    );

    attempt("wonderland", first.session.clone())?;
    // The answer was lost, and the client asks again: it is told the same.
    attempt("wonderland", first.session)?;
    assert_eq!(server.memory.alices_password, "looking-glass");
    println!("alice has a new password");
    Ok(())
}
