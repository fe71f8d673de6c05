//! The device of a login or a registration: rule L3.

use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// Longest device ID and device display name, in bytes. The spec sets none; without one
/// a client could keep anything on the server.
pub const MAX_DEVICE_TEXT_LEN: usize = 512;

/// The bounds of what a client may say of its device.
pub(crate) fn check_device(id: Option<Text<'_>>, display_name: Option<Text<'_>>) -> Result<(), MatrixError> {
    let too_long = |text: Option<Text<'_>>| text.is_some_and(|text| text.len() > MAX_DEVICE_TEXT_LEN);
    if too_long(id) || too_long(display_name) {
        return Err(MatrixError::new(ErrorCode::InvalidParam, "A parameter of the device is too long."));
    }
    if id.is_some_and(|id| id.is_empty()) {
        return Err(MatrixError::new(ErrorCode::InvalidParam, "The device ID is empty."));
    }
    Ok(())
}

/// What the ID that a client asks for is to the server already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a host that tells more apart owes a decision")]
pub enum DeviceIdUse {
    /// Nothing yet.
    Free,
    /// A device of this user.
    Device,
    /// The public key of one of the user's cross-signing keys. Both stand for a key in
    /// signatures, and would be taken for one another.
    SigningKey,
}

/// What a login does about its device, before it issues tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "tokens belong to a device"]
#[allow(clippy::exhaustive_enums, reason = "a plan nobody carries out has to break the build")]
pub enum DevicePlan<'a> {
    /// Make a device.
    Make {
        /// Under this ID; `None`: under a fresh one of the server's.
        id: Option<Text<'a>>,
        /// With this name.
        display_name: Option<Text<'a>>,
    },
    /// Take up the one there is: end its access and refresh tokens, leave its name.
    TakeUp {
        /// Its ID.
        id: Text<'a>,
    },
}

/// What is to be done about the device of a login.
///
/// ```
/// use matrix_uia::endpoint::login::{DeviceIdUse, DevicePlan, plan_device};
/// let plan = plan_device(Some("PHONE".into()), Some("New name".into()), DeviceIdUse::Device)?;
/// assert_eq!(plan, DevicePlan::TakeUp { id: "PHONE".into() }, "a name is for a new device only");
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
///
/// # Errors
///
/// 403 `M_FORBIDDEN` if the ID is that of a cross-signing key.
pub const fn plan_device<'a>(
    id: Option<Text<'a>>,
    display_name: Option<Text<'a>>,
    is: DeviceIdUse,
) -> Result<DevicePlan<'a>, MatrixError> {
    Ok(match (id, is) {
        (Some(_), DeviceIdUse::SigningKey) => {
            return Err(MatrixError::new(
                ErrorCode::Forbidden,
                "The device ID is that of a cross-signing key.",
            ));
        }
        (Some(id), DeviceIdUse::Device) => DevicePlan::TakeUp { id },
        (id, _) => DevicePlan::Make { id, display_name },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_nobody_asked_for_is_made_whatever_the_host_says() {
        for is in [DeviceIdUse::Free, DeviceIdUse::Device, DeviceIdUse::SigningKey] {
            let display_name = Some(Text::new("Phone"));
            assert_eq!(plan_device(None, display_name, is), Ok(DevicePlan::Make { id: None, display_name }));
        }
    }

    #[test]
    fn a_signing_keys_id_is_refused() {
        let refused = plan_device(Some(Text::new("abc")), None, DeviceIdUse::SigningKey).unwrap_err();
        assert_eq!((refused.status(), refused.code()), (403, ErrorCode::Forbidden));
    }
}
