//! Questions to the user, each with the one answer it takes.
//!
//! A prompt is only ever made for the next stage of an offered flow, and its `answer`
//! consumes it: a credential can't be sent twice, to another stage, or unasked.

use core::fmt;

use super::call::Owner;
use super::failure::StageError;
use super::given::Given;
use super::options::Patience;
use super::params::{self, Terms};
use super::request::Request;
use super::state::{Kind, State, stage_of};
use crate::endpoint::threepid::Medium;
use crate::secret::Secret;
use crate::text::Text;
use crate::time::Timestamp;
use crate::wire::json::Raw;
use crate::wire::{AuthData, AuthType, ChallengeBody, ThreepidCreds, UserIdentifier};

/// A stage that the application answers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Prompt<'p> {
    /// `m.login.password`.
    Password(PasswordPrompt<'p>),
    /// `m.login.recaptcha`.
    Recaptcha(RecaptchaPrompt<'p>),
    /// `m.login.terms`.
    Terms(TermsPrompt<'p>),
    /// `m.login.registration_token`.
    RegistrationToken(RegistrationTokenPrompt<'p>),
    /// `m.login.email.identity` or `m.login.msisdn`, once a token has been sent.
    Threepid(ThreepidPrompt<'p>),
    /// Any other type.
    Custom(CustomPrompt<'p>),
}

/// What all prompts have.
pub(super) struct Open<'p> {
    pub(super) state: &'p mut State,
    pub(super) auth_type: AuthType<'p>,
    pub(super) session: Option<Secret<'p>>,
    pub(super) error: Option<StageError<'p>>,
    pub(super) call: &'p Owner,
}

impl<'p> Open<'p> {
    fn answer<'r>(self, data: AuthData<'r>) -> Request<'r>
    where
        'p: 'r,
    {
        self.state.touched();
        self.state.again = false;
        self.state.secret = !matches!(data, AuthData::Terms);
        let custom = matches!(self.auth_type, AuthType::Custom(_));
        let number = self.state.send(if custom { Kind::SubmitCustom } else { Kind::Submit });
        Request::attempt(self.auth_type, data, self.session, self.call, number)
    }
}

impl<'p> Prompt<'p> {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn of(open: Open<'p>, challenge: &ChallengeBody<'p>, medium: Option<Medium>) -> Self {
        if let Some(medium) = medium {
            return Self::Threepid(ThreepidPrompt { open, medium });
        }
        let auth_type = open.auth_type;
        match auth_type {
            AuthType::Password => return Self::Password(PasswordPrompt { open }),
            AuthType::RegistrationToken => {
                return Self::RegistrationToken(RegistrationTokenPrompt { open });
            }
            AuthType::Recaptcha => {
                if let Some(public_key) = params::recaptcha_key(challenge) {
                    return Self::Recaptcha(RecaptchaPrompt { open, public_key });
                }
            }
            AuthType::Terms => {
                if let Some(terms) = Terms::of(challenge) {
                    return Self::Terms(TermsPrompt { open, terms });
                }
            }
            _ => {}
        }
        Self::Custom(CustomPrompt { open, params: challenge.params_of(auth_type) })
    }

    /// The stage.
    #[must_use]
    pub const fn auth_type(&self) -> AuthType<'p> {
        self.open().auth_type
    }

    /// What the server said when this stage was last refused: show it.
    #[must_use]
    pub const fn error(&self) -> Option<StageError<'p>> {
        self.open().error
    }

    /// Whether the last answer was never judged (it was lost, limited, or never sent): the
    /// same may be given again, without asking the user. After a refusal, and where the
    /// server has begun anew, it is to be asked for again.
    #[must_use]
    pub const fn is_again(&self) -> bool {
        self.open().state.again
    }

    /// Answers with a value that was made apart from the prompt.
    ///
    /// # Errors
    ///
    /// The prompt itself, if that is the answer to another stage.
    pub fn answer<'r>(self, given: Given<'r>) -> Result<Request<'r>, Self>
    where
        'p: 'r,
    {
        Ok(match (self, given) {
            (Self::Password(prompt), Given::Password { identifier, password }) => {
                prompt.answer(identifier, password)
            }
            (Self::Recaptcha(prompt), Given::Recaptcha(response)) => prompt.answer(response),
            (Self::Terms(prompt), Given::Terms) => prompt.accept(),
            (Self::RegistrationToken(prompt), Given::RegistrationToken(token)) => prompt.answer(token),
            (Self::Threepid(prompt), Given::Threepid(creds)) => prompt.answer(creds),
            (Self::Custom(prompt), Given::Custom(data)) => prompt.answer(data),
            (prompt, _) => return Err(prompt),
        })
    }

    /// Whether that is an answer to this.
    pub(super) const fn takes(&self, given: &Given<'_>) -> bool {
        matches!(
            (self, given),
            (Self::Password(_), Given::Password { .. })
                | (Self::Recaptcha(_), Given::Recaptcha(_))
                | (Self::Terms(_), Given::Terms)
                | (Self::RegistrationToken(_), Given::RegistrationToken(_))
                | (Self::Threepid(_), Given::Threepid(_))
                | (Self::Custom(_), Given::Custom(_))
        )
    }

    const fn open(&self) -> &Open<'p> {
        match self {
            Self::Password(PasswordPrompt { open })
            | Self::Recaptcha(RecaptchaPrompt { open, .. })
            | Self::Terms(TermsPrompt { open, .. })
            | Self::RegistrationToken(RegistrationTokenPrompt { open })
            | Self::Threepid(ThreepidPrompt { open, .. })
            | Self::Custom(CustomPrompt { open, .. }) => open,
        }
    }
}

