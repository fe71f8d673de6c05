//! Why a stored value is refused when it is read back.

use core::fmt;

/// What is wrong with it, and nothing of what is in it. `serde` makes its format's error
/// of this.
pub(crate) struct DecodeError(pub(crate) &'static str);

impl DecodeError {
    /// The form is that of an earlier version of this crate, or a later one.
    pub(crate) const VERSION: Self = Self("written in another version's form");
    /// Something was changed after it was written.
    pub(crate) const DAMAGED: Self = Self("changed since it was written");
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The version of a stored form, written as its first field. Another one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version<const V: u8>;

impl<const V: u8> serde::Serialize for Version<V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(V)
    }
}

impl<'de, const V: u8> serde::Deserialize<'de> for Version<V> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            version if version == V => Ok(Self),
            _ => Err(serde::de::Error::custom(DecodeError::VERSION)),
        }
    }
}
