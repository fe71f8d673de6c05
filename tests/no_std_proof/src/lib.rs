//! One password change from challenge to answer, on both sides, with `core` alone.
#![no_std]

use core::panic::PanicInfo;

use matrix_uia::client::{Answer as Reply, Call, Client, Next, Progress, Prompt};
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
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::respond::Respond;
use matrix_uia::server::store::{FixedStore, Lifetimes, OwnerKey, Store};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
use matrix_uia::{BindingKey, Flows, FlowsBuffer, MatrixError, Rules, Secret, SessionId, Timestamp};

/// An answer: its status and its body.
type Answer = (u16, heapless::String<512>);

/// The one user.
const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// What a device without a heap keeps.
struct Server<'p> {
    flows: &'p Flows<'p, ChangePassword>,
    rules: Rules,
    key: BindingKey,
    memory: Memory,
}

struct Memory {
    sessions: FixedStore<StoredPasswordChange, 2>,
    password: heapless::String<64>,
    now: Timestamp,
}

/// Nobody else has it, and requests come one by one.
impl OneTransaction for Memory {}

impl Server<'_> {
    /// One request, to its answer.
    fn answer(&mut self, body: &[u8], fresh: SessionId) -> Answer {
        let mut strength = PasswordStrength::default();
        strength.maximum_bytes = 64;
        let parsed = ChangePasswordRequest::parse(body).map_err(MatrixError::from);
        let request = match parsed.and_then(|request| request.check(&strength, true)) {
            Ok(request) => request,
            Err(error) => return send(&Respond::Error(error)),
        };
        let Self { flows, rules, key, memory } = self;
        let guarded = Guarded { flows, rules, key, kind: HostKind::assume_one_transaction::<Memory>() };
        match ready(change_password(memory, &request, guarded, fresh)) {
            Some(Ok(())) => send(&Respond::Performed),
            Some(Err(stop)) => send(&stop.into()),
            None => send(&Respond::Error(MatrixError::unavailable())),
        }
    }
}

async fn change_password<'r>(
    memory: &'r mut Memory,
    request: &'r Checked<ChangePasswordRequest<'r>>,
    guarded: Guarded<'r, ChangePassword>,
    fresh: SessionId,
) -> Result<(), Stop<'r, MatrixError>> {
    let now = memory.now;
    let mut run = Run::new(memory, request, guarded, fresh, now);
    while let Some(granted) = run.granted().await? {
        let (change, performing) = granted.into_parts();
        let mut effects = 0;
        for effect in change.effects() {
            effects += 1;
            if let Effect::SetPassword(password) = effect {
                run.host.password.clone_from(password);
            }
        }
        run.done(performing, Ok(Outcome::new(Reference::new(effects))), now);
    }
    Ok(())
}

fn send(respond: &Respond<'_>) -> Answer {
    let mut out = heapless::String::new();
    match respond.write_body(&mut out) {
        Ok(Some(status)) => (status, out),
        Ok(None) if out.push_str("{}").is_ok() => (200, out),
        _ => (500, out),
    }
}

