//! What is kept of a request beside its session: Postcard, and in a database Postcard in Base64.
//!
//! With a password in it, JSON would be five times as long, for every session in memory, and take six times as long to
//! write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than most requests have.
const ROOM: usize = 128;

/// # Errors
///
/// Postcard's, for a value that it has no form for.
pub fn write(stored: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(stored, Vec::with_capacity(ROOM))
}

/// What was written so; `None` if it can't be read, such as that of another program's version.
pub fn read<T: DeserializeOwned>(kept: &[u8]) -> Option<T> {
    postcard::from_bytes(kept).ok()
}

/// As text, for a database.
pub fn to_text(kept: &[u8]) -> String {
    STANDARD_NO_PAD.encode(kept)
}

/// What was written so; nothing if it can't be read.
pub fn of_text(text: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests::StoredUpgradable;
    use matrix_uia::endpoint::deactivate::StoredDeactivation;
    use matrix_uia::endpoint::devices::StoredDevices;
    use matrix_uia::endpoint::password::StoredPasswordChange;
    use matrix_uia::endpoint::signing_keys::StoredSigningKeys;
    use matrix_uia::endpoint::threepid::StoredAddition;

    #[test]
    fn what_is_kept_of_each_endpoint_is_read_as_it_was_written() {
        fn comes_back<T: Serialize + DeserializeOwned + Default>() {
            let kept = write(&T::default()).unwrap();
            let again = write(&read::<T>(&kept).unwrap()).unwrap();
            assert_eq!(kept, again);
            assert_eq!(of_text(&to_text(&kept)), kept);
            assert!(read::<T>(&of_text("")).is_none() && read::<T>(&of_text("{}")).is_none());
        }
        comes_back::<StoredUpgradable>();
        comes_back::<StoredPasswordChange>();
        comes_back::<StoredDeactivation>();
        comes_back::<StoredDevices>();
        comes_back::<StoredAddition>();
        comes_back::<StoredSigningKeys>();
    }
}
