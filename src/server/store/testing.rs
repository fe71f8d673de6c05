//! Slots and sessions for this module's own tests.

use super::index::Index;
use super::slot::{Slot, Slots};
#[cfg(feature = "alloc")]
use super::{owner::OwnerKey, slot::Item};
use crate::server::account::Caller;
use crate::server::call::Call;
use crate::server::commit::{Change, Put};
use crate::server::exchange::{Exchange, HostKind, Incoming};
use crate::server::operation::ChangePassword;
use crate::server::rules::Rules;
use crate::server::session::{Session, SessionId};
use crate::time::Timestamp;
use crate::wire::Auth;

/// At most `N` slots.
pub(super) struct Few<const N: usize>(heapless::Vec<Slot<(), Session>, N>);

impl<const N: usize> Few<N> {
    pub(super) const fn new() -> Self {
        Self(heapless::Vec::new())
    }
}

impl<const N: usize> Slots for Few<N> {
    type Kept = ();
    type Form = Session;

    fn limit(&self) -> usize {
        N
    }

    fn get(&self, at: Index) -> Option<&Slot<(), Session>> {
        self.0.get(at.position())
    }

    fn get_mut(&mut self, at: Index) -> Option<&mut Slot<(), Session>> {
        self.0.get_mut(at.position())
    }

    fn grow(&mut self) -> Option<Index> {
        let at = Index::at(self.0.len())?;
        self.0.push(Slot::vacant()).ok()?;
        Some(at)
    }
}

/// Puts a session of that owner into a slot. Its serial is the slot's position, its ID
/// another for each.
#[cfg(feature = "alloc")]
pub(super) fn fill(slots: &mut impl Slots<Kept = (), Form = Session>, at: Index, owner: u64) {
    let serial = at.position() as u64;
    let mut entropy = [0; 24];
    entropy[..8].copy_from_slice(&serial.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let item = Item { form: session(), kept: (), owner: OwnerKey::from_u64(owner) };
    let slot = slots.get_mut(at).unwrap();
    slot.item = Some((SessionId::from_entropy(entropy), item));
    slot.serial = serial;
}

/// A session without a passed stage, made at zero.
pub(super) fn session() -> Session {
    let flows = crate::flows!(ChangePassword: [["m.login.password"]]);
    let (rules, now) = (Rules::default(), Timestamp::default());
    let fresh = SessionId::from_entropy([0; 24]);
    let call = Call::new(&Auth::Absent);
    let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, call, fresh, now);
    let Exchange::Load(load) = incoming.exchange() else { panic!("it begins with a load") };
    let Exchange::Admit(admit) = load.found(None, Caller::Nobody, now) else { panic!("it is let in") };
    let Exchange::Commit(commit) = admit.admitted() else { panic!("no auth, no success") };
    let Some(Change::Put(Put { session, .. })) = commit.changes().next() else { panic!("it is stored") };
    *session
}
