//! What the host can look up: passwords, validated addresses, registration tokens.

use matrix_uia::server::operation::{Reference, UserRef};
use matrix_uia::server::session::{Check, Proof, Question, StageFailure, Verdict};
use matrix_uia::wire::{Locality, ThreepidCreds, UserIdentifier};
use matrix_uia::{SessionId, Text};

use super::accounts::hash;
use super::{SERVER, Server};

/// A validation of an e-mail address or a phone number.
#[derive(Clone, Debug)]
pub(crate) struct Validation {
    pub(crate) number: u64,
    pub(crate) client_secret: &'static str,
    pub(crate) validated: bool,
    pub(crate) claimed_by: Option<SessionId>,
}

/// A token with a number of uses, of which some are pending.
#[derive(Clone, Debug)]
pub(crate) struct RegistrationToken {
    pub(crate) number: u64,
    pub(crate) uses: usize,
    pub(crate) pending: usize,
    pub(crate) limit: usize,
}

impl Server {
    pub(crate) fn add_validation(&mut self, sid: &str, client_secret: &'static str, validated: bool) -> u64 {
        let number = self.next_number();
        let validation = Validation { number, client_secret, validated, claimed_by: None };
        self.validations.insert(sid.to_owned(), validation);
        number
    }

    /// The same, of an address that is a user's.
    pub(crate) fn add_validation_of(
        &mut self,
        name: &str,
        sid: &str,
        client_secret: &'static str,
        validated: bool,
    ) -> u64 {
        let number = self.add_validation(sid, client_secret, validated);
        self.user(name).threepids.push(number);
        number
    }

    pub(crate) fn add_token(&mut self, token: &'static str, limit: usize) {
        let number = self.next_number();
        self.tokens.insert(token, RegistrationToken { number, uses: 0, pending: 0, limit });
    }

    /// What was reserved for a stage is free again.
    pub(crate) fn give_back(&mut self, proof: Option<Proof>) {
        match proof {
            Some(Proof::Token(number)) => {
                let token = self.tokens.values_mut().find(|it| it.number == number.get()).unwrap();
                token.pending -= 1;
            }
            Some(Proof::Threepid(number)) => {
                let found = self.validations.values_mut().find(|it| it.number == number.get());
                if let Some(validation) = found {
                    validation.claimed_by = None;
                }
            }
            _ => {}
        }
    }

    pub(super) fn look_up(&mut self, question: &Question<'_>) -> Verdict<'static> {
        match question.check() {
            Check::Password { identifier, password } => {
                let user = match identifier {
                    UserIdentifier::Thirdparty { .. } | UserIdentifier::Phone { .. } => {
                        return Verdict::Failed(StageFailure::UnknownThreepid);
                    }
                    _ => match identifier.localpart(SERVER) {
                        Locality::Local(name) => self.users.get(name.to_string().as_str()),
                        _ => None,
                    },
                };
                let given = hash(&password.expose().to_string());
                match user {
                    Some(user) if user.hash.as_ref() == Some(&given) => {
                        Verdict::Passed(Proof::User(UserRef::new(user.number)))
                    }
                    _ => Verdict::Failed(StageFailure::Credentials),
                }
            }
            Check::Recaptcha { response } if response.expose() == "human" => Verdict::Passed(Proof::Nothing),
            Check::Recaptcha { .. } => Verdict::Failed(StageFailure::Captcha),
            Check::Email(creds) | Check::Msisdn(creds) => self.claim(creds, question.session_id()),
            Check::RegistrationToken { token } => self.reserve(token.expose()),
            Check::Awaited { reference } => match self.awaited.get(&reference.get()) {
                Some(proof) => Verdict::Passed(*proof),
                None => self.still_pending(reference, question.session_id()),
            },
            _ => Verdict::Failed(StageFailure::Other),
        }
    }

    fn claim(&mut self, creds: ThreepidCreds<'_>, session: SessionId) -> Verdict<'static> {
        let Some(validation) = self.validations.get_mut(creds.sid.to_string().as_str()) else {
            return Verdict::Failed(StageFailure::Threepid);
        };
        let right = creds.client_secret.expose() == validation.client_secret;
        let free = validation.claimed_by.is_none_or(|by| by == session);
        match validation.validated {
            _ if !right || !free => Verdict::Failed(StageFailure::Threepid),
            false => Verdict::Pending(Reference::new(validation.number)),
            true => {
                validation.claimed_by = Some(session);
                Verdict::Passed(Proof::Threepid(Reference::new(validation.number)))
            }
        }
    }

    /// Whether the link that a session waits for has been followed meanwhile.
    fn still_pending(&mut self, reference: Reference, session: SessionId) -> Verdict<'static> {
        match self.validations.values_mut().find(|it| it.number == reference.get()) {
            Some(validation) if validation.validated => {
                validation.claimed_by = Some(session);
                Verdict::Passed(Proof::Threepid(reference))
            }
            _ => Verdict::Pending(reference),
        }
    }

    /// One atomic act: uses that are pending count against the limit.
    fn reserve(&mut self, name: Text<'_>) -> Verdict<'static> {
        match self.tokens.get_mut(name.to_string().as_str()) {
            Some(token) if token.uses + token.pending < token.limit => {
                token.pending += 1;
                Verdict::Passed(Proof::Token(Reference::new(token.number)))
            }
            _ => Verdict::Failed(StageFailure::Token),
        }
    }

    /// A link in an e-mail was followed.
    pub(crate) fn validate(&mut self, sid: &str) {
        self.validations.get_mut(sid).unwrap().validated = true;
    }
}