/// The prompts' types. What all of them have, [`Prompt`] can be asked for.
macro_rules! prompts {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* })+) => {
        $(
            $(#[$doc])*
            pub struct $name<'p> {
                open: Open<'p>,
                $($field: $type,)*
            }

            impl fmt::Debug for $name<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name)).field("error", &self.open.error).finish_non_exhaustive()
                }
            }
        )+
    };
}

prompts! {
    /// A [password](https://spec.matrix.org/v1.19/client-server-api/#password-based) is asked for.
    PasswordPrompt {}
    /// A [captcha](https://spec.matrix.org/v1.19/client-server-api/#google-recaptcha) is to be solved.
    RecaptchaPrompt { public_key: Text<'p> }
    /// [Policies](https://spec.matrix.org/v1.19/client-server-api/#terms-of-service-at-registration)
    /// are to be accepted.
    TermsPrompt { terms: Terms<'p> }
    /// A [registration token](https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration)
    /// is asked for.
    RegistrationTokenPrompt {}
    /// The credentials of a validation that was begun with [`TokenRequest`]. For an e-mail
    /// address it is asked at intervals whether the link has been followed: give the same
    /// each time.
    ThreepidPrompt { medium: Medium }
    /// A stage of a type the spec doesn't know.
    CustomPrompt { params: Option<Raw<'p>> }
}

impl<'p> PasswordPrompt<'p> {
    /// Whose password, and which.
    pub fn answer<'r>(self, identifier: UserIdentifier<'r>, password: Secret<'r>) -> Request<'r>
    where
        'p: 'r,
    {
        self.open.answer(AuthData::Password { identifier, password })
    }
}

impl<'p> RecaptchaPrompt<'p> {
    /// The key to show the captcha with.
    #[must_use]
    pub const fn public_key(&self) -> Text<'p> {
        self.public_key
    }

    /// What the captcha gave back.
    pub fn answer<'r>(self, response: Secret<'r>) -> Request<'r>
    where
        'p: 'r,
    {
        self.open.answer(AuthData::Recaptcha { response })
    }
}

impl<'p> TermsPrompt<'p> {
    /// What there is to accept.
    #[must_use]
    pub const fn terms(&self) -> Terms<'p> {
        self.terms
    }

    /// The user accepts all of it.
    pub fn accept(self) -> Request<'p> {
        self.open.answer(AuthData::Terms)
    }
}

impl<'p> RegistrationTokenPrompt<'p> {
    /// The token: 1 to 64 characters of the opaque grammar.
    pub fn answer<'r>(self, token: Secret<'r>) -> Request<'r>
    where
        'p: 'r,
    {
        self.open.answer(AuthData::RegistrationToken { token })
    }
}

impl<'p> ThreepidPrompt<'p> {
    /// What kind of address.
    #[must_use]
    pub const fn medium(&self) -> Medium {
        self.medium
    }

    /// The validation's ID, as `requestToken` answered it, and the secret it was begun with.
    pub fn answer<'r>(self, creds: ThreepidCreds<'r>) -> Request<'r>
    where
        'p: 'r,
    {
        self.open.answer(match self.medium {
            Medium::Email => AuthData::EmailIdentity(creds),
            Medium::Msisdn => AuthData::Msisdn(creds),
        })
    }

    /// Nothing arrived: ask for another token, with the next `send_attempt`.
    pub fn send_again(self) {
        self.open.state.validation(self.medium).sent = false;
        self.open.state.touched();
    }
}

impl<'p> CustomPrompt<'p> {
    /// Its params, as they came.
    #[must_use]
    pub const fn params(&self) -> Option<Raw<'p>> {
        self.params
    }

    /// The keys of the auth dict, as a JSON object; `type` and `session` are added.
    pub fn answer<'r>(self, data: Raw<'r>) -> Request<'r>
    where
        'p: 'r,
    {
        self.open.answer(AuthData::Custom(data))
    }
}

/// A token is to be sent to an address: call the `requestToken` endpoint that belongs to
/// the call, with [`send_attempt`](Self::send_attempt) and a `client_secret` of the
/// application's own. Keep the secret and the `sid` that is answered: the stage asks for
/// both.
pub struct TokenRequest<'p> {
    pub(super) state: &'p mut State,
    pub(super) medium: Medium,
    pub(super) error: Option<StageError<'p>>,
    pub(super) patience: &'p Patience,
}

impl<'p> TokenRequest<'p> {
    /// What kind of address.
    #[must_use]
    pub const fn medium(&self) -> Medium {
        self.medium
    }

    /// The `send_attempt` to give: 1, and one more each time it is to be sent anew.
    #[must_use]
    pub fn send_attempt(&self) -> u32 {
        let validation = match self.medium {
            Medium::Email => self.state.email,
            Medium::Msisdn => self.state.phone,
        };
        validation.send_attempt.saturating_add(1)
    }

    /// What the server said when the stage was last refused.
    #[must_use]
    pub const fn error(&self) -> Option<StageError<'p>> {
        self.error
    }

    /// The server has answered with a `sid`. An e-mail's link is followed elsewhere, so
    /// there is a wait before the first question whether it has been.
    pub fn sent(self, now: Timestamp) {
        let send_attempt = self.send_attempt();
        let Self { state, medium, error: _, patience } = self;
        let validation = state.validation(medium);
        validation.sent = true;
        validation.send_attempt = send_attempt;
        state.touched();
        if medium == Medium::Email {
            state.begin_elsewhere(stage_of(medium), now, patience.poll_wait(0));
        }
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state: _, medium, error, patience: _ } = self;
        f.debug_struct("TokenRequest").field("medium", medium).field("error", error).finish_non_exhaustive()
    }
}
