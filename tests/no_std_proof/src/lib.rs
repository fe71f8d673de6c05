//! One password change from challenge to answer, on both sides, with `core` alone.
#![no_std]

use core::panic::PanicInfo;

use matrix_uia::client::{Answer as Reply, Client, Next, Progress, Prompt};
use matrix_uia::endpoint::password::{self, ChangePasswordRequest, Effect, PasswordStrength};
use matrix_uia::server::operation::{ChangePassword, Reference, Subject, UserRef};
use matrix_uia::server::session::{Proof, Verdict, Write};
use matrix_uia::wire::{AuthType, Raw, UserIdentifier};
use matrix_uia::{BindingKey, Flows, Guard, MatrixError, Rules, Secret, Session, SessionId, Step, Timestamp};

/// An answer: its status and its body.
type Answer = (u16, heapless::String<512>);

/// What a device without a heap keeps: its policy and one session.
struct Server<'p> {
    flows: &'p Flows<'p, ChangePassword>,
    rules: Rules,
    key: BindingKey,
    stored: Option<(SessionId, Session)>,
}

impl Server<'_> {
    fn store(&mut self, write: Write<'_>) -> bool {
        match write {
            Write::Insert { id, session } => self.stored = Some((id, session.clone())),
            Write::Replace { id, expected, session } => match &mut self.stored {
                Some((at, old)) if *at == id && old.revision() == expected => *old = session.clone(),
                _ => return false,
            },
            _ => {}
        }
        true
    }

    /// One request, to its answer; `is_right` stands for the comparison of hashes.
    fn answer(
        &mut self,
        body: &[u8],
        fresh: SessionId,
        now: Timestamp,
        is_right: fn(&str) -> bool,
    ) -> Answer {
        let request = match ChangePasswordRequest::parse(body) {
            Ok(request) => request,
            Err(error) => return refuse(error.into()),
        };
        if let Err(reject) = request.check(&PasswordStrength::default(), true) {
            return refuse(reject);
        }
        let call = request.call(&self.key, Some(Subject::new(UserRef::new(1), 0)));
        let stored = self.stored.clone().filter(|(id, _)| call.session_id() == Some(*id));
        let rules = self.rules.clone();
        let mut step = Guard::new(self.flows, &rules).receive(call, stored.map(|it| it.1), fresh, now);
        if let Step::Verify(pending) = step {
            let mut buffer = [0; 128];
            let right = match pending.check() {
                matrix_uia::server::session::Check::Password { password, .. } => {
                    password.expose().copy_to(&mut buffer).is_ok_and(is_right)
                }
                _ => false,
            };
            let verdict = if right {
                Verdict::Passed(Proof::User(UserRef::new(1)))
            } else {
                Verdict::Failed(matrix_uia::server::session::StageFailure::Credentials)
            };
            let current = self.stored.clone().map(|it| it.1);
            step = pending.resolve(verdict).apply(current, fresh, now);
        }
        let mut out = heapless::String::new();
        match step {
            Step::Challenge(challenge) => {
                self.store(challenge.write());
                match challenge.write_body(&mut out) {
                    Ok(()) => (401, out),
                    Err(_) => refuse(MatrixError::unavailable()),
                }
            }
            Step::Grant(claim) => {
                if !self.store(claim.write()) {
                    return refuse(MatrixError::unavailable());
                }
                match password::change(claim.assume_stored(), &request, None) {
                    Ok(change) => {
                        let first = change.effects().next() == Some(Effect::SetPassword);
                        let redeemed = change.receipt().succeeded(Reference::new(u64::from(first)), now);
                        self.store(redeemed.write());
                        let _ = out.push_str("{}");
                        (200, out)
                    }
                    Err(denied) => {
                        self.store(denied.redeemed().write());
                        refuse(denied.reject())
                    }
                }
            }
            Step::Replay(_) => {
                let _ = out.push_str("{}");
                (200, out)
            }
            Step::Reject(refused) => {
                self.store(refused.write());
                refuse(refused.reject())
            }
            _ => refuse(MatrixError::unavailable()),
        }
    }
}

fn refuse(reject: MatrixError) -> Answer {
    let mut out = heapless::String::new();
    let _ = reject.write(&mut out);
    (reject.status(), out)
}

/// Asks for the flows, gets the password wrong, gets it right, and asks again. The sum of
/// the four statuses: 401 + 401 + 200 + 200.
#[unsafe(no_mangle)]
pub extern "C" fn walk_one_flow(seed: u8) -> u32 {
    let mut buffer = [0; 256];
    let Ok(flows) = Flows::<ChangePassword>::in_buffer([["m.login.password"]], None, &mut buffer) else {
        return 1;
    };
    let key = BindingKey::from_entropy([seed; 16]);
    let mut server = Server { flows: &flows, rules: Rules::default(), key, stored: None };
    let id = SessionId::from_entropy([seed; 24]);
    let now = Timestamp::from_millis(u64::from(seed));

    let mut sum = 0;
    let passwords = [None, Some("not it"), Some("wonderland"), Some("wonderland")];
    for password in passwords {
        let mut body: heapless::String<512> = heapless::String::new();
        let written = write_request(&mut body, password, id);
        if written.is_err() {
            return 2;
        }
        let (status, answer) = server.answer(body.as_bytes(), id, now, |given| given == "wonderland");
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
    let mut progress = Progress::<512>::new();
    let replies: [(u16, &[u8]); 4] = [
        (401, br#"{"flows":[{"stages":["m.login.password","m.login.dummy"]}],"session":"s"}"#),
        (401, br#"{"errcode":"M_FORBIDDEN","error":"no","session":"s"}"#),
        (401, br#"{"completed":["m.login.password"],"session":"s"}"#),
        (200, b"{}"),
    ];
    let Ok(original) = Raw::parse(r#"{"new_password":"looking-glass"}"#) else { return 1 };
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
        if request.write(original, &mut body).is_err() {
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
