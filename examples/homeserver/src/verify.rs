//! Whether a stage has passed: who is meant by a name, and whether a password or a token is right.

use crate::addresses;
use crate::app::App;
use crate::db::users::{self, User};
use crate::db::{self, Tx, registration_tokens, threepids};
use crate::failure::Failure;
use crate::limits::{AuthAttempt, Limited, Whom};
use crate::password::{PasswordHash, normal_form};
use crate::phones;
use crate::threepids as validated;
use crate::uia::UiaHost;
use crate::who;
use matrix_uia::endpoint::threepid::{Medium, Threepid};
use matrix_uia::server::check;
use matrix_uia::server::drive::Verified;
use matrix_uia::server::question::{Check, LimitKey, Question};
use matrix_uia::server::reference::Reference;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::{Locality, UserIdentifier};
use matrix_uia::{Secret, SessionId};

impl<'r> UiaHost<'r> {
    /// Answers a question, unless too many answers were no lately.
    pub async fn answer<'q>(&mut self, question: &Question<'q>) -> Result<Verified<'q>, Failure> {
        let attempt = match self.attempt(question).await? {
            Ok(attempt) => attempt,
            Err(limited) => return Ok(Verified::InTransaction(Verdict::Limited(limited.wait()))),
        };
        let answer = self.look_up(question).await;
        let failed = matches!(
            answer,
            Ok(Verified::Outside(Verdict::Failed(_)) | Verified::InTransaction(Verdict::Failed(_)))
        );
        if let Some(attempt) = attempt.filter(|_| !failed) {
            attempt.forgive();
        }
        answer
    }

    /// Counts an attempt against everything that it touches; `None` if nothing is attempted.
    async fn attempt(
        &mut self,
        question: &Question<'_>,
    ) -> Result<Result<Option<AuthAttempt<'r>>, Limited>, Failure> {
        let app = self.app;
        let (mut named, mut from) = (None, None);
        for key in question.limit_keys() {
            match key {
                LimitKey::TokenUser(user) => named = Some(Whom::user(user)),
                LimitKey::Named(identifier) => named = Some(whom(self.tx().await?, app, identifier)?),
                LimitKey::Address => from = Some(self.peer.counted()),
            }
        }
        let Some(from) = from else { return Ok(Ok(None)) };
        Ok(app.limits.attempt(named.as_ref(), from).map(Some))
    }

    async fn look_up<'q>(&mut self, question: &Question<'q>) -> Result<Verified<'q>, Failure> {
        let app = self.app;
        let verdict = match question.check() {
            Check::Password(check) => {
                let Named { named, hash } = named(self.tx().await?, app, check.identifier())?;
                let comparison = check.named(named);
                self.give_up();
                let hash = hash.filter(|_| comparison.against().is_some());
                let password = normal_form(comparison.password());
                let matches = app.passwords.verify(password.expose(), hash).await?;
                return Ok(Verified::Outside(comparison.verdict(matches)));
            }
            Check::Recaptcha { response } => {
                self.give_up();
                let response = response.expose().to_cow();
                let accepted =
                    app.config.recaptcha_accepts.iter().any(|good| good.matches(response.as_bytes()));
                let failed = Verdict::Failed(StageFailure::Captcha);
                let verdict = if accepted { Verdict::Passed(Evidence::nothing()) } else { failed };
                return Ok(Verified::Outside(verdict));
            }
            Check::Email(check) => validated::claim(self.tx().await?, app, question, Medium::Email, check)?,
            Check::Msisdn(check) => validated::claim(self.tx().await?, app, question, Medium::Msisdn, check)?,
            Check::RegistrationToken { token } => {
                reserve(self.tx().await?, app, token, question.session_id())?
            }
            // It passes by its page.
            Check::Awaited { reference } => Verdict::Pending(reference),
            Check::Custom { .. } => Verdict::Failed(StageFailure::Other),
        };
        // What was reserved belongs to the session, whatever becomes of its call.
        self.tx().await?.mark()?;
        Ok(Verified::InTransaction(verdict))
    }
}

