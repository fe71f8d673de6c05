//! What a validated address can authorise at this server (rule U23).
//!
//! ```text
//!  the policies ─► AddressAuthority ─┬─► Authorised: named by the message and its page
//!                                    └─► Validation::claim: only what was named passes
//! ```

use core::fmt;

use super::address::Medium;
use super::purpose::Purpose;
use crate::capacity::CapacityError;
use crate::server::flows::Flows;
use crate::server::operation::{ChangePassword, Operation, OperationId, Register};
use crate::wire::{AuthType, Fnv};

/// Most operations that address stages guard at one server, besides a registration and a
/// password change.
pub const MAX_AUTHORISED: usize = 16;

/// Which operations the address stages of this server's policies guard. Made once, from
/// every policy there is.
///
/// What is missing here can't be authorised by an address: the page of a validation would
/// not name it.
///
/// ```
/// use matrix_uia::endpoint::threepid::{AddressAuthority, Medium, Purpose};
/// use matrix_uia::server::operation::{ChangePassword, Deactivate};
/// use matrix_uia::flows;
/// let reset = flows!(ChangePassword: [["m.login.email.identity"]]);
/// let deactivate = flows!(Deactivate: [["m.login.email.identity"]]);
/// let policies = AddressAuthority::new().with(&reset)?.with(&deactivate)?;
///
/// let named = policies.of(Purpose::Reset, Medium::Email);
/// assert_eq!(named.to_string(), "change your password, deactivate your account");
/// assert_eq!(policies.of(Purpose::Register, Medium::Email).to_string(), "create an account");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AddressAuthority {
    guarded: heapless::Vec<Guarded, MAX_AUTHORISED>,
}

#[derive(Clone, Copy, Debug)]
struct Guarded {
    operation: OperationId,
    description: &'static str,
    email: bool,
    phone: bool,
}

impl Guarded {
    const fn by(&self, medium: Medium) -> bool {
        match medium {
            Medium::Email => self.email,
            Medium::Msisdn => self.phone,
        }
    }
}

impl AddressAuthority {
    /// No policy yet: an address resets a password, and no more.
    #[must_use]
    pub const fn new() -> Self {
        Self { guarded: heapless::Vec::new() }
    }

    /// The same with another policy. An operation may have several, such as one with a
    /// token and one without.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if more than [`MAX_AUTHORISED`] operations are guarded so.
    pub fn with<Op: Operation>(mut self, flows: &Flows<'_, Op>) -> Result<Self, CapacityError> {
        let email = flows.offers(AuthType::EmailIdentity);
        let phone = flows.offers(AuthType::Msisdn);
        let operation = OperationId::of::<Op>();
        // These two have purposes of their own.
        let named_anyway = [Register::ID, ChangePassword::ID].contains(&operation);
        if named_anyway || !(email || phone) {
            return Ok(self);
        }
        if let Some(known) = self.guarded.iter_mut().find(|guarded| guarded.operation == operation) {
            known.email |= email;
            known.phone |= phone;
            return Ok(self);
        }
        let guarded = Guarded { operation, description: Op::DESCRIPTION, email, phone };
        let full = CapacityError::new("operations that an address stage guards");
        self.guarded.push(guarded).map_err(|_| full)?;
        Ok(self)
    }

    /// What a validation for `purpose` of an address of this `medium` can authorise.
    pub const fn of(&self, purpose: Purpose, medium: Medium) -> Authorised<'_> {
        Authorised { purpose, medium, policies: self }
    }
}

/// The operations that one validation can authorise: its message and its page name them all
/// before anybody confirms (lesson 86). [`Display`](fmt::Display) lists them with commas.
#[derive(Clone, Copy, Debug)]
#[must_use = "who confirms has to know what for"]
pub struct Authorised<'a> {
    purpose: Purpose,
    medium: Medium,
    policies: &'a AddressAuthority,
}

