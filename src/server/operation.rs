//! Which call a session is for.
//!
//! ```text
//!  DELETE /_matrix/client/r0/devices/ABC?x  ─►  DeleteDevice  at  Target("ABC")
//!  POST   /_matrix/client/v3/register?kind  ─►  Register
//! ```
//!
//! An operation is canonical: the endpoint and its path parameters, never the raw URI, so
//! that API versions and query strings make no difference. It is a type, so that a grant
//! for one can't be used for another. A host adds operations of its own by name.

use serde::{Deserialize, Serialize};

use super::account::Action;
use crate::wire::Fnv;

/// Which operation a stored session is for: a hash of the operation's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(u64);

impl OperationId {
    /// That of `Op`.
    #[must_use]
    pub const fn of<Op: Operation>() -> Self {
        Self::named(Op::NAME)
    }

    /// Whether both are of one operation, also at compile time.
    pub(crate) const fn is(self, other: Self) -> bool {
        self.0 == other.0
    }

    const fn named(name: &str) -> Self {
        Self(Fnv::of_name(name.as_bytes()))
    }

    #[cfg(feature = "sealed")]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[cfg(feature = "sealed")]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// When a finished call is answered again when the same request comes again, because its
/// first answer may have been lost. Rule U14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replayable {
    /// Never.
    Never,
    /// By whoever holds the session.
    Always,
    /// Only if the request repeats its bound parameters, and the account is as the call
    /// left it: for answers that hold a token, which a session ID alone must not give.
    WithParams,
}

/// A call that User-Interactive Authentication guards.
///
/// The spec's own are in [`operation`](self); a host adds its own like this:
///
/// ```
/// use matrix_uia::server::operation::Operation;
/// /// Export everything about the user.
/// #[derive(Clone, Copy, Debug)]
/// struct ExportData;
/// impl Operation for ExportData {
///     const NAME: &'static str = "org.example.export";
///     const DESCRIPTION: &'static str = "export your data";
/// }
/// ```
pub trait Operation: Send + Sync + 'static {
    /// The name a stored session knows the operation by, different for every operation of
    /// a host. A host's own begins with a domain name, which none of the spec's does.
    const NAME: &'static str;
    /// What is about to happen, in words that complete "You are about to …".
    const DESCRIPTION: &'static str;
    /// Whether the finished call may be answered again.
    const REPLAY: Replayable = Replayable::Always;
    /// Whether a token that completed authentication recently may skip it (rule U18).
    /// Never true for what can't be undone.
    const RECENT: bool = false;
    /// What the account has to be allowed to do, when an access token names it.
    const ACTION: Action = Action::WhoAmI;
    /// What the account has to be allowed to do, when a stage names it.
    const ACTION_WITHOUT_TOKEN: Action = Action::ResetPassword;
    /// Whether the call stores a password, which has to be hashed before it happens.
    const NEEDS_HASH: bool = false;
}

/// What the engine has to know of an operation: its constants as a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OperationFacts {
    pub(crate) id: OperationId,
    pub(crate) description: &'static str,
    pub(crate) replay: Replayable,
    pub(crate) recent: bool,
    pub(crate) action: Action,
    pub(crate) action_without_token: Action,
    pub(crate) needs_hash: bool,
}

impl OperationFacts {
    pub(crate) const fn of<Op: Operation>() -> &'static Self {
        &<Facts<Op> as Known>::FACTS
    }
}

/// Gives the constants of an operation a place of their own.
struct Facts<Op>(core::marker::PhantomData<Op>);

trait Known {
    const FACTS: OperationFacts;
}

impl<Op: Operation> Known for Facts<Op> {
    const FACTS: OperationFacts = OperationFacts {
        id: OperationId::of::<Op>(),
        description: Op::DESCRIPTION,
        replay: Op::REPLAY,
        recent: Op::RECENT,
        action: Op::ACTION,
        action_without_token: Op::ACTION_WITHOUT_TOKEN,
        needs_hash: Op::NEEDS_HASH,
    };
}

macro_rules! operations {
    ($($(#[$doc:meta])* $type:ident = $name:literal, $description:literal { $($key:ident: $value:expr,)* };)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            #[non_exhaustive]
            pub struct $type;

            impl $type {
                /// Which operation it is.
                pub const ID: OperationId = OperationId::of::<Self>();
            }

            impl Operation for $type {
                const NAME: &'static str = $name;
                const DESCRIPTION: &'static str = $description;
                $(const $key: operations!(@type $key) = $value;)*
            }
        )+

        impl OperationId {
            /// The operations of the spec.
            pub const KNOWN: &'static [Self] = &[$($type::ID),+];

            /// What the operation does, in words that complete "You are about to …";
            /// `None` for a host's own.
            #[must_use]
            pub fn description(self) -> Option<&'static str> {
                $(if self == $type::ID { return Some($description); })+
                None
            }
        }
    };
    (@type REPLAY) => { Replayable };
    (@type RECENT) => { bool };
    (@type NEEDS_HASH) => { bool };
    (@type ACTION) => { Action };
    (@type ACTION_WITHOUT_TOKEN) => { Action };
}

operations! {
    /// [`POST /register`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register).
    Register = "register", "create an account" {
        REPLAY: Replayable::WithParams,
        NEEDS_HASH: true,
        ACTION_WITHOUT_TOKEN: Action::Login,
    };
    /// [`POST /account/password`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword).
    ChangePassword = "account/password", "change your password" {
        NEEDS_HASH: true,
        ACTION: Action::ChangePassword,
    };
    /// [`POST /account/deactivate`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate).
    Deactivate = "account/deactivate", "deactivate your account" {
        ACTION: Action::Deactivate,
        ACTION_WITHOUT_TOKEN: Action::DeactivateWithoutToken,
    };
    /// [`DELETE /devices/{deviceId}`](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid).
    DeleteDevice = "devices/{deviceId}", "sign out a device" {
        RECENT: true,
        ACTION: Action::ManageDevices,
    };
    /// [`POST /delete_devices`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices).
    DeleteDevices = "delete_devices", "sign out devices" {
        RECENT: true,
        ACTION: Action::ManageDevices,
    };
    /// [`POST /account/3pid/add`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd).
    AddThreepid = "account/3pid/add", "add an address to your account" {
        ACTION: Action::AddThreepid,
    };
    /// [`POST /keys/device_signing/upload`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload).
    UploadSigningKeys = "keys/device_signing/upload", "reset your digital identity" {
        RECENT: true,
        ACTION: Action::UploadSigningKeys,
    };
    /// [`POST /login/get_token`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token).
    GetLoginToken = "login/get_token", "sign in on another device" {
        REPLAY: Replayable::Never,
        ACTION: Action::GetLoginToken,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Export;
    impl Operation for Export {
        const NAME: &'static str = "org.example.export";
        const DESCRIPTION: &'static str = "export your data";
    }

    #[test]
    fn no_two_operations_share_an_id_and_all_say_what_they_do() {
        for (i, id) in OperationId::KNOWN.iter().enumerate() {
            assert!(id.description().is_some());
            assert!(OperationId::KNOWN.iter().skip(i + 1).all(|other| other != id));
            assert_ne!(OperationId::of::<Export>(), *id);
        }
        assert_eq!(OperationId::of::<Export>().description(), None);
    }
}