/// Whom an identifier names, in one spelling, whether there is such a user or not: by whichever of their names.
pub fn whom(tx: &Tx, app: &App, identifier: UserIdentifier<'_>) -> db::Result<Whom> {
    let name = match Name::of(app, identifier).find(tx)? {
        Some(user) => UserIdentifier::User((&*user.localpart).into()).canonical(&app.config.server_name),
        None => identifier.canonical(&app.config.server_name),
    };
    Ok(Whom::named(&name))
}

/// Whom a password stage names, and the hash of that user's password.
#[derive(Debug)]
pub struct Named {
    pub named: check::Named,
    pub hash: Option<PasswordHash>,
}

/// Looks up whom a password stage names.
pub fn named(tx: &Tx, app: &App, identifier: UserIdentifier<'_>) -> db::Result<Named> {
    let Some(user) = Name::of(app, identifier).find(tx)? else {
        let remote = matches!(identifier.localpart(&app.config.server_name), Locality::Remote);
        let named = if remote { check::Named::Remote } else { check::Named::Nobody };
        return Ok(Named { named, hash: None });
    };
    let hash = users::password_hash(tx, user.key)?;
    Ok(Named { named: check::Named::User(who::subject(&user)), hash })
}

/// Promises one use of a registration token to this session.
pub fn reserve<'q>(tx: &Tx, app: &App, token: Secret<'_>, session: SessionId) -> db::Result<Verdict<'q>> {
    let failed = Ok(Verdict::Failed(StageFailure::Token));
    let now = app.clock.now();
    let token = token.expose().to_cow();
    let mut known = (0_u64..).zip(&app.config.registration_tokens);
    let found = known.find(|(_, known)| known.token.matches(token.as_bytes()));
    let Some((number, known)) = found else { return failed };
    if known.expires_at_ms.is_some_and(|end| end <= now.as_millis()) {
        return failed;
    }
    let lifetime = app.policies.rules.session_lifetime;
    let session = app.sessions.digest(&session);
    let (allowed, id) = (known.uses_allowed, session.as_bytes());
    if registration_tokens::reserve(tx, &known.token, allowed, id, lifetime, now)? {
        Ok(Verdict::Passed(Evidence::token(Reference::new(number))))
    } else {
        failed
    }
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
    password: Secret<'_>,
) -> Result<Checked, Failure> {
    let named = Name::of(app, identifier);
    let (user, hash) = app
        .db
        .transaction(|tx| -> db::Result<_> {
            let user = named.find(tx)?;
            let hash = match &user {
                Some(user) => users::password_hash(tx, user.key)?,
                None => None,
            };
            Ok((user, hash))
        })
        .await?;
    let right = app.passwords.verify(normal_form(password).expose(), hash).await?;
    Ok(match user {
        Some(user) if right => Checked::Right(user),
        Some(user) => Checked::Wrong(user),
        None => Checked::Unknown,
    })
}

/// What an identifier says, in the form that it is looked up in.
enum Name {
    Localpart(String),
    Threepid(Threepid),
    /// Nothing that could be a user's of this server.
    Elsewhere,
}

impl Name {
    fn of(app: &App, identifier: UserIdentifier<'_>) -> Self {
        match identifier {
            UserIdentifier::User(_) => match identifier.localpart(&app.config.server_name) {
                // People write their names with capitals; accounts have none.
                Locality::Local(localpart) => Self::Localpart(localpart.to_cow().to_lowercase()),
                _ => Self::Elsewhere,
            },
            UserIdentifier::Thirdparty { medium, address } => {
                let parsed = Medium::from_name(medium).map(|medium| addresses::threepid(medium, address));
                parsed.and_then(Result::ok).map_or(Self::Elsewhere, Self::Threepid)
            }
            UserIdentifier::Phone { country, phone } => {
                phones::threepid(&country.to_cow(), &phone.to_cow()).map_or(Self::Elsewhere, Self::Threepid)
            }
            _ => Self::Elsewhere,
        }
    }

    fn find(&self, tx: &Tx) -> db::Result<Option<User>> {
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
