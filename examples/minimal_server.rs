//! The loop, without HTTP: a call of a server's own, guarded by a password.
//!
//!     cargo run --example minimal_server

use core::convert::Infallible;
use core::error::Error;
use std::io::Read as _;
use std::time::Instant;

use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Committed, HostChange};
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Run, Stop, Verified, ready};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::Operation;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::seal::Sealer;
use matrix_uia::server::store::{HashedStore, Lifetimes, OwnerKey, Store as _};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::Auth;
use matrix_uia::{BindingKey, Call, Grant, Rules, Secret, SessionId, Text, Timestamp, flows};

/// The operation: its name is what a stored session knows it by.
struct EmptyTheVault;

impl Operation for EmptyTheVault {
    const NAME: &'static str = "org.example.vault.empty";
    const DESCRIPTION: &'static str = "empty the vault";
}

/// The request for it: nothing but an auth dict.
struct EmptyRequest<'a> {
    auth: Auth<'a>,
}

/// What a grant allows: made nowhere else.
struct Emptying {
    of: Option<UserRef>,
}

impl Endpoint for EmptyRequest<'_> {
    type Op = EmptyTheVault;
    type Stored = ();
    type Plan<H: Send> = Emptying;

    fn call(&self, _: &BindingKey) -> Call<'_, EmptyTheVault> {
        Call::new(&self.auth)
    }

    fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

    fn plan<H: Send>(
        &self,
        _: &BindingKey,
        grant: Grant<EmptyTheVault>,
        _: Option<()>,
        _: Option<H>,
    ) -> Result<Emptying, Refusal> {
        Ok(Emptying { of: grant.user() })
    }
}

/// The server's one user, whose access token comes with every request.
const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// What lasts from one request to the next.
struct Server {
    sessions: HashedStore,
    started: Instant,
}

impl Server {
    fn now(&self) -> Timestamp {
        self.started.elapsed().into()
    }
}

/// The crate asks; the server looks up and stores.
impl<'r> Host<'r, EmptyRequest<'r>> for &mut Server {
    type Hash = ();
    type Error = Infallible;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<()>, Infallible> {
        let record = id.and_then(|id| self.sessions.load(&id));
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        Ok(Loaded::from_record(record, |()| None, caller, self.now()))
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>, Infallible> {
        Ok((user == ALICE.user).then(|| Account::new(ALICE, AccountStatus::default())))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        let Check::Password(check) = question.check() else {
            return Ok(Verified::Outside(Verdict::Failed(StageFailure::Other)));
        };
        let find = |name: Text<'_>| (name == "alice").then_some(ALICE);
        let named = Named::by_localpart(check.identifier(), "example.org", find);
        let comparison = check.named(named);
        // A real server compares with a slow hash of the user in `comparison.against()`.
        let matches = comparison.password().expose() == "wonderland";
        Ok(Verified::Outside(comparison.verdict(matches)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, _: Secret<'_>) -> Result<(), Infallible> {
        Ok(())
    }

    // Sessions are kept apart from what is emptied, so a call is claimed first (`HostKind::CLAIMS`). A server that
    // leaves a record of the call where the call takes place, under `granted.record_under`, says in `recall` what
    // became of a claim that nobody ended. This one keeps none: such a session is over.

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, EmptyTheVault>,
        _: Option<&()>,
    ) -> Result<Committed, Infallible> {
        let now = self.now();
        Ok(changes.carry_out(&mut self.sessions, None, OwnerKey::NOBODY, now, |change| match change {
            // The vault has no transaction, and a password reserves nothing.
            HostChange::Undo | HostChange::GiveBack { .. } | HostChange::Spend { .. } => {}
        }))
    }
}

/// The handler: one request in, one answer out.
async fn empty_the_vault<'r>(
    server: &'r mut Server,
    request: &'r EmptyRequest<'r>,
    guarded: Guarded<'r, EmptyTheVault>,
    fresh: SessionId,
) -> Result<&'static str, Stop<'r, Infallible>> {
    let arrived = server.now();
    let mut run = Run::new(server, request, guarded, fresh, arrived);
    while let Some(granted) = run.granted().await? {
        let (emptying, performing) = granted.into_parts();
        println!("    (the vault of {:?} is emptied)", emptying.of);
        let now = run.host.now();
        run.done(performing, Ok(Outcome::NOTHING), now);
    }
    Ok("{}")
}

fn main() -> Result<(), Box<dyn Error>> {
    let rules = Rules::default();
    let flows = flows!(EmptyTheVault: [["m.login.password"]]);
    let key = BindingKey::from_entropy(entropy()?);
    let guarded = Guarded { flows: &flows, rules: &rules, key: &key, kind: HostKind::CLAIMS };
    let sessions = HashedStore::new(Lifetimes::of(&rules), 1_000);
    let mut server = Server { sessions, started: Instant::now() };

    let mut serve = |auth: &str| -> Result<String, Box<dyn Error>> {
        let request = EmptyRequest { auth: Auth::parse(auth.as_bytes())? };
        let fresh = SessionId::from_entropy(entropy()?);
        let mut body = String::new();
        let status = match ready(empty_the_vault(&mut server, &request, guarded, fresh)) {
            Some(Ok(answer)) => {
                body.push_str(answer);
                200
            }
            Some(Err(Stop::Respond(respond))) => respond.write_body(&mut body)?.unwrap_or(200),
            None => return Err("nothing here waits".into()),
        };
        println!("auth {auth}\n{status}  {body}\n");
        Ok(body)
    };

    let challenge = serve("{}")?;
    let session = challenge.split('"').nth_back(1).ok_or("a challenge has a session")?.to_string();
    for password in ["white-rabbit", "wonderland", "wonderland"] {
        let alice = r#""type":"m.login.password","user":"alice""#;
        serve(&format!(r#"{{{alice},"password":"{password}","session":"{session}"}}"#))?;
    }
    Ok(())
}

fn entropy<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut entropy = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut entropy)?;
    Ok(entropy)
}