impl<'r> Host<'r, Checked<ChangePasswordRequest<'r>>> for &mut Memory {
    type Hash = heapless::String<64>;
    type Error = MatrixError;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<StoredPasswordChange>, MatrixError> {
        let record = id.and_then(|id| self.sessions.load(&id));
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        Ok(Loaded::from_record(record, |kept| Some(kept.clone()), caller, self.now))
    }

    async fn account(&mut self, user: UserRef) -> Result<Option<Account>, MatrixError> {
        Ok((user == ALICE.user).then(|| Account::new(ALICE, AccountStatus::default())))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
        let Check::Password(check) = question.check() else {
            return Ok(Verified::InTransaction(Verdict::Failed(StageFailure::Other)));
        };
        let comparison = check.named(Named::User(ALICE));
        let matches = comparison.password().expose() == self.password.as_str();
        Ok(Verified::InTransaction(comparison.verdict(matches)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, password: Secret<'_>) -> Result<heapless::String<64>, MatrixError> {
        password.expose().to_fixed().map_err(|_| MatrixError::unavailable())
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, ChangePassword>,
        stored: Option<&StoredPasswordChange>,
    ) -> Result<Committed, MatrixError> {
        let stored =
            self.sessions.commit(changes.session_changes(), stored.cloned(), OwnerKey::NOBODY, self.now);
        Ok(stored.map_or_else(Committed::from, |_| Committed::Stored))
    }
}

/// Asks for the flows, gets the password wrong, gets it right, and asks again. The sum of
/// the four statuses: 401 + 401 + 200 + 200.
#[unsafe(no_mangle)]
pub extern "C" fn walk_one_flow(seed: u8) -> u32 {
    let mut buffer = FlowsBuffer::<256>::new();
    let Ok(flows) = Flows::<ChangePassword>::in_buffer([["m.login.password"]], None, &mut buffer) else {
        return 1;
    };
    let key = BindingKey::from_entropy([seed; 16]);
    let rules = Rules::default();
    let mut password = heapless::String::new();
    if password.push_str("wonderland").is_err() {
        return 1;
    }
    let now = Timestamp::from_millis(u64::from(seed));
    let memory = Memory { sessions: FixedStore::new(Lifetimes::of(&rules)), password, now };
    let mut server = Server { flows: &flows, rules, key, memory };
    let id = SessionId::from_entropy([seed; 24]);

    let mut sum = 0;
    let passwords = [None, Some("not it"), Some("wonderland"), Some("wonderland")];
    for password in passwords {
        let mut body: heapless::String<512> = heapless::String::new();
        let written = write_request(&mut body, password, id);
        if written.is_err() {
            return 2;
        }
        let (status, answer) = server.answer(body.as_bytes(), id);
        if !answer.starts_with('{') || !answer.ends_with('}') {
            return 3;
        }
        sum += u32::from(status);
    }
    sum
}

fn write_request(
    out: &mut impl core::fmt::Write,
    password: Option<&str>,
    id: SessionId,
) -> core::fmt::Result {
    out.write_str(r#"{"new_password":"looking-glass","auth":{"#)?;
    if let Some(password) = password {
        out.write_str(
            r#""type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":""#,
        )?;
        out.write_str(password)?;
        out.write_str(r#"","session":""#)?;
        out.write_str(&id.expose())?;
        out.write_str("\"")?;
    }
    out.write_str("}}")
}

/// The client's side of the same: the answers of a server that asks for a password, and
/// then for a dummy. Counts the requests it takes: 4.
#[unsafe(no_mangle)]
pub extern "C" fn walk_one_flow_as_a_client(seed: u8) -> u32 {
    let client = Client::new(&[AuthType::Password]);
    let replies: [(u16, &[u8]); 4] = [
        (401, br#"{"flows":[{"stages":["m.login.password","m.login.dummy"]}],"session":"s"}"#),
        (401, br#"{"errcode":"M_FORBIDDEN","error":"no","session":"s"}"#),
        (401, br#"{"completed":["m.login.password"],"session":"s"}"#),
        (200, b"{}"),
    ];
    let Ok(original) = Raw::parse(r#"{"new_password":"looking-glass"}"#) else { return 1 };
    let Ok(call) = Call::new("password", original) else { return 1 };
    let mut progress = Progress::<512>::new(call.name());
    let now = Timestamp::from_millis(u64::from(seed));
    let mut sent = 0;
    for (status, reply) in replies {
        let request = match client.next(&mut progress, now) {
            Next::Send(request) => request,
            Next::Prompt(Prompt::Password(prompt)) => {
                prompt.answer(UserIdentifier::User("alice".into()), Secret::new("wonderland"))
            }
            _ => return 2,
        };
        let ticket = request.ticket();
        let mut body: heapless::String<512> = heapless::String::new();
        if request.write(&call, &mut body).is_err() {
            return 3;
        }
        sent += 1;
        let _ = client.receive(&mut progress, ticket, Reply::new(status, reply), now);
    }
    if progress.is_over() { sent } else { 5 }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// A heap that never has anything: what links with it may name `alloc`, and no more.
#[cfg(feature = "alloc")]
mod heap {
    use core::alloc::{GlobalAlloc, Layout};

    struct Empty;

    // SAFETY: every allocation fails, which a caller has to expect.
    unsafe impl GlobalAlloc for Empty {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[global_allocator]
    static HEAP: Empty = Empty;
}
