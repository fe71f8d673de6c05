//! The account's status: one small machine, and who may do what in which state.
//!
//! ```text
//!            Lock, Unlock, Suspend, Unsuspend (flags, in every state)
//!  ┌────────┐  Fence   ┌──────────────┐  Finish   ┌─────────────┐
//!  │ Active ├─────────►│ Deactivating ├──────────►│ Deactivated │
//!  └────▲───┘          └──────────────┘           └──────┬──────┘
//!       └────────────────── Reactivate ──────────────────┘
//! ```
//!
//! Locking and suspension are flags beside the life cycle, so that each survives the
//! other's removal. Both tables below, of events and of actions, are whole: every
//! combination has its row, and a test walks them.
//!
//! See [account moderation](https://spec.matrix.org/v1.19/client-server-api/#account-moderation).

use core::fmt;

use super::reference::{Subject, UserRef};
use crate::wire::error::{ErrorCode, MatrixError};

/// An account as it is now, read where the session is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The user, and the epoch of the account.
    pub subject: Subject,
    /// Whether it may be used.
    pub status: AccountStatus,
}

impl Account {
    /// The account of `subject`.
    #[must_use]
    pub const fn new(subject: Subject, status: AccountStatus) -> Self {
        Self { subject, status }
    }

    /// A new account of this user: active, at its first epoch.
    #[must_use]
    pub fn created(user: UserRef) -> Self {
        Self::new(Subject::new(user, 0), AccountStatus::default())
    }

    /// The account once its credentials are replaced, or an address is removed from it:
    /// sessions that began before are over (rule U24).
    #[must_use]
    pub const fn next_epoch(mut self) -> Self {
        self.subject.epoch = self.subject.epoch.saturating_add(1);
        self
    }

    /// The account after `event`. A fence counts the epoch up.
    ///
    /// ```
    /// use matrix_uia::server::account::{Account, AccountStatus, Event, Lifecycle};
    /// use matrix_uia::server::reference::{Subject, UserRef};
    /// let account = Account::new(Subject::new(UserRef::new(1), 4), AccountStatus::default());
    /// let fenced = account.on(Event::Fence)?;
    /// assert_eq!((fenced.status.life, fenced.subject.epoch), (Lifecycle::Deactivating, 5));
    /// assert_eq!(fenced.on(Event::Finish)?.subject.epoch, 5);
    /// # Ok::<(), matrix_uia::server::account::InvalidTransition>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] if it makes no sense; the account stays as it was.
    pub const fn on(self, event: Event) -> Result<Self, InvalidTransition> {
        match self.status.on(event) {
            Ok(status) => {
                let after = Self { status, ..self };
                Ok(if matches!(event, Event::Fence) { after.next_epoch() } else { after })
            }
            Err(invalid) => Err(invalid),
        }
    }
}

/// Who makes a request: what its access token says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "no token, a good one, one that is over: there is no fourth case")]
pub enum Caller {
    /// The request has no access token.
    Nobody,
    /// The account of the token's user.
    User(Account),
    /// The token was good when the request came in, and is not any more: the error to
    /// answer, 401 `M_UNKNOWN_TOKEN`. A password change meanwhile may have ended it.
    Ended(MatrixError),
}

impl Caller {
    /// Whose access token `token` is by now, as `find` looks it up; a token that nobody has
    /// is over.
    ///
    /// A server that tells unknown tokens from expired ones, which a client may refresh,
    /// makes [`Ended`](Self::Ended) itself.
    pub fn of_token<T>(token: Option<T>, find: impl FnOnce(T) -> Option<Account>) -> Self {
        match token.map(find) {
            None => Self::Nobody,
            Some(Some(account)) => Self::User(account),
            Some(None) => Self::Ended(MatrixError::unknown_token(false)),
        }
    }
}

/// Where the account is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "a new state has to break every match: a decision is owed")]
pub enum Lifecycle {
    /// In use.
    #[default]
    Active,
    /// Fenced: being deactivated, and unusable from the first moment on.
    Deactivating,
    /// Gone; its name stays taken.
    Deactivated,
}

impl Lifecycle {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Deactivating, Self::Deactivated];

    /// The name by which a stored status has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivating => "deactivating",
            Self::Deactivated => "deactivated",
        }
    }
}

