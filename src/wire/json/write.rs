//! The writer: what is JSON already goes as it is, strings are escaped.

use core::fmt::{self, Write};

use super::items::Members;
use super::raw::Raw;
use super::scan::after_plain;
use crate::secret::Secret;
use crate::text::Text;

/// Writes `text` as a JSON string, quotes included.
///
/// # Errors
///
/// The sink's own: it is full.
pub(crate) fn write_text(out: &mut impl Write, text: Text<'_>) -> fmt::Result {
    let Some(plain) = text.as_str() else {
        out.write_char('"')?;
        for c in text.chars() {
            write_escaped(out, c.encode_utf8(&mut [0; 4]))?;
        }
        return out.write_char('"');
    };
    write_plain(out, plain)
}

fn write_plain(out: &mut impl Write, plain: &str) -> fmt::Result {
    out.write_char('"')?;
    write_escaped(out, plain)?;
    out.write_char('"')
}

fn write_escaped(out: &mut impl Write, plain: &str) -> fmt::Result {
    let mut rest = plain;
    loop {
        let end = rest.len().wrapping_sub(after_plain(rest.as_bytes()).len());
        let (run, special) = rest.split_at_checked(end).unwrap_or((rest, ""));
        out.write_str(run)?;
        let Some(&[special]) = special.as_bytes().first_chunk() else { return Ok(()) };
        match SHORT_ESCAPES.iter().find(|[byte, _]| *byte == special) {
            Some([_, letter]) => {
                out.write_char('\\')?;
                out.write_char(char::from(*letter))?;
            }
            // Below 0x20: the first of two digits is 0 or 1. Not `write!`: the formatting
            // machinery is 2 KiB of flash, and nothing else needs it.
            None => {
                out.write_str(if special < 0x10 { "\\u000" } else { "\\u001" })?;
                out.write_char(char::from_digit(u32::from(special & 0xF), 16).unwrap_or('0'))?;
            }
        }
        // What was special is one byte of ASCII.
        rest = rest.get(run.len().wrapping_add(1)..).unwrap_or_default();
    }
}

/// What is escaped with a letter, and that letter.
const SHORT_ESCAPES: [[u8; 2]; 5] = [*b"\"\"", *b"\\\\", *b"\nn", *b"\rr", *b"\tt"];

/// Digits of the largest `u64`.
const MOST_DIGITS: usize = 20;

/// Writes `value` in decimal digits, divided byte by byte: a 64-bit division is a kilobyte on a
/// processor that has none, and a table of the powers of ten 160 bytes.
fn write_integer(out: &mut impl Write, value: u64) -> fmt::Result {
    let (mut digits, mut bytes) = ([0; MOST_DIGITS], value.to_be_bytes());
    let mut begin = MOST_DIGITS;
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in &mut bytes {
            let part = rest.wrapping_shl(8) | u16::from(*byte);
            [*byte, _] = (part / 10).to_le_bytes();
            rest = part % 10;
        }
        [*digit, _] = rest.to_le_bytes();
        begin = begin.wrapping_sub(1);
        if bytes == [0; 8] {
            break;
        }
    }
    digits.iter().skip(begin).try_for_each(|digit| out.write_char(char::from(b'0' | *digit)))
}

/// Writes the keys of `object` and their values behind others, each with a comma before
/// it, but none of `ours`. What is no object has no keys.
///
/// # Errors
///
/// The sink's own: it is full.
pub(crate) fn write_others(out: &mut impl Write, object: Raw<'_>, ours: &[&str]) -> fmt::Result {
    write_members(out, object, ours, false)
}

/// The same, where nothing stands before the first if `first`.
pub(crate) fn write_members(
    out: &mut impl Write,
    object: Raw<'_>,
    ours: &[&str],
    mut first: bool,
) -> fmt::Result {
    for (key, value) in Members::of(object).filter(|(key, _)| ours.iter().all(|ours| key != ours)) {
        if !core::mem::take(&mut first) {
            out.write_char(',')?;
        }
        write_text(out, key)?;
        out.write_char(':')?;
        out.write_str(value.as_str())?;
    }
    Ok(())
}

/// Writes an object key by key; the comma and the colon are its business.
pub(crate) struct ObjectWriter<'w, W: Write> {
    out: &'w mut W,
    first: bool,
}

impl<'w, W: Write> ObjectWriter<'w, W> {
    pub(crate) fn begin(out: &'w mut W) -> Result<Self, fmt::Error> {
        out.write_char('{')?;
        Ok(Self { out, first: true })
    }

    /// Writes `key` (which needs no escape) and gives the sink for its value.
    pub(crate) fn key(&mut self, key: &str) -> Result<&mut W, fmt::Error> {
        // Each piece costs more than its bytes, so neighbours are written as one.
        self.out.write_str(if core::mem::take(&mut self.first) { "\"" } else { ",\"" })?;
        self.out.write_str(key)?;
        self.out.write_str("\":")?;
        Ok(self.out)
    }

    pub(crate) fn text(&mut self, key: &str, value: Text<'_>) -> fmt::Result {
        write_text(self.key(key)?, value)
    }

    /// A string that did not come as JSON.
    pub(crate) fn plain(&mut self, key: &str, value: &str) -> fmt::Result {
        write_plain(self.key(key)?, value)
    }

    pub(crate) fn text_if(&mut self, key: &str, value: Option<Text<'_>>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.text(key, value))
    }

    pub(crate) fn secret_if(&mut self, key: &str, value: Option<Secret<'_>>) -> fmt::Result {
        self.text_if(key, value.map(|secret| secret.expose()))
    }

    pub(crate) fn boolean(&mut self, key: &str, value: bool) -> fmt::Result {
        self.key(key)?.write_str(if value { "true" } else { "false" })
    }

    pub(crate) fn boolean_if(&mut self, key: &str, value: Option<bool>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.boolean(key, value))
    }

    pub(crate) fn integer(&mut self, key: &str, value: u64) -> fmt::Result {
        write_integer(self.key(key)?, value)
    }

    pub(crate) fn integer_if(&mut self, key: &str, value: Option<u64>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.integer(key, value))
    }

    pub(crate) fn signed(&mut self, key: &str, value: i64) -> fmt::Result {
        let out = self.key(key)?;
        if value < 0 {
            out.write_char('-')?;
        }
        write_integer(out, value.unsigned_abs())
    }

    /// An array of what `write` makes of each item.
    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut W, T) -> fmt::Result,
    ) -> fmt::Result {
        let out = self.key(key)?;
        out.write_char('[')?;
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                out.write_char(',')?;
            }
            write(out, item)?;
        }
        out.write_char(']')
    }

    pub(crate) fn end(self) -> fmt::Result {
        self.out.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_the_standard_library_writes_them() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        let near = powers.flat_map(|power| [power - 1, power, power + 1]);
        for value in near.chain([255, 256, 2_560, 65_536, u64::MAX - 1, u64::MAX]) {
            let mut out = std::string::String::new();
            write_integer(&mut out, value).unwrap();
            assert_eq!(out, std::format!("{value}"));
        }
    }
}
