//! The one shape of every guarded endpoint.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Call;
use super::digest::BindingKey;
use super::grant::{Grant, Refusal};
use super::operation::Operation;
use super::seal::{SealedPassword, Sealer};
use crate::secret::Secret;

/// A request of a guarded endpoint that has been checked: what can be bound, kept and
/// planned. The crate's own are [`Checked`](crate::endpoint::Checked); a host's own
/// operation goes through the same trait.
///
/// ```text
///  parse ─► check ─► Checked ─┬─► call ─► Exchange ─► Grant ─┐
///                             ├─► to_stored ─► the host ─────┼─► plan ─► effects
///                             └─► password ─► hash ──────────┘
/// ```
pub trait Endpoint: Sync {
    /// The operation.
    type Op: Operation;
    /// What the host keeps beside the session, for a client that leaves its parameters
    /// out later. It holds no secret in the clear.
    type Stored: Clone + Serialize + DeserializeOwned + Send + Sync;
    /// What is to be done; `H` is the host's hash of a password.
    type Plan<H: Send>: Send;

    /// The call to begin an exchange with.
    fn call(&self, key: &BindingKey) -> Call<'_, Self::Op>;

    /// The password of the request that has to be hashed before the call happens.
    fn password(&self) -> Option<Secret<'_>> {
        None
    }

    /// What to keep from now on: `before`, and what this request gives. Without a
    /// `sealer` no password is kept.
    fn to_stored(
        &self,
        key: &BindingKey,
        before: Option<Self::Stored>,
        sealer: Option<Sealer>,
    ) -> Self::Stored;

    /// The password that is kept.
    fn stored_password(stored: &Self::Stored) -> Option<&SealedPassword> {
        let _ = stored;
        None
    }

    /// Redeems a grant: what is to be done. `stored` is what was kept, and `hash` that of
    /// the password.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if a parameter was never given, or the host has lost what it kept.
    fn plan<H: Send>(
        &self,
        key: &BindingKey,
        grant: Grant<Self::Op>,
        stored: Option<Self::Stored>,
        hash: Option<H>,
    ) -> Result<Self::Plan<H>, Refusal>;
}
