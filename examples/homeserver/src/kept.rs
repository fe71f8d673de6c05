//! What is kept of a request beside its session, as text.
//!
//! It is Postcard in Base64. With a password in it, JSON would be four times as long, for every session in memory, and
//! take three times as long to write.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// More than most requests have.
const ROOM: usize = 128;

/// # Errors
///
/// Postcard's, for a value that it has no form for.
pub fn write(stored: &impl Serialize) -> Result<String, postcard::Error> {
    let bytes = postcard::to_extend(stored, Vec::with_capacity(ROOM))?;
    Ok(STANDARD_NO_PAD.encode(bytes))
}

/// What was written so; `None` if it can't be read, such as that of another program's version.
pub fn read<T: DeserializeOwned>(kept: &str) -> Option<T> {
    let bytes = STANDARD_NO_PAD.decode(kept).ok()?;
    postcard::from_bytes(&bytes).ok()
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
            assert!(read::<T>("").is_none() && read::<T>("{}").is_none());
        }
        comes_back::<StoredUpgradable>();
        comes_back::<StoredPasswordChange>();
        comes_back::<StoredDeactivation>();
        comes_back::<StoredDevices>();
        comes_back::<StoredAddition>();
        comes_back::<StoredSigningKeys>();
    }
}