/// The status of an account: a plain value the host stores with it.
///
/// It serialises with a version and a checksum. Reading it back fails if the form is another
/// version's, was changed, or is no status that [`on`](Self::on) leads to. A host with a
/// column for each field has the names of [`Lifecycle`] for the first.
///
/// ```
/// use matrix_uia::server::account::{AccountStatus, Action, Event};
/// let locked = AccountStatus::default().on(Event::Lock)?;
/// let refusal = locked.gate(Action::Sync).unwrap_err();
/// assert_eq!((refusal.status(), refusal.soft_logout()), (401, Some(true)));
/// assert!(locked.gate(Action::Logout).is_ok());
/// # Ok::<(), matrix_uia::server::account::InvalidTransition>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AccountStatus {
    /// Where the account is in its life.
    pub life: Lifecycle,
    /// [Locked](https://spec.matrix.org/v1.19/client-server-api/#account-locking): can't
    /// be used, loses nothing.
    pub locked: bool,
    /// [Suspended](https://spec.matrix.org/v1.19/client-server-api/#account-suspension):
    /// can be used a little.
    pub suspended: bool,
    /// Its content is to be erased as far as possible.
    pub erased: bool,
}

/// What happens to an account's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a new event has to break every match: a decision is owed")]
pub enum Event {
    /// An administrator locks it.
    Lock,
    /// An administrator unlocks it.
    Unlock,
    /// An administrator suspends it.
    Suspend,
    /// An administrator ends the suspension.
    Unsuspend,
    /// A deactivation begins.
    Fence,
    /// The deactivation asked for erasure.
    Erase,
    /// The deactivation is finished.
    Finish,
    /// An administrator brings it back, without password, devices and 3PIDs.
    Reactivate,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::Lock,
        Self::Unlock,
        Self::Suspend,
        Self::Unsuspend,
        Self::Fence,
        Self::Erase,
        Self::Finish,
        Self::Reactivate,
    ];
}

/// An event that makes no sense in the account's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidTransition;

impl fmt::Display for InvalidTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the account's state does not allow this event")
    }
}

impl core::error::Error for InvalidTransition {}

impl AccountStatus {
    /// The status after `event`. Every event may come twice.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] if it makes no sense; the status stays as it was.
    pub const fn on(self, event: Event) -> Result<Self, InvalidTransition> {
        let life = match (self.life, event) {
            (life, Event::Lock | Event::Unlock | Event::Suspend | Event::Unsuspend) => life,
            (Lifecycle::Active | Lifecycle::Deactivating, Event::Fence) => Lifecycle::Deactivating,
            (Lifecycle::Deactivating, Event::Erase) => Lifecycle::Deactivating,
            (Lifecycle::Deactivating | Lifecycle::Deactivated, Event::Finish) => Lifecycle::Deactivated,
            (Lifecycle::Active | Lifecycle::Deactivated, Event::Reactivate) => Lifecycle::Active,
            (Lifecycle::Active, Event::Erase | Event::Finish)
            | (Lifecycle::Deactivating, Event::Reactivate)
            | (Lifecycle::Deactivated, Event::Fence | Event::Erase) => return Err(InvalidTransition),
        };
        let locked = match event {
            Event::Lock => true,
            Event::Unlock => false,
            _ => self.locked,
        };
        let suspended = match event {
            Event::Suspend => true,
            Event::Unsuspend => false,
            _ => self.suspended,
        };
        let erased = match event {
            Event::Erase => true,
            Event::Reactivate => false,
            _ => self.erased,
        };
        Ok(Self { life, locked, suspended, erased })
    }

    /// Whether the account may do this, and the answer if not.
    ///
    /// An exchange asks it at every load: the status may have changed since the last one. For a
    /// call without an exchange a host asks it; at login only after the right password, else
    /// whoever guesses names learns which are locked (rule L2).
    ///
    /// # Errors
    ///
    /// The [`MatrixError`] to send. A deactivated account outweighs a lock, a lock outweighs
    /// a suspension.
    pub const fn gate(self, action: Action) -> Result<(), MatrixError> {
        let row = action.row();
        match self.life {
            Lifecycle::Active => {}
            Lifecycle::Deactivating | Lifecycle::Deactivated => {
                return Err(match row.gone {
                    Gone::Deactivated => {
                        MatrixError::new(ErrorCode::UserDeactivated, "This account has been deactivated.")
                    }
                    Gone::UnknownToken => MatrixError::unknown_token(false),
                });
            }
        }
        if self.locked && !row.locked {
            return Err(MatrixError::new(ErrorCode::UserLocked, "This account has been locked.")
                .with_soft_logout(true));
        }
        if self.suspended && !row.suspended {
            return Err(MatrixError::new(
                ErrorCode::UserSuspended,
                "You cannot perform this action while suspended.",
            ));
        }
        Ok(())
    }
}

/// How an account that is gone is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// 401 `M_UNKNOWN_TOKEN`: there are no tokens any more.
    UnknownToken,
    /// 403 `M_USER_DEACTIVATED`: where no token is needed.
    Deactivated,
}

