//! A homeserver's handler in ruma's types, with this crate's machine inside.
//!
//!     cargo run --example ruma_server --features ruma

use core::error::Error;
use std::io::Read as _;
use std::time::Instant;

use matrix_uia::endpoint::password::{self, ChangePasswordRequest, Effect};
use matrix_uia::ruma::Encoded;
use matrix_uia::server::operation::{ChangePassword, Reference, Subject, UserRef};
use matrix_uia::server::session::{Check, Pending, Proof, StageFailure, Verdict, Write};
use matrix_uia::server::store::{HashedStore, Lifetimes, NotStored, Store as _};
use matrix_uia::wire::Auth;
use matrix_uia::{BindingKey, Flows, Guard, MatrixError, Rules, Secret, SessionId, Step, Timestamp};
use ruma_client_api::account::change_password::v3;
use ruma_client_api::uiaa::{self, AuthData, UiaaInfo, UiaaResponse};

struct Server {
    rules: Rules,
    flows: Flows<'static, ChangePassword>,
    key: BindingKey,
    sessions: HashedStore<()>,
    started: Instant,
    alices_password: String,
}

impl Server {
    /// The handler. The framework has read the request, and the access token is alice's.
    fn change_password(&mut self, alice: UserRef, body: &v3::Request) -> Result<v3::Response, UiaaResponse> {
        let auth = Encoded::auth(body.auth.as_ref());
        let mut request = ChangePasswordRequest::default();
        request.new_password = Some(Secret::new(&body.new_password));
        request.logout_devices = Some(body.logout_devices);
        request.auth = Auth::parse(auth.as_bytes()).map_err(MatrixError::from)?;
        request.check(&password::PasswordStrength::default(), true)?;

        let now = self.now();
        let fresh = SessionId::from_entropy(entropy().ok_or_else(MatrixError::unavailable)?);
        let call = request.call(&self.key, Some(Subject::new(alice, 0)));
        let stored = call.session_id().and_then(|id| Some(self.sessions.load(&id)?.session.clone()));
        let mut step = Guard::new(&self.flows, &self.rules).receive(call, stored.clone(), fresh, now);
        if let Step::Verify(question) = step {
            let verdict = self.verify(&question, alice);
            // Nobody else has this store; where others have, the session is read again here.
            step = question.resolve(verdict).apply(stored, fresh, now);
        }
        match step {
            Step::Challenge(challenge) => {
                store(&mut self.sessions, challenge.write(), now)?;
                Err((&challenge).into())
            }
            Step::Grant(claim) => {
                store(&mut self.sessions, claim.write(), now)?;
                let change = match password::change(claim.assume_stored(), &request, None) {
                    Ok(change) => change,
                    Err(denied) => {
                        store(&mut self.sessions, denied.redeemed().write(), now)?;
                        return Err(denied.reject().into());
                    }
                };
                for effect in change.effects() {
                    // The rest of them ends devices, of which this server has none.
                    if effect == Effect::SetPassword {
                        self.alices_password.clone_from(&body.new_password);
                    }
                }
                let ended = change.receipt().succeeded(Reference::new(0), now);
                store(&mut self.sessions, ended.write(), now)?;
                Ok(v3::Response::new())
            }
            Step::Replay(_) => Ok(v3::Response::new()),
            Step::Reject(refused) => {
                store(&mut self.sessions, refused.write(), now)?;
                Err(refused.reject().into())
            }
            // What a later version of the crate may come to.
            _ => Err(MatrixError::unavailable().into()),
        }
    }

    fn verify(&self, question: &Pending<'_, ChangePassword>, alice: UserRef) -> Verdict<'static> {
        match question.check() {
            Check::Password { identifier, password }
                if identifier == matrix_uia::wire::UserIdentifier::User("alice".into())
                    && password.expose() == self.alices_password.as_str() =>
            {
                Verdict::Passed(Proof::User(alice))
            }
            _ => Verdict::Failed(StageFailure::Credentials),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn store(sessions: &mut HashedStore<()>, write: Write<'_>, now: Timestamp) -> Result<(), MatrixError> {
    match sessions.apply(write, None, now) {
        // A session that had to make way had nothing reserved: this flow has no such stage.
        Ok(_) => Ok(()),
        Err(NotStored::Full { wait, .. }) => Err(MatrixError::limited(wait)),
        // Nobody else has this store, so no race is lost in it.
        Err(_) => Err(MatrixError::unavailable()),
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
    let mut server = Server {
        flows: Flows::new([["m.login.password"]], None)?,
        key: BindingKey::from_entropy(entropy().ok_or("no entropy")?),
        sessions: HashedStore::new(Lifetimes::of(&rules), 1_000),
        rules,
        started: Instant::now(),
        alices_password: "wonderland".to_owned(),
    };
    let alice = UserRef::new(1);
    let mut request = v3::Request::new("looking-glass".to_owned());

    let first = challenged(server.change_password(alice, &request))?;
    assert!(first.flows.iter().all(|flow| flow.stages == [uiaa::AuthType::Password]));

    let mut attempt = |password: &str, session: Option<String>| {
        let identifier = uiaa::MatrixUserIdentifier::new("alice".to_owned()).into();
        let mut data = uiaa::Password::new(identifier, password.to_owned());
        data.session = session;
        request.auth = Some(AuthData::Password(data));
        server.change_password(alice, &request)
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
    assert_eq!(server.alices_password, "looking-glass");
    println!("alice has a new password");
    Ok(())
}
