//! Locking and suspending accounts, by administrators: [`PUT /admin/lock`] and
//! [`PUT /admin/suspend`].
//!
//! ```text
//!  who asks ─► Moderator::authorise ─► local_user ─► look it up ─► see, set ─► AccountStatus
//!                    │                                                │
//!              403, before anybody is looked up            403 an administrator, 404 nobody
//! ```
//!
//! [`PUT /admin/lock`]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminlockuserid
//! [`PUT /admin/suspend`]: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv1adminsuspenduserid

use core::fmt::{self, Write};

use crate::server::account::{AccountStatus, Event, Lifecycle};
use crate::server::reference::UserRef;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::json::{self, ObjectWriter, Span, Table, table};
use crate::wire::{Locality, UserIdentifier};

/// What an administrator sees and sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moderation {
    /// [Locking](https://spec.matrix.org/v1.19/client-server-api/#account-locking).
    Lock,
    /// [Suspension](https://spec.matrix.org/v1.19/client-server-api/#account-suspension).
    Suspend,
}

impl Moderation {
    /// The one key of requests and answers.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Lock => "locked",
            Self::Suspend => "suspended",
        }
    }

    /// How an account stands.
    #[must_use]
    pub const fn of(self, status: AccountStatus) -> bool {
        match self {
            Self::Lock => status.locked,
            Self::Suspend => status.suspended,
        }
    }

    /// What happens to an account for which it is set to `on`.
    #[must_use]
    pub const fn event(self, on: bool) -> Event {
        match (self, on) {
            (Self::Lock, true) => Event::Lock,
            (Self::Lock, false) => Event::Unlock,
            (Self::Suspend, true) => Event::Suspend,
            (Self::Suspend, false) => Event::Unsuspend,
        }
    }

    /// Reads the body of a `PUT`: what it is to be.
    ///
    /// # Errors
    ///
    /// 400 `M_NOT_JSON` or `M_BAD_JSON` as [`wire`](crate::wire) lists, 400
    /// `M_MISSING_PARAM` without the key.
    pub fn parse(self, body: &[u8]) -> Result<bool, MatrixError> {
        static LOCK: Table = table![0; "locked": Flag];
        static SUSPEND: Table = table![0; "suspended": Flag];
        let keys = match self {
            Self::Lock => &LOCK,
            Self::Suspend => &SUSPEND,
        };
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, keys, &mut slots)?;
        let [on] = slots.map(|span| span.flag(text));
        on.ok_or(MatrixError::new(ErrorCode::MissingParam, "A key of the request is missing."))
    }

    /// Writes the answer to `GET` and `PUT`: how the account stands.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(self, status: AccountStatus, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.boolean(self.key(), self.of(status))?;
        object.end()
    }
}

/// An account as its moderation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moderated {
    /// Whose account.
    pub user: UserRef,
    /// Whether they are an administrator.
    pub admin: bool,
    /// Its status.
    pub status: AccountStatus,
}

impl Moderated {
    /// The account of `user`.
    #[must_use]
    pub const fn new(user: UserRef, admin: bool, status: AccountStatus) -> Self {
        Self { user, admin, status }
    }
}

/// Who may moderate: an administrator. There is no other way to one than
/// [`authorise`](Self::authorise), so that nobody is looked up for others.
///
/// ```
/// use matrix_uia::endpoint::moderation::{Moderated, Moderation, Moderator};
/// use matrix_uia::server::account::AccountStatus;
/// use matrix_uia::server::reference::UserRef;
/// let moderator = Moderator::authorise(UserRef::new(1), true)?;
/// let bob = Moderated::new(UserRef::new(2), false, AccountStatus::default());
/// assert!(moderator.set(Moderation::Lock, true, Some(bob))?.locked);
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Moderator {
    user: UserRef,
}

impl Moderator {
    /// Whether whoever asks may moderate. "Servers MUST ensure that authorisation is
    /// checked prior to trying to do account lookups."
    ///
    /// # Errors
    ///
    /// 403 `M_FORBIDDEN` if they are no administrator.
    pub const fn authorise(user: UserRef, admin: bool) -> Result<Self, MatrixError> {
        if admin {
            Ok(Self { user })
        } else {
            Err(MatrixError::new(ErrorCode::Forbidden, "Only administrators of this server may do this."))
        }
    }

    /// The localpart of the user that the path names.
    ///
    /// # Errors
    ///
    /// 400 `M_INVALID_PARAM` if it is no user ID, or one of another server.
    pub fn local_user<'a>(&self, user_id: &'a str, server_name: &str) -> Result<Text<'a>, MatrixError> {
        let identifier = UserIdentifier::User(Text::new(user_id));
        match identifier.localpart(server_name) {
            Locality::Local(localpart) if user_id.starts_with('@') => Ok(localpart),
            _ => Err(MatrixError::new(ErrorCode::InvalidParam, "The user does not belong to this server.")),
        }
    }

    /// How the account stands.
    ///
    /// # Errors
    ///
    /// 404 `M_NOT_FOUND` if there is no such account, or it is gone; 403 `M_FORBIDDEN` if
    /// it is that of another administrator.
    pub fn see(&self, account: Option<Moderated>) -> Result<AccountStatus, MatrixError> {
        let account = account.filter(|account| account.status.life == Lifecycle::Active);
        let account = account.ok_or(MatrixError::new(ErrorCode::NotFound, "There is no such user."))?;
        if account.admin && account.user != self.user {
            return Err(MatrixError::new(ErrorCode::Forbidden, "The user is an administrator too."));
        }
        Ok(account.status)
    }

    /// The status that the account gets: store it. Setting what is set already is no
    /// error.
    ///
    /// # Errors
    ///
    /// Those of [`see`](Self::see); 403 `M_FORBIDDEN` also for one's own account.
    pub fn set(
        &self,
        moderation: Moderation,
        on: bool,
        account: Option<Moderated>,
    ) -> Result<AccountStatus, MatrixError> {
        let status = self.see(account)?;
        if account.is_some_and(|account| account.user == self.user) {
            return Err(MatrixError::new(
                ErrorCode::Forbidden,
                "Administrators can't do this to themselves.",
            ));
        }
        // No life forbids these events.
        Ok(status.on(moderation.event(on)).unwrap_or(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_it_is_to_be() {
        for (moderation, key) in [(Moderation::Lock, "locked"), (Moderation::Suspend, "suspended")] {
            let code = |body: &str| moderation.parse(body.as_bytes()).map_err(|reject| reject.code());
            assert_eq!(code(&format!("{{\"{key}\":true}}")), Ok(true));
            assert_eq!(code(&format!("{{\"{key}\":false,\"x\":1}}")), Ok(false));
            assert_eq!(code("{}"), Err(ErrorCode::MissingParam));
            assert_eq!(code(&format!("{{\"{key}\":null}}")), Err(ErrorCode::MissingParam));
            assert_eq!(code(&format!("{{\"{key}\":1}}")), Err(ErrorCode::BadJson));
            assert_eq!(code("no"), Err(ErrorCode::NotJson));
        }
    }

    #[test]
    fn only_a_user_id_of_this_server_is_one() {
        let moderator = Moderator::authorise(UserRef::new(1), true).unwrap();
        assert_eq!(moderator.local_user("@bob:example.org", "example.org").unwrap(), "bob");
        for other in ["bob", "", "@bob", "@bob:example.com", "bob:example.org"] {
            let reject = moderator.local_user(other, "example.org").unwrap_err();
            assert_eq!((reject.status(), reject.code()), (400, ErrorCode::InvalidParam), "{other}");
        }
    }
}