impl<'a> Authorised<'a> {
    /// What each operation does, in words that complete "whoever asked for this can …":
    /// [`Operation::DESCRIPTION`]. At least one.
    pub fn descriptions(self) -> impl Iterator<Item = &'static str> + use<'a> {
        let first = match self.purpose {
            Purpose::Register => Register::DESCRIPTION,
            Purpose::Reset => ChangePassword::DESCRIPTION,
            Purpose::Add => "add this address to their account",
        };
        let others = self.guarded().map(|guarded| guarded.description);
        core::iter::once(first).chain(others)
    }

    /// Whether a stage of `operation` may pass by it.
    pub(super) fn allows(self, operation: OperationId) -> bool {
        match self.purpose {
            Purpose::Register => operation == Register::ID,
            Purpose::Reset => {
                operation == ChangePassword::ID
                    || self.guarded().any(|guarded| guarded.operation == operation)
            }
            Purpose::Add => false,
        }
    }

    /// A number for the list: what was named once and what can be authorised now are the
    /// same only if their numbers are.
    pub(super) fn fingerprint(self) -> u32 {
        let mut hash = Fnv::new();
        for description in self.descriptions() {
            hash.write(description.as_bytes());
            hash.write(&[0]);
        }
        hash.low32()
    }

    fn guarded(self) -> impl Iterator<Item = &'a Guarded> + use<'a> {
        let Self { purpose, medium, policies } = self;
        let all = if purpose == Purpose::Reset { policies.guarded.as_slice() } else { &[] };
        all.iter().filter(move |guarded| guarded.by(medium))
    }
}

impl fmt::Display for Authorised<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, description) in self.descriptions().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(description)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::server::flows::FlowsBuffer;
    use crate::server::operation::{Deactivate, DeleteDevices, UploadSigningKeys};

    const EMAIL: &str = "m.login.email.identity";
    const PHONE: &str = "m.login.msisdn";

    fn with<Op: Operation>(policies: AddressAuthority, stage: &str) -> AddressAuthority {
        let mut buffer = FlowsBuffer::<256>::new();
        policies.with(&Flows::<Op>::in_buffer([[stage]], None, &mut buffer).unwrap()).unwrap()
    }

    #[test]
    fn only_what_is_named_is_allowed() {
        let policies = with::<Deactivate>(AddressAuthority::new(), EMAIL);
        let policies = with::<DeleteDevices>(policies, PHONE);
        let policies = with::<UploadSigningKeys>(policies, "m.login.password");
        let policies = with::<Register>(policies, EMAIL);
        let policies = with::<Deactivate>(policies, "m.login.password");
        for (purpose, medium, named, allowed) in [
            (Purpose::Register, Medium::Email, "create an account", &[Register::ID][..]),
            (
                Purpose::Reset,
                Medium::Email,
                "change your password, deactivate your account",
                &[ChangePassword::ID, Deactivate::ID],
            ),
            (
                Purpose::Reset,
                Medium::Msisdn,
                "change your password, sign out devices",
                &[ChangePassword::ID, DeleteDevices::ID],
            ),
            (Purpose::Add, Medium::Email, "add this address to their account", &[]),
        ] {
            let authorised = policies.of(purpose, medium);
            assert_eq!(authorised.to_string(), named);
            for operation in
                [Register::ID, ChangePassword::ID, Deactivate::ID, DeleteDevices::ID, UploadSigningKeys::ID]
            {
                assert_eq!(authorised.allows(operation), allowed.contains(&operation), "{purpose:?}");
            }
        }
    }

    #[test]
    fn fingerprint_changes_with_the_list() {
        let none = AddressAuthority::new();
        let more = with::<Deactivate>(none.clone(), EMAIL);
        let of = |policies: &AddressAuthority, medium| policies.of(Purpose::Reset, medium).fingerprint();
        assert_ne!(of(&none, Medium::Email), of(&more, Medium::Email));
        assert_eq!(of(&none, Medium::Msisdn), of(&more, Medium::Msisdn), "nothing has changed there");
    }
}
