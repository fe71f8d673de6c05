//! What a client sends, and how everybody else will behave about it.

use crate::facts::{CAPTCHA, EMAIL, Facts, PASSWORD, TOKEN};
use crate::params::{Given, SLOTS};
use crate::session::Id;

/// Which session a request names.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Named {
    /// None.
    None,
    /// One of those that an answer has carried, the newest being 0.
    Known(u8),
    /// One that there has never been.
    Nowhere,
    /// What no session can be called.
    Garbage,
}

/// The auth dict.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// There is none.
    Absent,
    /// It has a session and no type.
    Poll,
    /// A stage by its number in [`STAGES`](crate::STAGES).
    Attempt(u8, Form),
}

/// How the data of a stage is written.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// As it has to be; a password's identifier is a user's name.
    Good,
    /// As it has to be; a password's identifier is an address.
    ByAddress,
    /// A key is missing.
    Missing,
    /// A key has the wrong type.
    Invalid,
}

/// What the host finds out about a stage.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// It has passed; where it is about a user, that one.
    Good(u8),
    /// It is wrong.
    Bad,
    /// It names nobody; where it need not name anybody, it has passed.
    Nobody,
    /// It names a user of another server.
    Remote,
    /// It hasn't happened yet.
    Pending,
    /// It takes another request.
    More,
    /// The host can't tell.
    Unavailable,
    /// There have been too many attempts.
    Limited,
}

/// What the host says before anybody authenticates.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Admission {
    /// The call is let in.
    Admitted,
    /// It is not.
    Refused,
    /// It is not, for its parameters.
    RefusedForParams,
    /// An application service acts for its user.
    ApplicationService,
    /// No key changes.
    SigningKeys,
    /// The token was used to authenticate so many milliseconds ago.
    Recent(u8),
}

/// How the call ends, once it is granted.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// It succeeds.
    Succeeded,
    /// It is refused.
    Refused,
    /// It is refused for its parameters.
    RefusedForParams,
}

/// A request, and the behaviour of its host.
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Which session it names.
    pub session: Named,
    /// The user of its access token.
    pub user: Option<u8>,
    /// Another operation than that of the run, or its own (0).
    pub operation: u8,
    /// Whether it is at another path.
    pub target: bool,
    /// Its parameters.
    pub given: [Option<u8>; SLOTS],
    /// Its auth dict.
    pub ask: Ask,
    /// What is found out about the stage.
    pub said: Said,
    /// Whether that is found in the transaction, where there is one.
    pub in_transaction: bool,
    /// What is said before anybody authenticates.
    pub admission: Admission,
    /// How the call ends.
    pub ending: Ending,
    /// Whether its parameters are refused before it can be checked.
    pub unchecked: bool,
    /// Whether nobody knows what became of a call, or has its answer any more.
    pub forgotten: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            session: Named::None,
            user: None,
            operation: 0,
            target: false,
            given: [None; SLOTS],
            ask: Ask::Absent,
            said: Said::Good(0),
            in_transaction: false,
            admission: Admission::Admitted,
            ending: Ending::Succeeded,
            unchecked: false,
            forgotten: false,
        }
    }
}

/// A request as the model sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub(crate) facts: Facts,
    pub(crate) target: bool,
    pub(crate) given: Given,
    /// The session it names; `Some(None)` if there is none of that name.
    pub(crate) session: Option<Option<Id>>,
    pub(crate) ask: Ask,
    pub(crate) admission: Admission,
    pub(crate) unchecked: bool,
    pub(crate) fresh: Id,
    pub(crate) arrived: u64,
}

/// What is wrong with the data of a stage, if anything is.
pub(crate) fn fault(stage: &str, form: Form) -> Option<Form> {
    let has_keys = [PASSWORD, EMAIL, CAPTCHA, TOKEN].contains(&stage);
    Some(form).filter(|form| has_keys && matches!(form, Form::Missing | Form::Invalid))
}

/// The data of a stage, in the form in which its page would send it too.
pub(crate) fn data(stage: &str, form: Form) -> String {
    let good = match (stage, form) {
        (PASSWORD, Form::ByAddress) => {
            r#","identifier":{"type":"m.id.thirdparty","medium":"email","address":"a@b"},"password":"p""#
        }
        (PASSWORD, _) => r#","identifier":{"type":"m.id.user","user":"alice"},"password":"p""#,
        (CAPTCHA, _) => r#","response":"r""#,
        (TOKEN, _) => r#","token":"t""#,
        (EMAIL, _) => r#","threepid_creds":{"sid":"1","client_secret":"c"}"#,
        _ => "",
    };
    match form {
        Form::Good | Form::ByAddress => good.to_owned(),
        Form::Missing => good
            .replace(r#""password":"p""#, r#""x":0"#)
            .replace(r#""response""#, r#""y""#)
            .replace(r#""token""#, r#""y""#)
            .replace("threepid_creds", "z"),
        Form::Invalid => good
            .replace(r#""p""#, "[]")
            .replace(r#""r""#, "7")
            .replace(r#""t""#, r#""*""#)
            .replace(r#""c""#, r#""/""#),
    }
}
