//! Enumerations that are stored by the name of their variant.

/// Serialises a field-less enumeration as the name of the variant, in every format.
///
/// A derived implementation leaves the choice to the format, and compact ones write the
/// variant's index, which changes its meaning when a variant is added before it. The type
/// has `ALL` and `name`.
macro_rules! stored_by_name {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Names;

                impl serde::de::Visitor<'_> for Names {
                    type Value = $type;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("a name from a list")
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$type, E> {
                        let found = <$type>::ALL.iter().copied().find(|variant| variant.name() == name);
                        found.ok_or_else(|| E::custom(crate::decode::DecodeError::NAME))
                    }
                }

                deserializer.deserialize_str(Names)
            }
        }
    };
}

pub(crate) use stored_by_name;
