//! Where a value stands in its body.

use super::raw::Raw;
use crate::secret::Secret;
use crate::text::Text;
use crate::time::Millis;
use crate::wire::ParseError;

/// Where a value stands in its body, or that there is none.
///
/// Many are collected and few used, so it is kept to two words of 32 bits. The bodies it
/// serves are shorter than [`MAX_BODY_LEN`](Self::MAX_BODY_LEN), and no string begins at 0,
/// where its quote stands: that leaves room for marks.
#[derive(Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Span {
    /// Of a string its first character, of another value its first byte and
    /// [`MARK`](Self::MARK).
    start: u32,
    /// The length, and [`MARK`](Self::MARK) for a string that has escapes.
    len: u32,
}

impl Span {
    const MARK: u32 = 0x8000_0000;
    /// The longest body whose places a span can name, in bytes.
    pub(super) const MAX_BODY_LEN: usize = (Self::MARK - 1) as usize;
    /// The key has not been met.
    pub(crate) const NONE: Self = Self { start: 0, len: 0 };
    /// The key has been met, and its value is `null`.
    pub(crate) const NULL: Self = Self { start: u32::MAX, len: 0 };

    /// A string between its quotes.
    #[inline]
    pub(crate) const fn string(start: usize, len: usize, escaped: bool) -> Self {
        Self { start: start as u32, len: len as u32 | if escaped { Self::MARK } else { 0 } }
    }

    /// Any other value.
    pub(crate) const fn other(start: usize, len: usize) -> Self {
        Self { start: start as u32 | Self::MARK, len: len as u32 }
    }

    /// Whether a key has not been met.
    #[inline]
    pub(super) fn is_new(self) -> bool {
        self.start == 0
    }

    /// Whether there is no value, or `null`, which counts as none.
    #[inline]
    pub(crate) const fn is_absent(self) -> bool {
        self.start == Self::NONE.start || self.start == Self::NULL.start
    }

    /// Whether there is a value that is a string.
    #[inline]
    const fn is_string(self) -> bool {
        self.start.cast_signed() > 0
    }

    /// Whether there is a value that is no string.
    #[inline]
    pub(crate) const fn is_no_string(self) -> bool {
        self.start & Self::MARK != 0 && self.start != Self::NULL.start
    }

    #[inline]
    const fn is_escaped(self) -> bool {
        self.len & Self::MARK != 0
    }

    /// Whether two strings can be the same, as far as their lengths tell.
    #[inline]
    pub(super) const fn may_equal(self, other: Self) -> bool {
        self.len == other.len || (self.len | other.len) & Self::MARK != 0
    }

    #[inline]
    fn of(self, body: &str) -> Option<&str> {
        let start = (self.start & !Self::MARK) as usize;
        let len = (self.len & !Self::MARK) as usize;
        body.get(start..start.wrapping_add(len))
    }

    /// The string that stands here, known to be one.
    #[inline]
    pub(super) fn known_text(self, body: &str) -> Text<'_> {
        Text::from_json(self.of(body).unwrap_or_default(), self.is_escaped())
    }

    /// The string that stands here, if it is one.
    #[inline]
    pub(crate) fn text(self, body: &str) -> Option<Text<'_>> {
        if !self.is_string() {
            return None;
        }
        Some(Text::from_json(self.of(body)?, self.is_escaped()))
    }

    /// The same, if it is to be kept secret.
    #[inline]
    pub(crate) fn secret(self, body: &str) -> Option<Secret<'_>> {
        self.text(body).map(Secret::from_text)
    }

    /// The same with its quotes, if what stands here can be a string that was read: one
    /// with quotes around it, and said to have escapes if it has.
    pub(crate) fn quoted(self, body: &str) -> Option<&str> {
        let (text, before) = (self.text(body)?, (self.start as usize).checked_sub(1)?);
        let quoted = body.get(before..)?.get(..text.raw().len().checked_add(2)?)?;
        (self.is_escaped() == text.raw().contains('\\')).then_some(quoted)
    }

    /// The value that stands here, if it is no string.
    #[inline]
    pub(crate) fn raw(self, body: &str) -> Option<Raw<'_>> {
        if self.is_no_string() { self.of(body).map(Raw::trusted) } else { None }
    }

    /// The value that stands here, if it begins with `open`.
    pub(crate) fn raw_from(self, open: char, body: &str) -> Option<Raw<'_>> {
        self.raw(body).filter(|raw| raw.as_str().starts_with(open))
    }

    /// Whether a value stands here that begins with `open`, which is no quote.
    #[inline]
    pub(crate) fn begins_with(self, open: u8, body: &str) -> bool {
        self.is_no_string() && body.as_bytes().get((self.start & !Self::MARK) as usize) == Some(&open)
    }

    /// Whether an object stands here.
    #[inline]
    pub(crate) fn is_object(self, body: &str) -> bool {
        self.begins_with(b'{', body)
    }

    /// The boolean that stands here, if it is one.
    pub(crate) fn flag(self, body: &str) -> Option<bool> {
        match self.raw(body)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The whole number that stands here, if 64 bits have room for it and it is written
    /// without fraction and exponent, or [`ParseError::WrongType`].
    pub(crate) fn integer(self, body: &str) -> Result<Option<i64>, ParseError> {
        if self.is_absent() {
            return Ok(None);
        }
        let number = self.raw(body).and_then(|raw| whole_number(raw.as_str()));
        number.map(Some).ok_or(ParseError::WrongType)
    }

    /// The number of milliseconds that stands here; any other value counts as none. For
    /// answers, where a time that can't be read is no reason to lose the token beside it.
    pub(crate) fn lenient_millis(self, body: &str) -> Option<Millis> {
        self.raw(body)?.as_str().parse().ok().map(Millis::new)
    }

    /// The number that stands here, or whatever else the value is written with: a string
    /// without its quotes.
    pub(crate) fn written(self, body: &str) -> Option<&str> {
        if self.is_absent() { None } else { self.of(body) }
    }
}

/// The whole number that a JSON number without fraction and exponent writes. The library's own
/// function checks each step of 64 bits for an overflow, which takes a microcontroller 150 bytes more.
fn whole_number(written: &str) -> Option<i64> {
    let digits = written.strip_prefix('-');
    let mut number = 0_u64;
    for digit in digits.unwrap_or(written).bytes() {
        let digit = digit.wrapping_sub(b'0');
        // Another digit makes less than twice what 64 bits have room for.
        if digit > 9 || number > i64::MAX.unsigned_abs() / 10 {
            return None;
        }
        number = number.wrapping_mul(10).wrapping_add(digit.into());
    }
    match digits {
        Some(_) => 0_i64.checked_sub_unsigned(number),
        None => number.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_the_standard_library_reads_them() {
        for written in [
            "0",
            "-0",
            "1",
            "-1",
            "10",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "92233720368547758070",
            "922337203685477580700000000000000000000",
            "18446744073709551616",
            "1.0",
            "1e3",
            "1E+3",
            "true",
            "[1]",
            "\"1\"",
        ] {
            assert_eq!(whole_number(written), written.parse().ok(), "{written}");
        }
    }
}
