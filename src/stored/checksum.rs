//! The checksum of any value that serialises: FNV-1a over what it tells a serialiser.

use core::fmt::{self, Display};

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::wire::Fnv;

/// The checksum of `value` in version `version` of its form.
///
/// It depends on the value alone, not on the format it is written in. The names of fields
/// are left out, since the version says which fields there are; the names of variants count.
pub(super) fn checksum<T: Serialize + ?Sized>(value: &T, version: u8) -> u32 {
    let mut sum = Sum(Fnv::new());
    sum.0.write(&[version]);
    // A value that refuses to be serialised is never written either.
    let _refused = value.serialize(&mut sum);
    sum.0.low32()
}

struct Sum(Fnv);

impl Sum {
    /// Numbers of every width alike: a format may read one back wider than it was written.
    fn number(&mut self, number: u64) {
        self.0.write(&number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.write(bytes);
    }
}

/// Why a value refuses to be serialised; nobody asks.
#[derive(Debug)]
struct Refused;

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value can't be serialised")
    }
}

impl core::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type Done = Result<(), Refused>;

macro_rules! numbers {
    ($($name:ident: $type:ty as $wide:ty;)+) => {$(
        fn $name(self, number: $type) -> Done {
            self.number(<$wide>::from(number).cast_unsigned());
            Ok(())
        }
    )+};
}

impl Serializer for &mut Sum {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_i8: i8 as i64;
        serialize_i16: i16 as i64;
        serialize_i32: i32 as i64;
        serialize_i64: i64 as i64;
        serialize_u8: u8 as i64;
        serialize_u16: u16 as i64;
        serialize_u32: u32 as i64;
        serialize_bool: bool as i64;
    }

    fn serialize_u64(self, number: u64) -> Done {
        self.number(number);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Done {
        self.serialize_f64(f64::from(number))
    }

    fn serialize_f64(self, number: f64) -> Done {
        self.serialize_u64(number.to_bits())
    }

    fn serialize_char(self, c: char) -> Done {
        self.serialize_u32(c.into())
    }

    fn serialize_str(self, text: &str) -> Done {
        self.serialize_bytes(text.as_bytes())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.bytes(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.0.write(&[1]);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.bytes(variant.as_bytes());
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Refused> {
        self.length(length.unwrap_or(usize::MAX));
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Refused> {
        self.bytes(variant.as_bytes());
        Ok(self)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self, Refused> {
        self.serialize_seq(length)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Refused> {
        self.bytes(variant.as_bytes());
        Ok(self)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Done {
        // Nothing that is stored does this: a text of unknown length has no place to stand.
        Err(Refused)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! compound {
    ($($trait:ident: $method:ident;)+) => {$(
        impl $trait for &mut Sum {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                value.serialize(&mut **self)
            }

            fn end(self) -> Done {
                Ok(())
            }
        }
    )+};
}

compound! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! named_compound {
    ($($trait:ident)+) => {$(
        impl $trait for &mut Sum {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Done {
                value.serialize(&mut **self)
            }

            fn end(self) -> Done {
                Ok(())
            }
        }
    )+};
}

named_compound! { SerializeStruct SerializeStructVariant }

impl SerializeMap for &mut Sum {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut **self)
    }

    fn end(self) -> Done {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    enum Shape {
        Point,
        Line(u8),
        Box { width: u8, height: u8 },
    }

    #[test]
    fn values_that_differ_have_different_checksums() {
        let all = [
            checksum(&Shape::Point, 1),
            checksum(&Shape::Line(0), 1),
            checksum(&Shape::Line(1), 1),
            checksum(&Shape::Box { width: 1, height: 2 }, 1),
            checksum(&Shape::Box { width: 2, height: 1 }, 1),
            checksum(&("a", "bc"), 1),
            checksum(&("ab", "c"), 1),
            checksum(&Some(0_u8), 1),
            checksum(&None::<u8>, 1),
            checksum(&[1_u8, 2, 3][..], 1),
            checksum(&[1_u8, 2][..], 1),
        ];
        for (index, sum) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(sum), "{index}");
        }
    }

    #[test]
    fn checksum_is_the_same_on_every_machine_and_in_every_release() {
        // A constant of the form: one that changes needs another version.
        assert_eq!(checksum(&(7_u64, "seven", Some(true), -7_i64), 1), 757_552_582);
    }
}
