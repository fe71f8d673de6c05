//! The frame around the fields of a stored value.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::checksum::checksum;
use crate::decode::{DecodeError, Version};

/// The fields `T` of a stored value, in version `V` of its form.
///
/// The checksum finds damage: a changed byte, a field left out, halves of two values. It
/// has no key and is no protection against somebody who can write to the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned<T, const V: u8> {
    version: Version<V>,
    value: T,
    check: u32,
}

impl<T: Serialize, const V: u8> Versioned<T, V> {
    fn new(value: T) -> Self {
        let check = checksum(&value, V);
        Self { version: Version, value, check }
    }

    /// The fields, if they are those that were written.
    fn open(self) -> Result<T, DecodeError> {
        if self.check == checksum(&self.value, V) { Ok(self.value) } else { Err(DecodeError::DAMAGED) }
    }
}

/// Writes the fields of a stored value, in version `V` of its form.
pub(crate) fn write<const V: u8, T: Serialize, S: Serializer>(
    fields: T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Versioned::<T, V>::new(fields).serialize(serializer)
}

/// Reads a stored value in version `V` of its form: its fields `T`, and then, if they can be
/// combined so, the value.
pub(crate) fn read<'de, const V: u8, T, Value, D>(deserializer: D) -> Result<Value, D::Error>
where
    T: Serialize + Deserialize<'de>,
    Value: TryFrom<T, Error = DecodeError>,
    D: Deserializer<'de>,
{
    let fields = Versioned::<T, V>::deserialize(deserializer)?.open().map_err(D::Error::custom)?;
    Value::try_from(fields).map_err(D::Error::custom)
}

/// Serialises a type as these fields, in this version of its form.
macro_rules! stored_as {
    ($type:ty, $fields:ty, $version:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::stored::write::<{ $version }, $fields, S>(<$fields>::from(self.clone()), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::stored::read::<{ $version }, $fields, Self, D>(deserializer)
            }
        }
    };
}

pub(crate) use stored_as;

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    type Form = Versioned<(u64, Option<bool>), 3>;

    fn read(text: &str) -> Result<(u64, Option<bool>), std::string::String> {
        let form: Form = serde_json::from_str(text).map_err(|error| error.to_string())?;
        form.open().map_err(|error| error.to_string())
    }

    #[test]
    fn version_comes_first_and_every_other_is_refused() {
        let text = serde_json::to_string(&Form::new((7, None))).unwrap();
        assert!(text.starts_with(r#"{"version":3,"#), "{text}");
        assert_eq!(read(&text), Ok((7, None)));
        for version in ["0", "2", "4", "255", "256", "null", "\"3\""] {
            let other = text.replace(r#""version":3"#, &std::format!(r#""version":{version}"#));
            assert!(read(&other).is_err(), "{other}");
        }
        let other = read(r#"{"version":4,"something":"else"}"#).unwrap_err();
        assert!(other.starts_with(&DecodeError::VERSION.to_string()), "{other}");
    }

    #[test]
    fn changed_value_does_not_fit_its_checksum() {
        let text = serde_json::to_string(&Form::new((7, Some(true)))).unwrap();
        for (from, to) in [("[7,", "[8,"), ("true", "false"), ("true", "null")] {
            assert_eq!(read(&text.replace(from, to)), Err(DecodeError::DAMAGED.to_string()));
        }
        // The version counts too: a value can't be moved between two forms by its number.
        assert_ne!(checksum(&(7, Some(true)), 3), checksum(&(7, Some(true)), 4));
    }
}
