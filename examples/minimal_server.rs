//! The loop, without HTTP: a call of a server's own, guarded by a password.
//!
//!     cargo run --example minimal_server

use core::error::Error;
use std::io::Read as _;
use std::time::Instant;

use matrix_uia::server::operation::{Operation, OperationId, Reference, Subject, UserRef};
use matrix_uia::server::session::{Challenge, Check, Proof, StageFailure, Verdict};
use matrix_uia::server::store::{HashedStore, Lifetimes, Store as _};
use matrix_uia::wire::Auth;
use matrix_uia::{Call, Flows, Grant, Guard, Rules, SessionId, Step, Timestamp};

struct EmptyTheVault;

impl Operation for EmptyTheVault {
    const ID: OperationId = OperationId::custom(1);
    const DESCRIPTION: &'static str = "empty the vault";
}

/// It can't be called without the grant, and the grant can't be made elsewhere.
fn empty_the_vault(grant: Grant<EmptyTheVault>, now: Timestamp) -> matrix_uia::server::session::Redeemed {
    println!("    (the vault of {:?} is emptied)", grant.user());
    grant.redeem().succeeded(Reference::new(0), now)
}

fn main() -> Result<(), Box<dyn Error>> {
    let alice = UserRef::new(1);
    let started = Instant::now();
    let rules = Rules::default();
    let flows = Flows::<EmptyTheVault>::new([["m.login.password"]], None)?;
    let mut sessions = HashedStore::<()>::new(Lifetimes::of(&rules), 1_000);

    // One request in, one answer out. The access token that comes with it is alice's.
    let mut serve = |auth: &str| -> Result<String, Box<dyn Error>> {
        let mut entropy = [0; SessionId::ENTROPY];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut entropy)?;
        let fresh = SessionId::from_entropy(entropy);
        let now = || Timestamp::from_millis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));

        let call = Call::new(Auth::parse(auth.as_bytes())?, Some(Subject::new(alice, 0)));
        let stored = call.session_id().and_then(|id| Some(sessions.load(&id)?.session.clone()));
        let mut step = Guard::new(&flows, &rules).receive(call, stored.clone(), fresh, now());
        if let Step::Verify(question) = step {
            let verdict = match question.check() {
                Check::Password { password, .. } if password.expose() == "wonderland" => {
                    Verdict::Passed(Proof::User(alice))
                }
                _ => Verdict::Failed(StageFailure::Credentials),
            };
            // Nobody else has this store; where others have, the session is read again here.
            step = question.resolve(verdict).apply(stored, fresh, now());
        }

        let mut answer = String::new();
        let status = match step {
            Step::Challenge(challenge) => {
                let _ = sessions.apply(challenge.write(), None, now())?;
                challenge.write_body(&mut answer)?;
                Challenge::STATUS
            }
            Step::Grant(claim) => {
                let _ = sessions.apply(claim.write(), None, now())?;
                let ended = empty_the_vault(claim.assume_stored(), now());
                let _ = sessions.apply(ended.write(), None, now())?;
                answer.push_str("{}");
                200
            }
            Step::Replay(_) => {
                answer.push_str("{}");
                200
            }
            Step::Reject(refused) => {
                let _ = sessions.apply(refused.write(), None, now())?;
                refused.reject().write(&mut answer)?;
                refused.reject().status()
            }
            _ => return Err("a step that this version does not know".into()),
        };
        println!("auth {auth}\n{status}  {answer}\n");
        Ok(answer)
    };

    let challenge = serve("{}")?;
    let session = challenge.split('"').nth_back(1).ok_or("a challenge has a session")?.to_string();
    for password in ["white-rabbit", "wonderland", "wonderland"] {
        let alice = r#""type":"m.login.password","user":"alice""#;
        serve(&format!(r#"{{{alice},"password":"{password}","session":"{session}"}}"#))?;
    }
    Ok(())
}
