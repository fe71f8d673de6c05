//! A password change whose secrets can be told from anything else, and what a store makes of it.

use crate::now;
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength, StoredPasswordChange};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::check::Named;
use matrix_uia::server::commit::{Committed, Put, SessionChanges};
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Run, Verified, ready};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::store::OwnerKey;
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::testkit::adapter::TestStore;
use matrix_uia::{BindingKey, Flows, Rules, Secret, Session, SessionId};
use std::convert::Infallible;

const OLD: &str = "marked-old-password";
const NEW: &str = "marked-new-password";
const WRONG: &str = "marked-wrong-password";
const ALICE: Subject = Subject::new(UserRef::new(1), 0);

/// A session that was put, and what was to be kept beside it.
type Written = (Put<Session>, Option<String>);

/// A host that remembers every session it has put.
#[derive(Default)]
struct Recorder(Vec<Written>);

impl<'r, E: Endpoint> Host<'r, E> for &mut Recorder {
    type Hash = String;
    type Error = Infallible;

    async fn load(&mut self, id: Option<SessionId>) -> Result<Loaded<E::Stored>, Infallible> {
        let named = |(put, _): &&Written| Some(put.id) == id;
        let session = self.0.iter().rev().find(named).map(|(put, _)| put.session);
        let kept =
            self.0.iter().filter(named).rev().find_map(|(put, kept)| kept.as_deref().filter(|_| put.keep));
        let stored = kept.and_then(|kept| serde_json::from_str(kept).ok());
        let caller = Caller::User(Account::new(ALICE, AccountStatus::default()));
        Ok(Loaded { session, stored, caller, now: now() })
    }

    async fn account(&mut self, _: UserRef) -> Result<Option<Account>, Infallible> {
        Ok(Some(Account::new(ALICE, AccountStatus::default())))
    }

    async fn verify(&mut self, question: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        let Check::Password(check) = question.check() else {
            return Ok(Verified::Outside(Verdict::Failed(StageFailure::Other)));
        };
        let comparison = check.named(Named::User(ALICE));
        let matches = comparison.password().expose() == OLD;
        Ok(Verified::Outside(comparison.verdict(matches)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, password: Secret<'_>) -> Result<String, Infallible> {
        Ok(format!("hash of {} bytes", password.expose().to_string().len()))
    }

    async fn commit(
        &mut self,
        changes: Changes<'_, 'r, E::Op>,
        stored: Option<&E::Stored>,
    ) -> Result<Committed, Infallible> {
        if let Some(put) = changes.session_changes().cloned().put {
            let kept = stored.and_then(|stored| serde_json::to_string(stored).ok());
            self.0.push((put, kept));
        }
        Ok(Committed::Stored)
    }
}

/// A password change of three requests; the last leaves the new password out.
fn password_change(id: SessionId) -> Vec<Written> {
    let (key, rules, mut host) = (BindingKey::from_entropy([7; 16]), Rules::default(), Recorder::default());
    let Ok(flows) = Flows::new([["m.login.password"]], None) else { return Vec::new() };
    let guarded = Guarded { flows: &flows, rules: &rules, key: &key, kind: HostKind::CLAIMS };
    let session = id.expose();
    let auth = |password| {
        format!(
            r#""auth":{{"type":"m.login.password","session":"{session}","user":"alice","password":"{password}"}}"#
        )
    };
    let bodies = [
        format!(r#"{{"new_password":"{NEW}"}}"#),
        format!(r#"{{"new_password":"{NEW}",{}}}"#, auth(WRONG)),
        format!("{{{}}}", auth(OLD)),
    ];
    for body in &bodies {
        let parsed = ChangePasswordRequest::parse(body.as_bytes()).ok();
        let checked = parsed.and_then(|request| request.check(&PasswordStrength::default(), true).ok());
        let Some(request) = checked else { continue };
        let mut run = Run::new(&mut host, &request, guarded, id, now());
        while let Some(Ok(Some(granted))) = ready(run.granted()) {
            let (_, performing) = granted.into_parts();
            run.done(performing, Ok(Outcome::NOTHING), now());
        }
    }
    host.0
}

/// Writes what must be found nowhere to the file that `STORE_MARKED` names, one a line: `.ci/stores` looks for it in the
/// files and the log of the database.
///
/// # Panics
///
/// If it can't be written.
#[allow(clippy::panic, reason = "it is a part of tests")]
fn tell(secrets: &[&str]) {
    let Some(file) = std::env::var_os("STORE_MARKED") else { return };
    if let Err(error) = std::fs::write(&file, secrets.join("\n") + "\n") {
        panic!("STORE_MARKED: {error}");
    }
}

/// Stores what the password change puts, and looks for its secrets among what is stored after each step.
///
/// # Panics
///
/// If one is there.
#[allow(clippy::panic, reason = "it is a part of tests")]
pub async fn nothing_in_the_clear<S: TestStore>(store: &S) {
    let id = SessionId::from_entropy(*b"marked-id-of-the-session");
    let hex: String = id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let secrets = ["marked-", &id.expose(), &hex];
    tell(&secrets);
    let puts = password_change(id);
    assert!(puts.len() >= 4, "a challenge, a failure, a claim and a success");
    assert!(puts.last().is_some_and(|(put, _)| put.session.consumed_at().is_some()), "it succeeded");
    assert!(puts.iter().any(|(put, kept)| put.keep && kept.is_some()), "something was kept");
    for (put, kept) in puts {
        let keep = put.keep;
        let put = SessionChanges { put: Some(put), remove: None };
        let done = store.commit(put.as_ref(), kept.as_deref(), OwnerKey::from_u64(1), now()).await;
        let done = done.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(done.committed, Committed::Stored);
        let contents = store.contents().await.unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8_lossy(&contents);
        assert!(text.contains("revision"), "the session is among them");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is stored in the clear");
        }
        if let Some(kept) = kept.filter(|_| keep) {
            let read = serde_json::from_str::<StoredPasswordChange>(&kept);
            assert!(read.is_ok(), "what is kept can be read again");
        }
    }
}
