//! What the user is asked.

use core::fmt;

use matrix_uia::client::{Printable, Prompt, Request, Terms};
use matrix_uia::wire::UserIdentifier;
use matrix_uia::{Secret, Text};

use crate::calls::{Failure, Surroundings};

/// The languages of the user of this device, the one they like best first.
const LANGUAGES: &[&str] = &["fr", "en"];

/// Asks what the homeserver asks for.
#[inline(never)]
pub fn answer<'r>(prompt: Prompt<'r>, around: &'r mut impl Surroundings) -> Result<Request<'r>, Failure> {
    if let Some(words) = prompt.error().and_then(|error| error.message) {
        show(words, "\n", around)?;
    }
    match prompt {
        Prompt::Password(prompt) => {
            let password = ask("Password? ", around)?;
            Ok(prompt.answer(UserIdentifier::User("lamp".into()), Secret::new(password)))
        }
        Prompt::RegistrationToken(prompt) => {
            let token = ask("Registration token? ", around)?;
            Ok(prompt.answer(Secret::new(token)))
        }
        Prompt::Terms(prompt) => {
            show_terms(&prompt.terms(), around)?;
            if ask("Do you accept? ", around)? == "yes" {
                Ok(prompt.accept())
            } else {
                Err(Failure::Cancelled)
            }
        }
        _ => Err(Failure::Unusable),
    }
}

fn ask<'a>(question: &str, around: &'a mut impl Surroundings) -> Result<&'a str, Failure> {
    around.write_str(question)?;
    around.typed().ok_or(Failure::Cancelled)
}

/// What there is to be accepted, and where it can be read.
fn show_terms(terms: &Terms<'_>, screen: &mut impl fmt::Write) -> fmt::Result {
    let mut shown = Ok(());
    terms.each(LANGUAGES, |policy| {
        shown = shown
            .and_then(|()| show(policy.name, ": ", screen))
            .and_then(|()| show(policy.url, "\n", screen));
    });
    shown
}

/// Shows a text of the homeserver's, with nothing in it that moves a cursor or turns a line round.
pub fn show(text: Text<'_>, behind: &str, screen: &mut impl fmt::Write) -> fmt::Result {
    Printable(text).write(screen)?;
    screen.write_str(behind)
}
