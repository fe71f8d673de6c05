//! Enumerations that are stored by the name of their variant.

use core::fmt;

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
                struct Name;

                impl serde::de::Visitor<'_> for Name {
                    type Value = $type;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        crate::stored::list(f, <$type>::ALL.iter().map(|variant| variant.name()))
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$type, E> {
                        let found = <$type>::ALL.iter().copied().find(|variant| variant.name() == name);
                        let expected: &dyn serde::de::Expected = &self;
                        found.ok_or_else(|| {
                            E::custom(format_args!("unknown variant `{name}`, expected {expected}"))
                        })
                    }
                }

                deserializer.deserialize_str(Name)
            }
        }
    };
}

pub(crate) use stored_by_name;

/// Writes the names as serde's own message for an unknown variant has them.
pub(crate) fn list(
    f: &mut fmt::Formatter<'_>,
    names: impl ExactSizeIterator<Item = &'static str>,
) -> fmt::Result {
    let two = names.len() == 2;
    if names.len() > 2 {
        f.write_str("one of ")?;
    }
    for (index, name) in names.enumerate() {
        if index > 0 {
            f.write_str(if two { " or " } else { ", " })?;
        }
        write!(f, "`{name}`")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use crate::endpoint::threepid::Medium;
    use crate::server::account::Lifecycle;

    #[test]
    fn unknown_name_is_refused_as_a_derived_implementation_does() {
        let refusal = serde_json::from_str::<Medium>("\"fax\"").unwrap_err().to_string();
        assert!(refusal.starts_with("unknown variant `fax`, expected `email` or `msisdn`"), "{refusal}");
        let refusal = serde_json::from_str::<Lifecycle>("0").unwrap_err().to_string();
        let expected = "expected one of `active`, `deactivating`, `deactivated`";
        assert!(refusal.contains(expected), "{refusal}");
    }
}
