//! The two stages that are about an account: whose it has to be is settled here, not by
//! the host's memory.

use super::reference::{Reference, Subject, UserRef};
use super::session::Proof;
use super::verdict::{Evidence, StageFailure, Verdict};
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::{Locality, ThreepidCreds, UserIdentifier};

/// A password to be checked: rules U7, U20.
///
/// ```text
///  identifier ─► the host looks it up ─► named ─► Comparison ─► compare, or as much work ─► verdict
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PasswordCheck<'r> {
    identifier: UserIdentifier<'r>,
    password: Secret<'r>,
    expected: Option<UserRef>,
}

/// Whom an identifier names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a user here, nobody here, or elsewhere: there is no fourth case")]
pub enum Named {
    /// This user of this server.
    User(Subject),
    /// Nobody: this server has no such user or address.
    Nobody,
    /// The full ID is that of a user of another server.
    Remote,
}

impl Named {
    /// The user of this server, if it names one.
    #[must_use]
    pub const fn user(self) -> Option<Subject> {
        match self {
            Self::User(subject) => Some(subject),
            Self::Nobody | Self::Remote => None,
        }
    }

    /// Whom an identifier names on the server `server_name`, of whose users `find` finds one
    /// by localpart. An address names nobody: a server that logs in by address looks that up
    /// first.
    ///
    /// ```
    /// use matrix_uia::server::check::Named;
    /// use matrix_uia::server::reference::{Subject, UserRef};
    /// use matrix_uia::{Text, wire::UserIdentifier};
    /// let alice = Subject::new(UserRef::new(1), 0);
    /// let named = |user| {
    ///     let find = |name: Text<'_>| (name == "alice").then_some(alice);
    ///     Named::by_localpart(UserIdentifier::User(Text::new(user)), "example.org", find)
    /// };
    /// assert_eq!(named("alice"), Named::User(alice));
    /// assert_eq!(named("@alice:example.org"), Named::User(alice));
    /// assert_eq!(named("@alice:example.com"), Named::Remote);
    /// assert_eq!(named("bob"), Named::Nobody);
    /// ```
    pub fn by_localpart<'r>(
        identifier: UserIdentifier<'r>,
        server_name: &str,
        find: impl FnOnce(Text<'r>) -> Option<Subject>,
    ) -> Self {
        match identifier.localpart(server_name) {
            Locality::Local(name) => find(name).map_or(Self::Nobody, Self::User),
            Locality::Remote => Self::Remote,
            Locality::NotUserId => Self::Nobody,
        }
    }
}

/// With whose password to compare.
#[derive(Clone, Copy, Debug)]
#[must_use = "compare, or do as much work, then say how it ended"]
pub struct Comparison<'r> {
    password: Secret<'r>,
    against: Option<Subject>,
    failure: StageFailure,
}

impl<'r> PasswordCheck<'r> {
    pub(super) const fn new(
        identifier: UserIdentifier<'r>,
        password: Secret<'r>,
        expected: Option<UserRef>,
    ) -> Self {
        Self { identifier, password, expected }
    }

    /// The same comparison at a login: whoever the identifier names.
    #[must_use]
    pub const fn at_login(identifier: UserIdentifier<'r>, password: Secret<'r>) -> Self {
        Self::new(identifier, password, None)
    }

    /// Whom to look up.
    #[must_use]
    pub const fn identifier(&self) -> UserIdentifier<'r> {
        self.identifier
    }

    /// Says whom the identifier names.
    ///
    /// If somebody else has to authenticate, be it because of the access token or of an
    /// earlier stage, nobody's password is compared.
    pub fn named(self, named: Named) -> Comparison<'r> {
        let by_name = matches!(self.identifier, UserIdentifier::User(_));
        let against = match named {
            Named::User(subject) if self.expected.is_none_or(|expected| expected == subject.user) => {
                Some(subject)
            }
            _ => None,
        };
        let failure = match (against, named) {
            (Some(_), _) | (None, Named::Remote) => StageFailure::Credentials,
            (None, _) if !by_name && named == Named::Nobody => StageFailure::UnknownThreepid,
            (None, _) if self.expected.is_some() => StageFailure::OtherUser,
            (None, _) => StageFailure::Credentials,
        };
        Comparison { password: self.password, against, failure }
    }
}

impl<'r> Comparison<'r> {
    /// The user with whose password to compare. `None`: with nobody's; compare with any
    /// hash all the same, so that the answer takes as long.
    #[must_use]
    pub fn against(&self) -> Option<UserRef> {
        self.against.map(|subject| subject.user)
    }

    /// The same with the account's epoch, as [`named`](PasswordCheck::named) told it.
    #[must_use]
    pub const fn subject(&self) -> Option<Subject> {
        self.against
    }

    /// The password that was sent.
    #[must_use]
    pub const fn password(&self) -> Secret<'r> {
        self.password
    }

    /// The verdict. `matches` counts only where there was somebody to compare with.
    #[must_use]
    pub const fn verdict(self, matches: bool) -> Verdict<'static> {
        match self.against {
            Some(subject) if matches => Verdict::Passed(Evidence::user(subject)),
            _ => Verdict::Failed(self.failure),
        }
    }
}

/// A validated address to be checked: rule U23.
#[derive(Clone, Copy, Debug)]
pub struct AddressCheck<'r> {
    by: AddressBy<'r>,
    expected: Option<UserRef>,
    registers: bool,
}

/// By what the stage refers to the validation.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_enums, reason = "the first request or a later one: there is no third case")]
pub enum AddressBy<'r> {
    /// By its credentials.
    Credentials(ThreepidCreds<'r>),
    /// By the reference that was given with [`AddressCheck::pending`].
    Awaited(Reference),
}

impl<'r> AddressCheck<'r> {
    pub(super) const fn new(by: AddressBy<'r>, expected: Option<UserRef>, registers: bool) -> Self {
        Self { by, expected, registers }
    }

    /// Which validation to look up.
    #[must_use]
    pub const fn by(&self) -> AddressBy<'r> {
        self.by
    }

    pub(super) const fn is_poll(&self) -> bool {
        matches!(self.by, AddressBy::Awaited(_))
    }

    /// The address is validated, and the validation is claimed for this session. `owner`
    /// is the account that has the address now.
    ///
    /// In a session that has a user the stage passes only if that is the owner. Where it
    /// names the user, there has to be an owner. In a registration nobody needs to have it.
    #[must_use]
    pub fn validated(self, validation: Reference, owner: Option<Subject>) -> Verdict<'static> {
        let proof = Proof::Threepid(validation);
        match (self.expected, owner) {
            (Some(expected), Some(owner)) if owner.user == expected => {
                Verdict::Passed(Evidence::address(proof, Some(owner)))
            }
            (Some(_), _) => Verdict::Failed(StageFailure::Threepid),
            (None, _) if self.registers => Verdict::Passed(Evidence::address(proof, None)),
            (None, Some(owner)) => Verdict::Passed(Evidence::address(proof, Some(owner))),
            (None, None) => Verdict::Failed(StageFailure::UnownedThreepid),
        }
    }

    /// The credentials are good, and nobody has followed the link or entered the token
    /// yet. A poll asks about the reference.
    #[must_use]
    pub const fn pending(self, reference: Reference) -> Verdict<'static> {
        Verdict::Pending(reference)
    }

    /// There is no such validation for this stage.
    #[must_use]
    pub const fn refused(self) -> Verdict<'static> {
        Verdict::Failed(StageFailure::Threepid)
    }
}
