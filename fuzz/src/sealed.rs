//! A server with sealed session IDs that stores nothing, and its key in another's hands.

use std::convert::Infallible;
use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::{ChangePasswordRequest, PasswordStrength};
use matrix_uia::server::account::{Account, AccountStatus, Caller};
use matrix_uia::server::commit::Committed;
use matrix_uia::server::drive::{Changes, Guarded, Host, Loaded, Run, Stop, Verified, ready};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::question::Question;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::respond::Respond;
use matrix_uia::server::sealed::{IdKey, IdKeys};
use matrix_uia::server::verdict::{StageFailure, Verdict};
use matrix_uia::wire::error::ErrorCode;
use matrix_uia::{BindingKey, Flows, Rules, Secret, SessionId, Timestamp};

const SECRET: [u8; 32] = [0x11; 32];
const NUMBER: u8 = 1;
const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const ALICE: Subject = Subject::new(UserRef::new(1), 0);
const FRESH: SessionId = SessionId::from_entropy([9; SessionId::ENTROPY]);

/// What the server seals with.
pub static KEYS: IdKeys = IdKeys::new(IdKey::new(NUMBER, SECRET));
/// An ID that the server itself has answered.
pub static GOOD: LazyLock<String> =
    LazyLock::new(|| answer(r#"{"new_password":"looking-glass"}"#).1.unwrap());

static FLOWS: LazyLock<Flows<'static, ChangePassword>> =
    LazyLock::new(|| Flows::new([["m.login.dummy", "m.login.password"]], None).unwrap());
static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);

/// What is authenticated beside the session: the version of the text and the key's number.
fn header() -> [u8; 16] {
    let mut header = *b"matrix-uia id  \0";
    (header[14], header[15]) = (2, NUMBER);
    header
}

/// The bytes, sealed behind an ID as the server seals a session.
pub fn sealed(bytes: &[u8]) -> String {
    let id = SessionId::from_entropy([7; SessionId::ENTROPY]);
    let payload = Payload { msg: bytes, aad: &header() };
    let mut tail = vec![NUMBER];
    tail.extend(XChaCha20Poly1305::new(&SECRET.into()).encrypt(id.as_bytes().into(), payload).unwrap());
    format!("{}{}", id.expose(), Base64UrlUnpadded::encode_string(&tail))
}

/// The bytes that the server itself has sealed.
pub fn opened() -> Vec<u8> {
    let tail = Base64UrlUnpadded::decode_vec(&GOOD[SessionId::LEN..]).unwrap();
    let payload = Payload { msg: &tail[1..], aad: &header() };
    XChaCha20Poly1305::new(&SECRET.into()).decrypt(FRESH.as_bytes().into(), payload).unwrap()
}

/// What a server that has stored nothing answers: the error's code and the session.
pub fn answer(body: &str) -> (Option<ErrorCode>, Option<String>) {
    let request = ChangePasswordRequest::parse(body.as_bytes()).unwrap();
    let request: Checked<_> = request.check(&PasswordStrength::default(), true).unwrap();
    let (key, kind) = (BindingKey::from_entropy([7; 16]), HostKind::CLAIMS.with_sealed_ids(&KEYS));
    let guarded = Guarded { flows: &FLOWS, rules: &RULES, key: &key, kind };
    let mut run = Run::new(StoresNothing, &request, guarded, FRESH, NOW);
    let respond = match ready(run.granted()).expect("nothing waits here") {
        Err(Stop::Respond(respond)) => respond,
        Err(Stop::Host(never)) => match never {},
        Ok(_) => panic!("no stage has passed"),
    };
    let body: serde_json::Value = serde_json::from_str(&respond.body().to_string()).unwrap();
    let code = match respond {
        Respond::Challenge(challenge) => challenge.error_code(),
        Respond::Error(error) => Some(error.code()),
        Respond::Performed => panic!("no stage has passed"),
    };
    (code, body["session"].as_str().map(str::to_owned))
}

/// The host of alice, to whom no stage passes. Its store loses whatever it is given.
struct StoresNothing;

fn alice() -> Account {
    Account::new(ALICE, AccountStatus::default())
}

impl<'r, E: Endpoint> Host<'r, E> for StoresNothing {
    type Hash = ();
    type Error = Infallible;

    async fn load(&mut self, _: Option<SessionId>) -> Result<Loaded<E::Stored>, Infallible> {
        Ok(Loaded { session: None, stored: None, caller: Caller::User(alice()), now: NOW })
    }

    async fn account(&mut self, _: UserRef) -> Result<Option<Account>, Infallible> {
        Ok(Some(alice()))
    }

    async fn verify(&mut self, _: &Question<'r>) -> Result<Verified<'r>, Infallible> {
        Ok(Verified::Outside(Verdict::Failed(StageFailure::Credentials)))
    }

    async fn release(&mut self) {}

    async fn hash(&mut self, _: Secret<'_>) -> Result<(), Infallible> {
        panic!("no stage has passed")
    }

    async fn commit(
        &mut self,
        _: Changes<'_, 'r, E::Op>,
        _: Option<&E::Stored>,
    ) -> Result<Committed, Infallible> {
        Ok(Committed::Stored)
    }
}
