//! Cross-signing keys as they are kept: each as its client uploaded it.

use crate::db::belongings::{self, Belonging};
use crate::db::{Result, Tx, UserKey};
use matrix_uia::endpoint::signing_keys::{SigningKey, SigningKeyKind, SigningKeys, Upload};

/// The JSON of each kind of key, in the order of [`SigningKeyKind::ALL`].
pub type KeptKeys = Vec<Option<String>>;

/// What a user has.
pub fn load(tx: &Tx, user: UserKey) -> Result<KeptKeys> {
    let kinds = SigningKeyKind::ALL.iter();
    kinds.map(|kind| belongings::get(tx, user, Belonging::CrossSigningKey, kind.name())).collect()
}

/// Stores what was uploaded.
pub fn store(tx: &Tx, user: UserKey, upload: &Upload<'_>) -> Result<()> {
    for (kind, key) in upload.keys() {
        belongings::put(tx, user, Belonging::CrossSigningKey, kind.name(), key.json.as_str())?;
    }
    Ok(())
}

/// To be kept with a session whose request may leave its keys out later.
pub fn keep(keys: &SigningKeys<'_>) -> KeptKeys {
    let kinds = SigningKeyKind::ALL.iter();
    kinds.map(|kind| keys.get(*kind).map(|key| key.json.as_str().to_owned())).collect()
}

/// What was kept, read again.
pub fn read(kept: &[Option<String>]) -> SigningKeys<'_> {
    let kinds = SigningKeyKind::ALL.iter().zip(kept);
    kinds.fold(SigningKeys::default(), |keys, (kind, json)| {
        // It was read once before it was kept.
        keys.with(*kind, json.as_deref().and_then(|json| SigningKey::parse(*kind, json).ok()))
    })
}

/// Whether one of the user's keys is called so.
pub fn has_public_key(tx: &Tx, user: UserKey, id: &str) -> Result<bool> {
    let kept = load(tx, user)?;
    Ok(read(&kept).iter().any(|(_, key)| key.public_key == *id))
}
