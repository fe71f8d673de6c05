//! The host's half of a stage: the crate asks, and here it is looked up.

use crate::app::App;
use crate::clock;
use crate::db::users::{self, User};
use crate::db::{Result, Tx, registration_tokens, threepids};
use crate::failure::Failure;
use crate::phones;
use crate::secrets::Secret;
use crate::threepids as addresses;
use crate::who::{self, Peer, user_ref};
use matrix_uia::SessionId;
use matrix_uia::endpoint::threepid::{Medium, Threepid};
use matrix_uia::server::operation::Reference;
use matrix_uia::server::session::{Check, LimitKey, Proof, Question, StageFailure, Verdict};
use matrix_uia::wire::{Locality, UserIdentifier};

/// Answers a question, unless too many answers were no lately.
pub async fn verify<'r>(
    app: &App,
    peer: &Peer,
    question: &Question<'r>,
) -> std::result::Result<Verdict<'r>, Failure> {
    // To ask how things stand is no attempt.
    if let Check::Awaited { reference } = question.check() {
        let verdict = addresses::claim_awaited(app, question, reference).await?;
        return Ok(verdict.unwrap_or(Verdict::Pending(reference)));
    }
    let key = limit_key(app, peer, question).await?;
    let attempt = match app.limits.failed_auth.attempt(&key) {
        Ok(attempt) => attempt,
        Err(limited) => return Ok(Verdict::Limited(limited.wait())),
    };
    let answer = match question.check() {
        Check::Email(creds) => addresses::claim(app, question, Medium::Email, creds).await,
        Check::Msisdn(creds) => addresses::claim(app, question, Medium::Msisdn, creds).await,
        check => look_up(app, check, question.session_id()).await,
    };
    if !matches!(answer, Ok(Verdict::Failed(_))) {
        attempt.forgive();
    }
    let verdict = answer?;
    if let Verdict::Passed(proof) = verdict {
        app.db.transaction(|tx| who::gate_proved(tx, question.operation(), proof)).await?;
    }
    Ok(verdict)
}

/// Whose failures are counted together: a user's, however they are named, else the peer's.
async fn limit_key(app: &App, peer: &Peer, question: &Question<'_>) -> std::result::Result<String, Failure> {
    Ok(match question.limit_key() {
        LimitKey::User(user) => format!("user {}", user.get()),
        LimitKey::Named(identifier) => named_key(app, identifier).await?,
        _ => format!("address {}", peer.address),
    })
}

/// The key of whoever an identifier names, also where it names nobody.
pub async fn named_key(app: &App, identifier: UserIdentifier<'_>) -> std::result::Result<String, Failure> {
    let user = app.db.transaction(|tx| find(tx, app, identifier)).await?;
    Ok(user.map_or_else(|| format!("name {identifier:?}"), |user| format!("user {}", user_ref(&user).get())))
}

async fn look_up(
    app: &App,
    check: Check<'_>,
    session: SessionId,
) -> std::result::Result<Verdict<'static>, Failure> {
    match check {
        Check::Password { identifier, password } => {
            let user = check_password(app, identifier, &password.expose().to_cow()).await?;
            let by_threepid = !matches!(identifier, UserIdentifier::User(_));
            Ok(match user {
                Checked::Right(user) => Verdict::Passed(Proof::User(user_ref(&user))),
                Checked::Unknown if by_threepid => Verdict::Failed(StageFailure::UnknownThreepid),
                Checked::Unknown | Checked::Wrong(_) => Verdict::Failed(StageFailure::Credentials),
            })
        }
        Check::Recaptcha { response } => {
            let response = response.expose().to_cow();
            let accepted = app.config.recaptcha_accepts.iter().any(|good| good.matches(response.as_bytes()));
            Ok(if accepted {
                Verdict::Passed(Proof::Nothing)
            } else {
                Verdict::Failed(StageFailure::Captcha)
            })
        }
        Check::RegistrationToken { token } => {
            let token = Secret::new(token.expose().to_cow().into_owned());
            Ok(match reserve(app, &token, session).await? {
                Some(reference) => Verdict::Passed(Proof::Token(reference)),
                None => Verdict::Failed(StageFailure::Token),
            })
        }
        _ => Ok(Verdict::Failed(StageFailure::Other)),
    }
}

/// One use of a registration token, promised to this session in one transaction.
async fn reserve(app: &App, token: &Secret, session: SessionId) -> Result<Option<Reference>> {
    let now = clock::now();
    let mut known = (0_u64..).zip(&app.config.registration_tokens);
    let found = known.find(|(_, known)| known.token.matches(token.expose()));
    let Some((number, known)) = found else { return Ok(None) };
    if known.expires_at_ms.is_some_and(|end| end <= now.as_millis()) {
        return Ok(None);
    }
    let ends_at = now.after(app.policies.rules.session_lifetime).as_millis();
    let reserved = app
        .db
        .transaction(|tx| {
            let id = session.as_bytes();
            registration_tokens::reserve(tx, &known.token, known.uses_allowed, id, ends_at, now.as_millis())
        })
        .await?;
    Ok(reserved.then(|| Reference::new(number)))
}

/// What came of comparing a password.
#[derive(Debug)]
pub enum Checked {
    Right(User),
    Wrong(User),
    /// Nobody has that name or address.
    Unknown,
}

/// Compares a password with that of whoever the identifier names. Nobody's takes the same work.
pub async fn check_password(
    app: &App,
    identifier: UserIdentifier<'_>,
    password: &str,
) -> std::result::Result<Checked, Failure> {
    let (user, hash) = app
        .db
        .transaction(|tx| -> Result<_> {
            let user = find(tx, app, identifier)?;
            let hash = match &user {
                Some(user) => users::password_hash(tx, user.key)?,
                None => None,
            };
            Ok((user, hash))
        })
        .await?;
    let right = app.passwords.verify(password, hash).await;
    Ok(match user {
        Some(user) if right => Checked::Right(user),
        Some(user) => Checked::Wrong(user),
        None => Checked::Unknown,
    })
}

fn find(tx: &Tx, app: &App, identifier: UserIdentifier<'_>) -> Result<Option<User>> {
    match identifier {
        UserIdentifier::User(_) => match identifier.localpart(&app.config.server_name) {
            // People write their names with capitals; accounts have none.
            Locality::Local(localpart) => users::by_localpart(tx, &localpart.to_cow().to_lowercase()),
            _ => Ok(None),
        },
        UserIdentifier::Thirdparty { medium, address } => {
            let medium = Medium::from_name(medium);
            by_address(tx, medium.and_then(|medium| Threepid::parse(medium, address).ok()))
        }
        UserIdentifier::Phone { country, phone } => {
            by_address(tx, phones::threepid(&country.to_cow(), &phone.to_cow()).ok())
        }
        _ => Ok(None),
    }
}

fn by_address(tx: &Tx, threepid: Option<Threepid>) -> Result<Option<User>> {
    let Some(threepid) = threepid else { return Ok(None) };
    match threepids::owner(tx, &threepid)? {
        Some(key) => users::by_key(tx, key),
        None => Ok(None),
    }
}
