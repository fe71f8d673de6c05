//! An object in the file is an object.
//!
//! What serde derives for a struct also takes a list of the fields' values in order: `[]` would be a whole
//! config, and `"uia": [5]` a session lifetime. So the types of the config are derived as `remote = "Self"`,
//! which makes a function and leaves the trait to be implemented; [`only!`] implements it for objects alone.

/// Implements `Deserialize` for types derived as `remote = "Self"`.
macro_rules! only {
    ($($type:ident),+ $(,)?) => { $(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Object;

                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        $type::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_map(Object)
            }
        }
    )+ };
}

pub(super) use only;
