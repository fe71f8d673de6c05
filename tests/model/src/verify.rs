//! The host looks a stage up, and says it to the crate and to the model.

use matrix_uia::server::check::{AddressBy, Named};
use matrix_uia::server::question::{Check, LimitKey, Question};
use matrix_uia::server::reference::{Reference, Subject};
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::{Evidence, Extra, StageFailure, Verdict};
use matrix_uia::wire::Raw;
use matrix_uia::{Millis, SessionId};

use crate::facts::{Account, CAPTCHA, EMAIL, PASSWORD, PIN, SSO, TOKEN, user};
use crate::host::{Host, Transaction, id};
use crate::judge::Heard;
use crate::request::Said;
use crate::steps::{Answered, Asked};

/// Looks a stage up, in the transaction if there is one to look in. What is reserved for it
/// is `reserved`.
pub(crate) fn look_up<'r>(
    host: &mut Host,
    transaction: Option<&mut Transaction>,
    question: &Question<'r>,
    asked: &Asked,
    said: Said,
    caller: Option<Subject>,
    reserved: &mut Vec<usize>,
) -> (Verdict<'r>, Answered) {
    let in_transaction = transaction.is_some();
    let before = host.reservations.len();
    let (verdict, heard) = verify(host, transaction, question, asked, said);
    reserved.extend(before..host.reservations.len());
    let Asked { id, stage, polled, .. } = *asked;
    (verdict, Answered { id, stage, polled, heard, caller, in_transaction, settled: false })
}

/// What the crate is told, and what the model is.
fn verify<'r>(
    host: &mut Host,
    transaction: Option<&mut Transaction>,
    question: &Question<'r>,
    asked: &Asked,
    said: Said,
) -> (Verdict<'r>, Heard) {
    compare(question, asked);
    let account = |number: u8| host.accounts.get(usize::from(number)).copied().flatten();
    let subject = |number: u8| account(number).map(|account: Account| account.subject);
    let unavailable = (Verdict::Unavailable, Heard::Unavailable);
    match said {
        Said::Unavailable => return unavailable,
        Said::Limited => return (Verdict::Limited(Millis::new(9)), Heard::Limited),
        _ => {}
    }
    let failed = |failure| (Verdict::Failed(failure), Heard::Failed(failure));
    let nothing = (Verdict::Passed(Evidence::nothing()), Heard::Passed(Proof::Nothing, None));
    match question.check() {
        Check::Password(check) => {
            let (named, right) = match said {
                Said::Good(number) => (subject(number).map_or(Named::Nobody, Named::User), true),
                Said::Bad => (subject(0).map_or(Named::Nobody, Named::User), false),
                Said::Remote => (Named::Remote, true),
                _ => (Named::Nobody, true),
            };
            let comparison = check.named(named);
            let heard = password(asked, named, right);
            let against = match (named, asked.user) {
                (Named::User(subject), expected) => {
                    Some(subject.user).filter(|user| expected.is_none_or(|it| it == *user))
                }
                _ => None,
            };
            assert_eq!(comparison.against(), against, "nobody else's password is compared");
            (comparison.verdict(right), heard)
        }
        Check::Email(check) | Check::Msisdn(check) => match said {
            Said::Good(number) => {
                let owner = subject(number);
                let reference = host.reserve(asked.id, EMAIL, transaction);
                let heard = address(asked, reference, owner);
                let verdict = check.validated(reference, owner);
                if !matches!(heard, Heard::Passed(..)) {
                    // The host knows that it claimed the validation for nothing.
                    host.give_back_at_once(reference);
                }
                (verdict, heard)
            }
            Said::Pending | Said::More => (check.pending(Reference::new(41)), Heard::Pending(41)),
            _ => (check.refused(), Heard::Failed(StageFailure::Threepid)),
        },
        Check::Recaptcha { .. } => match said {
            Said::Good(_) => nothing,
            Said::Pending | Said::More => more(said, 42),
            _ => failed(StageFailure::Captcha),
        },
        Check::RegistrationToken { .. } => match said {
            Said::Good(_) => {
                let reference = host.reserve(asked.id, TOKEN, transaction);
                let proof = Proof::Token(reference);
                (Verdict::Passed(Evidence::token(reference)), Heard::Passed(proof, None))
            }
            _ => failed(StageFailure::Token),
        },
        Check::Awaited { .. } | Check::Custom { .. } => match said {
            Said::Good(number) if asked.stage == SSO => match subject(number) {
                Some(subject) => proved(subject),
                None => failed(StageFailure::Other),
            },
            // A custom stage may name a user, too.
            Said::Remote => proved(subject(1).unwrap_or(Subject::new(user(1), 0))),
            Said::Good(_) => {
                let reference = host.reserve(asked.id, PIN, transaction);
                let proof = Proof::Other(reference);
                (Verdict::Passed(Evidence::other(reference)), Heard::Passed(proof, None))
            }
            Said::Nobody => nothing,
            Said::Pending | Said::More => more(said, 43),
            _ => failed(StageFailure::Other),
        },
    }
}

