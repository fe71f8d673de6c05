//! A deactivation that has begun: what is left to be done.

use super::effect::Effect;
use super::request::IdServer;
use super::response::{DeactivateResponse, UnbindResult};
use crate::server::reference::UserRef;

/// A deactivation that has begun: the value the host stores until it is finished.
///
/// The stored form names the effect that comes next. A release that has more effects goes
/// on with a value of an earlier one where that stopped. Reading fails if the form is
/// another version's, was changed, or combines what can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a dropped deactivation leaves the account half-way"]
pub struct Deactivation {
    pub(super) user: UserRef,
    /// Not empty: what can't be read back must not be stored.
    pub(super) id_server: Option<IdServer>,
    pub(super) erase: bool,
    /// Always an effect that [belongs](Effect::belongs) to it.
    pub(super) next: Option<Effect>,
    /// Whether an identity server could not unbind. Known once that effect is behind.
    pub(super) unbind_failed: bool,
}

impl Deactivation {
    pub(super) fn begin(user: UserRef, id_server: Option<IdServer>, erase: bool) -> Self {
        let id_server = id_server.filter(|server| !server.is_empty());
        Self { user, id_server, erase, next: Some(Effect::Fence), unbind_failed: false }
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
    pub const fn effect(&self) -> Option<Effect> {
        self.next
    }

    /// All that is left to be done, in this order: for a host that does all of it in the one
    /// transaction that also ends the session. A host that can be interrupted stores the value
    /// and goes on by [`effect`](Self::effect) and [`done`](Self::done).
    ///
    /// The answer is [`DeactivateResponse::new`] of how the unbinding went.
    pub fn effects(&self) -> impl Iterator<Item = Effect> + use<> {
        let erase = self.erase;
        core::iter::successors(self.next, move |effect| effect.following(erase))
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
        self.next = self.next.and_then(|effect| effect.following(self.erase));
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
        Deactivation {
            user: UserRef::new(1),
            id_server: None,
            erase,
            next: Some(Effect::Fence),
            unbind_failed: false,
        }
    }

    fn walk(mut progress: Deactivation) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(effect) = progress.effect() {
            assert_eq!(progress.response(), None);
            assert_eq!(progress.effects().next(), Some(effect));
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
        assert_eq!(effects, Effect::ALL);
        assert!(begun(true).effects().eq(Effect::ALL), "at once or one after the other");
        let without: Vec<_> = Effect::ALL.into_iter().filter(|effect| effect.belongs(false)).collect();
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
