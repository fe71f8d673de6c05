//! Which call a session is for, and who makes it.
//!
//! ```text
//!  DELETE /_matrix/client/r0/devices/ABC?x  ─►  DeleteDevice  at  Target("ABC")
//!  POST   /_matrix/client/v3/register?kind  ─►  Register
//! ```
//!
//! An operation is canonical: the endpoint and its path parameters, never the raw URI,
//! so that API versions and query strings make no difference. It is a type, so that a
//! [`Grant`](crate::Grant) for one cannot be used for another.

use serde::{Deserialize, Serialize};

/// The number of an operation, as a stored session keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(u16);

impl OperationId {
    /// The ID of an operation of the host's own. Two operations need two numbers.
    #[must_use]
    pub const fn custom(number: u8) -> Self {
        Self(0x100 | number as u16)
    }

    /// The number's bytes, the same on every machine.
    pub(crate) const fn to_bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }
}

/// Whether a finished call is answered again when the same request comes again,
/// because its first answer may have been lost. Rule U14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replayable {
    /// Never.
    Never,
    /// By whoever holds the session.
    Always,
    /// Only if the request repeats its parameters: where the answer holds a token, a
    /// session ID alone is no way to it.
    WithParams,
}

/// A call that User-Interactive Authentication guards.
///
/// The spec's own are in [`operation`](self); a host adds its own like this:
///
/// ```
/// use matrix_uia::server::operation::{Operation, OperationId};
/// /// Export everything about the user.
/// #[derive(Clone, Copy, Debug)]
/// struct ExportData;
/// impl Operation for ExportData {
///     const ID: OperationId = OperationId::custom(1);
///     const DESCRIPTION: &'static str = "export your data";
/// }
/// ```
pub trait Operation {
    /// The number a stored session keeps; different for every operation.
    const ID: OperationId;
    /// What is about to happen, in words that complete «You are about to …».
    const DESCRIPTION: &'static str;
    /// Whether the finished call may be answered again.
    const REPLAY: Replayable = Replayable::Always;
    /// Whether a token that completed authentication recently may skip it (rule U18).
    /// Never true for what can't be undone.
    const RECENT: bool = false;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $description:literal, $replay:ident, $recent:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            #[non_exhaustive]
            pub struct $name;

            impl Operation for $name {
                const ID: OperationId = OperationId($id);
                const DESCRIPTION: &'static str = $description;
                const REPLAY: Replayable = Replayable::$replay;
                const RECENT: bool = $recent;
            }
        )+

        impl OperationId {
            /// What the operation does, in words that complete «You are about to …»;
            /// `None` for a host's own.
            #[must_use]
            pub const fn description(self) -> Option<&'static str> {
                match self.0 {
                    $($id => Some($description),)+
                    _ => None,
                }
            }
        }
    };
}

operations! {
    /// [`POST /register`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register).
    Register = 1, "create an account", WithParams, false;
    /// [`POST /account/password`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword).
    ChangePassword = 2, "change your password", Always, false;
    /// [`POST /account/deactivate`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate).
    Deactivate = 3, "deactivate your account", Always, false;
    /// [`DELETE /devices/{deviceId}`](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3devicesdeviceid).
    DeleteDevice = 4, "sign out a device", Always, true;
    /// [`POST /delete_devices`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3delete_devices).
    DeleteDevices = 5, "sign out devices", Always, true;
    /// [`POST /account/3pid/add`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd).
    AddThreepid = 6, "add an address to your account", Always, false;
    /// [`POST /keys/device_signing/upload`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload).
    UploadSigningKeys = 7, "reset your digital identity", Always, true;
    /// [`POST /login/get_token`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token).
    GetLoginToken = 8, "sign in on another device", Never, false;
}

/// A user as the host names one: a row's number, or a hash of the user ID.
///
/// It has to mean the same user as long as any session lives, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserRef(pub(crate) u64);

impl UserRef {
    /// The user that the host calls `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The host's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Something of the host's by number: a reservation, a validated 3PID, a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(pub(crate) u64);

impl Reference {
    /// What the host calls `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The host's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The user whose access token the request carries.
///
/// Verifying a stage and hashing a password take time, and meanwhile another request may
/// have ended the token: a host reads it once more where it carries the call out, or a
/// device that a password change has just signed out undoes that change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The user.
    pub user: UserRef,
    /// Counts up whenever the account's credentials are replaced or it is fenced. A
    /// session of an earlier epoch is over: a reset that races a deactivation finds
    /// nothing to go on with.
    pub epoch: u32,
}

impl Subject {
    /// The user `user` at `epoch`.
    #[must_use]
    pub const fn new(user: UserRef, epoch: u32) -> Self {
        Self { user, epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_operations_share_a_number_and_all_say_what_they_do() {
        let all = [
            Register::ID,
            ChangePassword::ID,
            Deactivate::ID,
            DeleteDevice::ID,
            DeleteDevices::ID,
            AddThreepid::ID,
            UploadSigningKeys::ID,
            GetLoginToken::ID,
        ];
        for (i, id) in all.iter().enumerate() {
            assert!(id.description().is_some());
            assert!(all.iter().skip(i + 1).all(|other| other != id));
        }
        assert_eq!(OperationId::custom(1).description(), None);
    }
}
