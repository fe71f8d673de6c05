//! The validation of one address, as a value: the state picture is that of
//! [`threepid`](super).

use super::address::Threepid;
use super::authority::{AddressAuthority, Authorised};
use super::purpose::Purpose;
use super::rules::ValidationRules;
use crate::server::digest::Digest;
use crate::server::reference::UserRef;
use crate::time::Timestamp;

/// The validation of an address: the value a host keeps under its `sid`, and finds again
/// by [`TokenRequestKey::identity`](super::TokenRequestKey::identity).
///
/// No secret is in it, only keyed digests. Each transition takes the value (what was
/// found, which may be nothing) and gives what it has become.
///
/// Reading it back fails if the form is another version's, was changed, or combines what
/// can't be; then it counts as none, and its owner asks for another message. One that was
/// made in the [future](Timestamp::is_future) is over (lesson 104).
///
/// ```
/// use matrix_uia::endpoint::threepid::{
///     AddressAuthority, Delivery, Medium, Purpose, Requested, Threepid, TokenRequestKey, Validation,
///     ValidationRules,
/// };
/// use matrix_uia::{BindingKey, Secret, Timestamp};
/// let key = BindingKey::from_entropy([7; 16]); // from the host's generator
/// let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
/// let now = Timestamp::from_millis(1_000);
/// let alice = Threepid::parse(Medium::Email, "alice@example.org".into())?;
/// let asked = TokenRequestKey::new(&key, Purpose::Reset, None, alice, Secret::new("monkeys"), 1);
/// let token = key.validation_token(Secret::new("a-token-nobody-guesses"));
///
/// let request = |found| {
///     Validation::request(found, &asked, Delivery::Token, token, &policies, &rules, now)
/// };
/// let Requested::New(sent) = request(None) else { unreachable!("there was none") };
/// let message = format!("Whoever asked for this can: {}.", sent.authorises(&policies));
/// assert_eq!(message, "Whoever asked for this can: change your password.");
/// let again = request(Some(sent));
/// assert!(matches!(again, Requested::AlreadySent));
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is not stored never happened"]
pub struct Validation {
    pub(super) threepid: Threepid,
    pub(super) purpose: Purpose,
    pub(super) requester: Option<UserRef>,
    pub(super) secret: Digest,
    /// The fingerprint of what its message said that it can authorise.
    pub(super) named: u32,
    /// `None`: there never was one, only a notice. It looks like one that nobody submits.
    pub(super) token: Option<Digest>,
    pub(super) send_attempt: i64,
    /// The last message, being validated, or being claimed: what the lifetime counts from.
    pub(super) touched: Timestamp,
    pub(super) wrong_tokens: u16,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Sent,
    Validated { at: Timestamp },
    Claimed { at: Timestamp, by: Digest },
}

impl Validation {
    /// Whether nothing can come of it any more.
    #[must_use]
    pub fn is_over(&self, rules: &ValidationRules, now: Timestamp) -> bool {
        let guessed = self.phase == Phase::Sent && self.wrong_tokens >= rules.max_wrong_tokens;
        guessed || self.is_future(now) || self.touched.has_run_out(rules.lifetime, now)
    }

    /// Whether any of its times was written by a clock that was wrong.
    pub(super) fn is_future(&self, now: Timestamp) -> bool {
        self.touched.is_future(now) || self.validated_at().is_some_and(|at| at.is_future(now))
    }

    /// From when on the host may forget it. Later than its end: who comes too late is told
    /// that it is over rather than that it never was.
    ///
    /// A host that keeps this time forgets also what [can't end so
    /// late](Timestamp::has_passed): twice the lifetime is the longest.
    #[must_use]
    pub const fn forget_at(&self, rules: &ValidationRules) -> Timestamp {
        self.touched.after(rules.lifetime).after(rules.lifetime)
    }

    /// Whether `secret` is that of who asked for it: who may be told about it.
    #[must_use]
    pub fn is_of(&self, secret: Digest) -> bool {
        self.secret == secret
    }

    /// The address.
    #[must_use]
    pub const fn threepid(&self) -> &Threepid {
        &self.threepid
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Who asked for it, if an access token said so.
    #[must_use]
    pub const fn requester(&self) -> Option<UserRef> {
        self.requester
    }

    /// When the address was validated, if it has been.
    #[must_use]
    pub const fn validated_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Sent => None,
            Phase::Validated { at } | Phase::Claimed { at, .. } => Some(at),
        }
    }

    /// What it can authorise at a server with these policies: what its message and its page
    /// name.
    pub const fn authorises<'a>(&self, policies: &'a AddressAuthority) -> Authorised<'a> {
        policies.of(self.purpose, self.threepid.medium())
    }
}
