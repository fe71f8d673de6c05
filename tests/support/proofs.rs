//! What the host can look up: passwords, validated addresses, registration tokens.

use matrix_uia::server::check::{AddressBy, AddressCheck, Named, PasswordCheck};
use matrix_uia::server::question::{Check, Question};
use matrix_uia::server::reference::{Reference, Subject, UserRef};
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::{Locality, UserIdentifier};
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

    /// What was reserved belongs to the call.
    pub(super) fn spend(&mut self, proof: Proof) {
        match proof {
            Proof::Token(number) => {
                let token = self.tokens.values_mut().find(|it| it.number == number.get()).unwrap();
                (token.pending, token.uses) = (token.pending - 1, token.uses + 1);
            }
            Proof::Threepid(number) => self.validations.retain(|_, it| it.number != number.get()),
            _ => {}
        }
    }

    pub(super) fn look_up(&mut self, question: &Question<'_>) -> Verdict<'static> {
        match question.check() {
            Check::Password(check) => self.compare(check),
            Check::Recaptcha { response } if response.expose() == "human" => {
                Verdict::Passed(Evidence::nothing())
            }
            Check::Recaptcha { .. } => Verdict::Failed(StageFailure::Captcha),
            Check::Email(check) | Check::Msisdn(check) => self.claim(check, question.session_id()),
            Check::RegistrationToken { token } => self.reserve(token.expose()),
            Check::Awaited { reference } => match self.awaited.get(&reference.get()) {
                Some(evidence) => Verdict::Passed(*evidence),
                None => Verdict::Pending(reference),
            },
            Check::Custom { .. } => Verdict::Failed(StageFailure::Other),
        }
    }

    fn compare(&mut self, check: PasswordCheck<'_>) -> Verdict<'static> {
        let named = match check.identifier() {
            UserIdentifier::Thirdparty { .. } | UserIdentifier::Phone { .. } => Named::Nobody,
            identifier => match identifier.localpart(SERVER) {
                Locality::Local(name) => match self.users.get(name.to_string().as_str()) {
                    Some(user) => Named::User(Subject::new(UserRef::new(user.number), user.epoch)),
                    None => Named::Nobody,
                },
                _ => Named::Remote,
            },
        };
        let comparison = check.named(named);
        let given = hash(&comparison.password().expose().to_string());
        let right = comparison.against().and_then(|user| self.by_number(user).hash.clone());
        self.compared += usize::from(comparison.against().is_some());
        comparison.verdict(right == Some(given))
    }

    fn claim(&mut self, check: AddressCheck<'_>, session: SessionId) -> Verdict<'static> {
        let found = match check.by() {
            AddressBy::Credentials(creds) => {
                let found = self.validations.get_mut(creds.sid.to_string().as_str());
                found.filter(|found| creds.client_secret.expose() == found.client_secret)
            }
            AddressBy::Awaited(reference) => {
                self.validations.values_mut().find(|it| it.number == reference.get())
            }
        };
        let Some(validation) = found else { return check.refused() };
        if validation.claimed_by.is_some_and(|by| by != session) {
            return check.refused();
        }
        let reference = Reference::new(validation.number);
        if !validation.validated {
            return check.pending(reference);
        }
        validation.claimed_by = Some(session);
        let owner = self.owner_of(reference);
        let verdict = check.validated(reference, owner);
        if let (Verdict::Failed(_), Some(validation)) =
            (verdict, self.validations.values_mut().find(|it| it.number == reference.get()))
        {
            validation.claimed_by = None;
        }
        verdict
    }

    /// Who has the address of a validation now.
    pub(crate) fn owner_of(&self, validation: Reference) -> Option<Subject> {
        let owner = self.users.values().find(|user| user.threepids.contains(&validation.get()))?;
        Some(Subject::new(UserRef::new(owner.number), owner.epoch))
    }

    /// One atomic act: uses that are pending count against the limit.
    fn reserve(&mut self, name: Text<'_>) -> Verdict<'static> {
        match self.tokens.get_mut(name.to_string().as_str()) {
            Some(token) if token.uses + token.pending < token.limit => {
                token.pending += 1;
                Verdict::Passed(Evidence::token(Reference::new(token.number)))
            }
            _ => Verdict::Failed(StageFailure::Token),
        }
    }

    /// A link in an e-mail was followed.
    pub(crate) fn validate(&mut self, sid: &str) {
        self.validations.get_mut(sid).unwrap().validated = true;
    }
}
