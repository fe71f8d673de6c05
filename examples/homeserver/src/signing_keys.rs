//! Cross-signing keys as they are kept: each as its client uploaded it.

use crate::db::belongings::{self, Belonging};
use crate::db::{Result, Tx, UserKey};
use matrix_uia::endpoint::signing_keys::{SigningKeyKind, StoredSigningKeys};

/// What a user has.
pub fn load(tx: &Tx, user: UserKey) -> Result<StoredSigningKeys> {
    let mut keys = StoredSigningKeys::default();
    for kind in SigningKeyKind::ALL {
        keys.set(*kind, belongings::get(tx, user, Belonging::CrossSigningKey, kind.name())?);
    }
    Ok(keys)
}

/// Stores what was uploaded; other keys stay as they are.
pub fn store(tx: &Tx, user: UserKey, keys: &StoredSigningKeys) -> Result<()> {
    for kind in SigningKeyKind::ALL {
        if let Some(json) = keys.get(*kind) {
            belongings::put(tx, user, Belonging::CrossSigningKey, kind.name(), json)?;
        }
    }
    Ok(())
}

/// Whether one of the user's keys is called so.
pub fn has_public_key(tx: &Tx, user: UserKey, id: &str) -> Result<bool> {
    Ok(load(tx, user)?.read().iter().any(|(_, key)| key.public_key == *id))
}