fn proved(subject: Subject) -> (Verdict<'static>, Heard) {
    (Verdict::Passed(Evidence::user(subject)), Heard::Passed(Proof::User(subject.user), Some(subject)))
}

fn more(said: Said, reference: u64) -> (Verdict<'static>, Heard) {
    let extra = Extra::from(Raw::parse(r#"{"hint":1,"session":"stolen","completed":["x"]}"#).unwrap());
    match said {
        Said::More => {
            (Verdict::Continue { extra, reference: Reference::new(reference) }, Heard::More(reference))
        }
        _ => (Verdict::Pending(Reference::new(reference)), Heard::Pending(reference)),
    }
}

/// Rule U7.
fn password(asked: &Asked, named: Named, right: bool) -> Heard {
    let other = |user| asked.user.is_some_and(|expected| expected != user);
    let failure = match named {
        Named::User(subject) if other(subject.user) => StageFailure::OtherUser,
        Named::User(subject) if right => return Heard::Passed(Proof::User(subject.user), Some(subject)),
        Named::Nobody if asked.by_address => StageFailure::UnknownThreepid,
        Named::Nobody if asked.user.is_some() => StageFailure::OtherUser,
        _ => StageFailure::Credentials,
    };
    Heard::Failed(failure)
}

/// Rule U23.
fn address(asked: &Asked, reference: Reference, owner: Option<Subject>) -> Heard {
    let proof = Proof::Threepid(reference);
    match (asked.user, owner) {
        (Some(user), Some(owner)) if owner.user == user => Heard::Passed(proof, Some(owner)),
        (Some(_), _) => Heard::Failed(StageFailure::Threepid),
        (None, _) if asked.registers => Heard::Passed(proof, None),
        (None, Some(owner)) => Heard::Passed(proof, Some(owner)),
        (None, None) => Heard::Failed(StageFailure::UnownedThreepid),
    }
}

fn compare(question: &Question<'_>, asked: &Asked) {
    let stage = match question.check() {
        Check::Password(check) => {
            let by_address = !matches!(check.identifier(), matrix_uia::wire::UserIdentifier::User(_));
            assert_eq!(by_address, asked.by_address);
            PASSWORD
        }
        Check::Recaptcha { .. } => CAPTCHA,
        Check::Email(check) => {
            if let AddressBy::Awaited(reference) = check.by() {
                assert_eq!((Some(reference.get()), true), (asked.awaited, asked.polled));
            }
            EMAIL
        }
        Check::Msisdn(_) => panic!("no policy asks for a phone number"),
        Check::RegistrationToken { .. } => TOKEN,
        Check::Awaited { reference } => {
            assert_eq!((Some(reference.get()), true), (asked.awaited, asked.polled));
            asked.stage
        }
        Check::Custom { reference, .. } => {
            assert_eq!((reference.map(Reference::get), false), (asked.awaited, asked.polled));
            PIN
        }
    };
    assert_eq!((stage, question.session_id(), question.user()), (asked.stage, id(asked.id), asked.user));
    assert_eq!(question.is_poll(), asked.polled);
    // A token's user has a bucket of their own, whoever else is named.
    let keys: Vec<LimitKey<'_>> = question.limit_keys().collect();
    let by_token =
        keys.iter().any(|key| matches!(key, LimitKey::TokenUser(user) if Some(*user) == asked.user));
    let named = keys.iter().any(|key| matches!(key, LimitKey::Named(_)));
    let attempt = !asked.polled;
    assert_eq!(by_token, attempt && asked.by_token);
    assert_eq!(named, attempt && !asked.by_token && asked.stage == PASSWORD);
    assert_eq!(keys.iter().any(|key| matches!(key, LimitKey::Address)), attempt);
    let _: SessionId = question.session_id();
}
