//! What is done in a deactivation, in the order that is safe.

use crate::server::account::{Account, Event, InvalidTransition};
use crate::stored::stored_by_name;

/// One thing to be done. Each may be done twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an effect nobody carries out has to break the build")]
pub enum Effect {
    /// Put the account's status on [`Event::Fence`], count its epoch up, and end its
    /// open UIA sessions. From here on no login, no reset, no token, no new session.
    Fence,
    /// Unbind each 3PID where [`Deactivation::unbind_at`] says, then call
    /// [`Deactivation::unbound`].
    ///
    /// [`Deactivation::unbind_at`]: super::Deactivation::unbind_at
    /// [`Deactivation::unbound`]: super::Deactivation::unbound
    UnbindThreepids,
    /// Remove the 3PIDs from the account, and pending validations of it: the addresses
    /// are free again.
    RemoveThreepids,
    /// End all devices, access and refresh tokens.
    EndDevices,
    /// Remove the password.
    RemovePassword,
    /// Remove pushers.
    RemovePushers,
    /// Remove key backups.
    RemoveKeyBackups,
    /// Remove account data.
    RemoveAccountData,
    /// Remove the profile. Only with erasure.
    RemoveProfile,
    /// Remove the entry in the user directory.
    RemoveDirectoryEntry,
    /// Reject invites and knocks, leave all rooms.
    LeaveRooms,
    /// Put the account's status on [`Event::Erase`]. Only with erasure.
    MarkErased,
    /// Put the account's status on [`Event::Finish`].
    MarkDeactivated,
}

impl Effect {
    /// All effects, in the order that is safe. Those that only an erasure has stand among
    /// the others.
    pub const ALL: [Self; 13] = [
        Self::Fence,
        Self::UnbindThreepids,
        Self::RemoveThreepids,
        Self::EndDevices,
        Self::RemovePassword,
        Self::RemovePushers,
        Self::RemoveKeyBackups,
        Self::RemoveAccountData,
        Self::RemoveProfile,
        Self::RemoveDirectoryEntry,
        Self::LeaveRooms,
        Self::MarkErased,
        Self::MarkDeactivated,
    ];

    /// The name by which a stored deactivation says what comes next. It is the same in
    /// every release.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::UnbindThreepids => "unbind_threepids",
            Self::RemoveThreepids => "remove_threepids",
            Self::EndDevices => "end_devices",
            Self::RemovePassword => "remove_password",
            Self::RemovePushers => "remove_pushers",
            Self::RemoveKeyBackups => "remove_key_backups",
            Self::RemoveAccountData => "remove_account_data",
            Self::RemoveProfile => "remove_profile",
            Self::RemoveDirectoryEntry => "remove_directory_entry",
            Self::LeaveRooms => "leave_rooms",
            Self::MarkErased => "mark_erased",
            Self::MarkDeactivated => "mark_deactivated",
        }
    }

    /// The account once the effect is carried out: its status takes the event that is part of
    /// the effect, and the fence counts its epoch up. Most effects leave it as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] if the account is not where a deactivation would have brought it.
    pub const fn on_account(self, account: Account) -> Result<Account, InvalidTransition> {
        match self {
            Self::Fence => account.on(Event::Fence),
            Self::MarkErased => account.on(Event::Erase),
            Self::MarkDeactivated => account.on(Event::Finish),
            _ => Ok(account),
        }
    }

    /// The effect that follows in a deactivation that erases, or doesn't.
    pub(super) fn following(self, erase: bool) -> Option<Self> {
        let behind = Self::ALL.into_iter().skip_while(|effect| *effect != self).skip(1);
        behind.into_iter().find(|effect| effect.belongs(erase))
    }

    /// Whether it is part of a deactivation that erases, or doesn't.
    pub(super) const fn belongs(self, erase: bool) -> bool {
        erase || !matches!(self, Self::RemoveProfile | Self::MarkErased)
    }
}

stored_by_name!(Effect);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::account::{AccountStatus, Action, Lifecycle};
    use crate::server::reference::{Subject, UserRef};

    #[test]
    fn the_account_is_fenced_by_the_first_effect_and_gone_by_the_last() {
        let mut account = Account::new(Subject::new(UserRef::new(1), 7), AccountStatus::default());
        for effect in Effect::ALL {
            account = effect.on_account(account).unwrap();
            assert_eq!(account.subject.epoch, 8, "{effect:?}");
            assert!(account.status.gate(Action::Login).is_err(), "{effect:?}");
        }
        assert_eq!((account.status.life, account.status.erased), (Lifecycle::Deactivated, true));
    }

    #[test]
    fn every_effect_has_a_name_of_its_own_in_snake_case() {
        for (index, effect) in Effect::ALL.iter().enumerate() {
            assert!(effect.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(Effect::ALL.iter().skip(index + 1).all(|other| other.name() != effect.name()));
            let stored = serde_json::to_string(effect).unwrap();
            assert_eq!(stored, std::format!("\"{}\"", effect.name()));
            assert_eq!(serde_json::from_str::<Effect>(&stored).unwrap(), *effect);
        }
        for odd in ["\"Fence\"", "\"\"", "0", "null", "\"fence \""] {
            assert!(serde_json::from_str::<Effect>(odd).is_err(), "{odd}");
        }
    }
}