#[derive(Clone, Copy)]
struct Row {
    locked: bool,
    suspended: bool,
    gone: Gone,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident: $locked:literal, $suspended:literal, $gone:ident;)+) => {
        /// What an account may want to do, as coarse as its status tells apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row { locked: $locked, suspended: $suspended, gone: Gone::$gone },)+
                }
            }
        }
    };
}

// Works while locked, works while suspended, the answer once the account is gone. The
// second column is the spec's recommended list.
actions! {
    /// Logging in.
    Login: false, true, Deactivated;
    /// Resetting the password without an access token.
    ResetPassword: false, true, Deactivated;
    /// Deactivating without an access token.
    DeactivateWithoutToken: false, true, Deactivated;
    /// Logging out, one device or all.
    Logout: true, true, UnknownToken;
    /// Refreshing an access token.
    Refresh: false, true, UnknownToken;
    /// `account/whoami`, capabilities and the like.
    WhoAmI: false, true, UnknownToken;
    /// Changing the password with an access token.
    ChangePassword: false, true, UnknownToken;
    /// Deactivating with an access token.
    Deactivate: false, true, UnknownToken;
    /// Listing, renaming and deleting devices.
    ManageDevices: false, true, UnknownToken;
    /// Listing 3PIDs.
    ListThreepids: false, true, UnknownToken;
    /// Adding a 3PID.
    AddThreepid: false, true, UnknownToken;
    /// Removing a 3PID.
    RemoveThreepid: false, false, UnknownToken;
    /// Uploading cross-signing keys, verifying devices.
    UploadSigningKeys: false, true, UnknownToken;
    /// Getting a token to log in with elsewhere.
    GetLoginToken: false, true, UnknownToken;
    /// Locking and suspending other accounts, as an administrator.
    Moderate: false, false, UnknownToken;
    /// Seeing and receiving messages.
    Sync: false, true, UnknownToken;
    /// Filling the key backup.
    BackUpKeys: false, true, UnknownToken;
    /// Leaving rooms, rejecting invites.
    LeaveRoom: false, true, UnknownToken;
    /// Redacting an event of one's own.
    RedactOwn: false, true, UnknownToken;
    /// Redacting an event of somebody else.
    RedactOthers: false, false, UnknownToken;
    /// Joining or knocking on rooms.
    JoinRoom: false, false, UnknownToken;
    /// Accepting or sending invites.
    Invite: false, false, UnknownToken;
    /// Sending messages.
    SendMessage: false, false, UnknownToken;
    /// Changing display name or avatar.
    ChangeProfile: false, false, UnknownToken;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_status() -> impl Iterator<Item = AccountStatus> {
        let lives = [Lifecycle::Active, Lifecycle::Deactivating, Lifecycle::Deactivated];
        lives.into_iter().flat_map(|life| {
            (0..8).map(move |bits| AccountStatus {
                life,
                locked: bits & 1 != 0,
                suspended: bits & 2 != 0,
                erased: bits & 4 != 0,
            })
        })
    }

    #[test]
    fn every_event_in_every_state() {
        for status in every_status() {
            for event in Event::ALL {
                let Ok(next) = status.on(event) else { continue };
                assert_eq!(next.on(event), Ok(next), "{event:?} may come twice");
                let flag = matches!(event, Event::Lock | Event::Unlock | Event::Suspend | Event::Unsuspend);
                assert_eq!(flag, flag && next.life == status.life);
                if !matches!(event, Event::Lock | Event::Unlock) {
                    assert_eq!(next.locked, status.locked, "a lock survives {event:?}");
                }
                if !matches!(event, Event::Suspend | Event::Unsuspend) {
                    assert_eq!(next.suspended, status.suspended, "a suspension survives {event:?}");
                }
                if status.life == Lifecycle::Deactivated && next.life != Lifecycle::Deactivated {
                    assert_eq!(event, Event::Reactivate, "nothing else brings an account back");
                }
                if next.life == Lifecycle::Deactivated {
                    assert_ne!(status.life, Lifecycle::Active, "an account is fenced before it is gone");
                }
            }
        }
    }

    #[test]
    fn every_action_in_every_state() {
        for status in every_status() {
            for action in Action::ALL {
                let answer = status.gate(*action).map_err(|reject| (reject.status(), reject.code()));
                let logout = *action == Action::Logout;
                if status.life != Lifecycle::Active {
                    assert!(matches!(
                        answer,
                        Err((401, ErrorCode::UnknownToken) | (403, ErrorCode::UserDeactivated))
                    ));
                } else if status.locked && !logout {
                    assert_eq!(answer, Err((401, ErrorCode::UserLocked)), "a lock wins over a suspension");
                } else if status.suspended {
                    assert!(matches!(answer, Ok(()) | Err((403, ErrorCode::UserSuspended))));
                } else {
                    assert_eq!(answer, Ok(()));
                }
            }
        }
    }
}
