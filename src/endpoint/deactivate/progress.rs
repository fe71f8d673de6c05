//! The deactivation itself: what is left to be done.

use serde::{Deserialize, Serialize};

use super::request::IdServer;
use super::response::{DeactivateResponse, UnbindResult};
use crate::server::reference::UserRef;

/// One thing to be done. Each may be done twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "an effect nobody carries out has to break the build")]
pub enum Effect {
    /// Put the account's status on [`Event::Fence`], count its epoch up, and end its
    /// open UIA sessions. From here on no login, no reset, no token, no new session.
    ///
    /// [`Event::Fence`]: crate::server::account::Event::Fence
    Fence,
    /// Unbind each 3PID where [`Deactivation::unbind_at`] says, then call
    /// [`Deactivation::unbound`].
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
    ///
    /// [`Event::Erase`]: crate::server::account::Event::Erase
    MarkErased,
    /// Put the account's status on [`Event::Finish`].
    ///
    /// [`Event::Finish`]: crate::server::account::Event::Finish
    MarkDeactivated,
}

impl Effect {
    /// All effects, in the order that is safe.
    const ORDER: [Self; 13] = [
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

    const fn only_with_erasure(self) -> bool {
        matches!(self, Self::RemoveProfile | Self::MarkErased)
    }
}

/// A deactivation that has begun: the value the host stores until it is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a dropped deactivation leaves the account half-way"]
pub struct Deactivation {
    pub(super) user: UserRef,
    pub(super) id_server: Option<IdServer>,
    pub(super) erase: bool,
    /// How many effects of [`Effect::ORDER`] are behind.
    done: u8,
    /// Whether an identity server could not unbind.
    unbind_failed: bool,
}

impl Deactivation {
    pub(super) const fn begin(user: UserRef, id_server: Option<IdServer>, erase: bool) -> Self {
        Self { user, id_server, erase, done: 0, unbind_failed: false }
    }

    /// Who is deactivated.
    #[must_use]
    pub const fn user(&self) -> UserRef {
        self.user
    }

    /// Whether content is to be erased.
    #[must_use]
    pub const fn erases(&self) -> bool {
        self.erase
    }

    /// What is to be done next; `None` when all is done.
    #[must_use]
    pub fn effect(&self) -> Option<Effect> {
        let left = Effect::ORDER.iter().skip(usize::from(self.done)).copied();
        left.into_iter().find(|effect| self.erase || !effect.only_with_erasure())
    }

    /// The identity server at which a 3PID is to be unbound that was bound at `bound_at`
    /// as far as the host knows. `None`: nobody knows where, so it can't be.
    #[must_use]
    pub fn unbind_at<'s>(&'s self, bound_at: Option<&'s str>) -> Option<&'s str> {
        self.id_server.as_deref().or(bound_at)
    }

    /// The value once [`effect`](Self::effect) has been carried out.
    ///
    /// After [`Effect::UnbindThreepids`] call [`unbound`](Self::unbound) instead; `done`
    /// takes it that nothing could be unbound.
    pub fn done(self) -> Self {
        if self.effect() == Some(Effect::UnbindThreepids) { self.unbound(false) } else { self.advanced() }
    }

    /// The value once every 3PID has been tried: were `all` unbound (or was there none)?
    ///
    /// An identity server that refuses or can't be reached never stops a deactivation.
    pub fn unbound(mut self, all: bool) -> Self {
        if self.effect() == Some(Effect::UnbindThreepids) {
            self.unbind_failed |= !all;
            self.advanced()
        } else {
            self
        }
    }

    fn advanced(mut self) -> Self {
        let next = self.effect().and_then(|effect| Effect::ORDER.iter().position(|it| *it == effect));
        if let Some(index) = next {
            self.done = u8::try_from(index).unwrap_or(u8::MAX).saturating_add(1);
        }
        self
    }

    /// The answer, once nothing is left to be done.
    #[must_use]
    pub fn response(&self) -> Option<DeactivateResponse> {
        let id_server_unbind_result = UnbindResult::of(!self.unbind_failed);
        self.effect().is_none().then_some(DeactivateResponse { id_server_unbind_result })
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn begun(erase: bool) -> Deactivation {
        Deactivation { user: UserRef::new(1), id_server: None, erase, done: 0, unbind_failed: false }
    }

    fn walk(mut progress: Deactivation) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(effect) = progress.effect() {
            assert_eq!(progress.response(), None);
            effects.push(effect);
            progress =
                if effect == Effect::UnbindThreepids { progress.unbound(true) } else { progress.done() };
        }
        assert_eq!(progress.response().unwrap().id_server_unbind_result, UnbindResult::Success);
        effects
    }

    #[test]
    fn the_fence_comes_first_and_the_mark_last() {
        let effects = walk(begun(true));
        assert_eq!(effects, Effect::ORDER);
        let without: Vec<_> =
            Effect::ORDER.into_iter().filter(|effect| !effect.only_with_erasure()).collect();
        assert_eq!(walk(begun(false)), without);
    }

    #[test]
    fn an_unbinding_nobody_reported_counts_as_failed() {
        let mut progress = begun(false);
        while progress.effect().is_some() {
            progress = progress.done();
        }
        assert_eq!(progress.response().unwrap().id_server_unbind_result, UnbindResult::NoSupport);
    }

    #[test]
    fn it_resumes_from_every_point() {
        let mut progress = begun(true);
        while let Some(effect) = progress.effect() {
            let stored = serde_json::to_string(&progress).unwrap();
            let resumed: Deactivation = serde_json::from_str(&stored).unwrap();
            assert_eq!(resumed.effect(), Some(effect));
            assert_eq!(resumed, progress);
            progress = resumed.done();
        }
    }
}
