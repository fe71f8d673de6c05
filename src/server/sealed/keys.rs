//! The keys that session IDs are sealed with.

use core::fmt;

use zeroize::ZeroizeOnDrop;

/// A key for session IDs, and the number it goes by.
#[derive(ZeroizeOnDrop)]
pub struct IdKey {
    #[zeroize(skip)]
    number: u8,
    key: [u8; 32],
}

impl IdKey {
    /// The key called `number`: 32 bytes of the host's cryptographic generator, the same on
    /// every worker. No other key may have that number as long as an ID lives.
    #[must_use]
    pub const fn new(number: u8, key: [u8; 32]) -> Self {
        Self { number, key }
    }

    pub(super) const fn number(&self) -> u8 {
        self.number
    }

    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdKey").field("number", &self.number).finish_non_exhaustive()
    }
}

/// The key that new session IDs are sealed with, and others that open older ones.
///
/// To rotate, let every worker [open](Self::also_opening) the new key's IDs first, then seal
/// with it, and leave the old one out once [`Rules::session_lifetime`] is over. An ID whose
/// key is left out is an unknown one.
///
/// ```
/// use matrix_uia::server::sealed::{IdKey, IdKeys};
/// let keys = IdKeys::new(IdKey::new(2, [0x22; 32])).also_opening(IdKey::new(1, [0x11; 32]));
/// assert!(keys.is_ok());
/// ```
///
/// [`Rules::session_lifetime`]: crate::Rules::session_lifetime
#[derive(Debug)]
pub struct IdKeys {
    current: IdKey,
    others: heapless::Vec<IdKey, { Self::MAX_OTHERS }>,
}

impl IdKeys {
    /// How many keys there can be beside the current one: older ones, and the next.
    pub const MAX_OTHERS: usize = 3;

    /// This key alone.
    #[must_use]
    pub const fn new(current: IdKey) -> Self {
        Self { current, others: heapless::Vec::new() }
    }

    /// The same, and a key whose IDs are opened, and none sealed.
    ///
    /// # Errors
    ///
    /// There are [as many](Self::MAX_OTHERS) already, or one of that number.
    pub fn also_opening(mut self, key: IdKey) -> Result<Self, IdKeysError> {
        if self.numbered(key.number).is_some() {
            return Err(IdKeysError::Number);
        }
        self.others.push(key).map_err(|_| IdKeysError::TooMany)?;
        Ok(self)
    }

    pub(super) const fn current(&self) -> &IdKey {
        &self.current
    }

    pub(super) fn numbered(&self, number: u8) -> Option<&IdKey> {
        core::iter::once(&self.current).chain(&self.others).find(|key| key.number == number)
    }
}

pub(super) type Keys<'k> = &'k IdKeys;

/// Why a key can't be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdKeysError {
    /// There are [`IdKeys::MAX_OTHERS`] beside the current one.
    TooMany,
    /// Another key has the same number.
    Number,
}

impl fmt::Display for IdKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "there are too many keys for session IDs",
            Self::Number => "two keys for session IDs have the same number",
        })
    }
}

impl core::error::Error for IdKeysError {}
