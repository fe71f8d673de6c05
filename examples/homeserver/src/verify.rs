//! The host's half of a stage: the crate asks, and here it is looked up.

use crate::app::App;
use crate::clock;
use crate::db::users::{self, User};
use crate::db::{Result, Tx, registration_tokens, threepids};
use crate::failure::Failure;
use crate::limits::Whom;
use crate::phones;
use crate::secrets::Secret;
use crate::threepids as addresses;
use crate::who::{self, Peer, user_ref};
use matrix_uia::SessionId;
use matrix_uia::endpoint::threepid::{Medium, Threepid};
use matrix_uia::server::operation::Reference;
use matrix_uia::server::session::{Check, Proof, Question, StageFailure, Verdict};
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
    let whom = match (question.user(), question.check()) {
        (Some(user), _) => Some(Whom::user(user)),
        (None, Check::Password { identifier, .. }) => Some(whom(app, identifier).await?),
        _ => None,
    };
    let attempt = match app.limits.attempt(whom.as_ref(), peer.counted()) {
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

/// Whom an identifier names, in one spelling, whether there is such a user or not.
pub async fn whom(app: &App, identifier: UserIdentifier<'_>) -> std::result::Result<Whom, Failure> {
    let named = Named::of(app, identifier);
    let user = app.db.transaction(|tx| named.find(tx)).await?;
    Ok(match (user, named) {
        // By whichever of their names.
        (Some(user), _) => Whom::localpart(&user.localpart),
        (None, Named::Localpart(localpart)) => Whom::localpart(&localpart),
        (None, Named::Threepid(threepid)) => Whom::threepid(&threepid),
        (None, Named::Elsewhere) => Whom::elsewhere(identifier),
    })
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
    let named = Named::of(app, identifier);
    let (user, hash) = app
        .db
        .transaction(|tx| -> Result<_> {
            let user = named.find(tx)?;
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

/// What an identifier says, in the form that it is looked up in.
enum Named {
    Localpart(String),
    Threepid(Threepid),
    /// Nothing that could be a user's of this server.
    Elsewhere,
}

impl Named {
    fn of(app: &App, identifier: UserIdentifier<'_>) -> Self {
        match identifier {
            UserIdentifier::User(_) => match identifier.localpart(&app.config.server_name) {
                // People write their names with capitals; accounts have none.
                Locality::Local(localpart) => Self::Localpart(localpart.to_cow().to_lowercase()),
                _ => Self::Elsewhere,
            },
            UserIdentifier::Thirdparty { medium, address } => {
                let parsed = Medium::from_name(medium).map(|medium| Threepid::parse(medium, address));
                parsed.and_then(std::result::Result::ok).map_or(Self::Elsewhere, Self::Threepid)
            }
            UserIdentifier::Phone { country, phone } => {
                phones::threepid(&country.to_cow(), &phone.to_cow()).map_or(Self::Elsewhere, Self::Threepid)
            }
            _ => Self::Elsewhere,
        }
    }

    fn find(&self, tx: &Tx) -> Result<Option<User>> {
        match self {
            Self::Localpart(localpart) => users::by_localpart(tx, localpart),
            Self::Threepid(threepid) => match threepids::owner(tx, threepid)? {
                Some(key) => users::by_key(tx, key),
                None => Ok(None),
            },
            Self::Elsewhere => Ok(None),
        }
    }
}
