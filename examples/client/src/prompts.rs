//! The answers to stages: from flags and the environment as long as they are good for something, then from
//! whoever is there.

use crate::args;
use crate::ask::Ask;
use crate::language;
use crate::output::End;
use crate::screen::{Screen, printable};
use crate::validation::Validation;
use matrix_uia::client::{Medium, Prompt, Request, StageError, Terms};
use matrix_uia::endpoint::EndpointPath;
use matrix_uia::wire::{AuthType, UserIdentifier};
use matrix_uia::{Secret, Text};

/// What a stage is answered with.
#[derive(Default)]
pub struct Answers {
    /// Whose password is asked for.
    pub user: Option<String>,
    pub password: Given,
    pub registration_token: Given,
    pub accept_terms: bool,
    pub email: Option<String>,
}

/// Something that was given beforehand, and is given once: what was refused is asked for.
#[derive(Default)]
pub struct Given {
    value: Option<String>,
    used: bool,
}

impl From<Option<String>> for Given {
    fn from(value: Option<String>) -> Self {
        Self { value, used: false }
    }
}

impl Given {
    pub const fn is_given(&self) -> bool {
        self.value.is_some()
    }

    /// The one that was given; the same `again`, if nobody has judged it. Else a new one.
    fn take(&mut self, again: bool, ask: impl FnOnce() -> Result<String, End>) -> Result<String, End> {
        let value = match self.value.take().filter(|_| again || !self.used) {
            Some(value) => value,
            None => ask()?,
        };
        self.used = true;
        self.value = Some(value.clone());
        Ok(value)
    }

    /// Nobody has judged it: it is good for another call.
    const fn unjudged(&mut self) {
        self.used = false;
    }
}

impl Answers {
    pub fn of_user(who: &args::Who, password: Option<String>) -> Self {
        Self { user: Some(who.user.clone()), password: password.into(), ..Self::default() }
    }

    /// The stages that can be answered: with somebody to ask, more than with nobody.
    pub fn stages(&self, endpoint: EndpointPath, somebody: bool) -> Vec<AuthType<'static>> {
        let can = [
            (AuthType::Password, self.user.is_some() && (somebody || self.password.is_given())),
            (AuthType::RegistrationToken, somebody || self.registration_token.is_given()),
            (AuthType::Terms, somebody || self.accept_terms),
            (
                AuthType::EmailIdentity,
                endpoint.request_token(Medium::Email).is_some() && (somebody || self.email.is_some()),
            ),
        ];
        can.into_iter().filter_map(|(stage, can)| can.then_some(stage)).collect()
    }

    /// The call that they were for is made once more, with a new token: what was wrong was the old one.
    pub const fn for_another_call(&mut self) {
        self.password.unjudged();
        self.registration_token.unjudged();
    }

    /// Answers a prompt; `send` takes the request that comes of it. With nobody there, nothing is asked.
    pub fn answer<T>(
        &mut self,
        prompt: Prompt<'_>,
        validation: Option<&Validation>,
        (screen, somebody): (&Screen, bool),
        send: impl FnOnce(&Request<'_>) -> T,
    ) -> Result<T, End> {
        let stage = prompt.auth_type().name().to_string();
        let missing = || End::missing(stage.clone());
        let hidden = |question: &str| somebody.then(|| Ask.hidden(question)).flatten().ok_or_else(missing);
        let again = prompt.is_again();
        if let (Some(error), false) = (prompt.error(), again || matches!(prompt, Prompt::Threepid(_))) {
            refused(screen, error);
        }
        match prompt {
            Prompt::Password(prompt) => {
                let user = self.user.clone().ok_or_else(missing)?;
                let ask = || hidden(&format!("Password of {}: ", printable(&user)));
                let password = self.password.take(again, ask)?;
                let user = UserIdentifier::User(Text::new(&user));
                Ok(send(&prompt.answer(user, Secret::new(&password))))
            }
            Prompt::RegistrationToken(prompt) => {
                let token = self.registration_token.take(again, || hidden("Registration token: "))?;
                Ok(send(&prompt.answer(Secret::new(&token))))
            }
            Prompt::Terms(prompt) => {
                if !self.accept_terms {
                    show(screen, prompt.terms());
                    if !somebody || Ask.yes("Do you accept?") != Some(true) {
                        return Err(missing());
                    }
                }
                Ok(send(&prompt.accept()))
            }
            Prompt::Threepid(prompt) => {
                let creds = validation.and_then(Validation::creds).ok_or_else(missing)?;
                Ok(send(&prompt.answer(creds)))
            }
            _ => Err(missing()),
        }
    }
}

fn refused(screen: &Screen, error: StageError<'_>) {
    let words = error.message.map(|words| format!(" {words}")).unwrap_or_default();
    let code = error.code.map(|code| format!(" ({})", code.name())).unwrap_or_default();
    screen.say(&format!("The server says no:{words}{code}"));
}

fn show(screen: &Screen, terms: Terms<'_>) {
    let language = language::of_the_environment();
    let languages: Vec<&str> = language.as_deref().into_iter().collect();
    screen.say("The server's terms:");
    terms.each(&languages, |policy| screen.say(&format!("  {} ({})", policy.name, policy.url)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_asked_for() {
        let ask = || Ok("asked".to_owned());
        let mut given = Given::from(Some("given".to_owned()));
        assert_eq!(given.take(false, ask).unwrap(), "given");
        assert_eq!(given.take(true, ask).unwrap(), "given", "it was lost on the way");
        assert_eq!(given.take(false, ask).unwrap(), "asked");
        assert_eq!(given.take(true, || panic!("nobody is asked twice")).unwrap(), "asked");
        given.unjudged();
        assert_eq!(given.take(false, || panic!("it is good for another call")).unwrap(), "asked");
    }

    #[test]
    fn with_nobody_there_only_what_was_given_can_be_done() {
        let none = Answers::default();
        assert!(none.stages(EndpointPath::REGISTER, false).is_empty());
        assert_eq!(none.stages(EndpointPath::REGISTER, true).len(), 3, "no user whose password it could be");
        let email = Answers { email: Some("a@b".to_owned()), ..Answers::default() };
        assert_eq!(email.stages(EndpointPath::PASSWORD, false), [AuthType::EmailIdentity]);
        assert!(email.stages(EndpointPath::DEACTIVATE, false).is_empty(), "nobody would send the token");
    }
}
