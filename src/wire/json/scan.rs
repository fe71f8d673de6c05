//! Where things end: steps over bytes, with no state.

use crate::text::hex4;
use crate::wire::ParseError;

#[inline]
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
        at = at.wrapping_add(1);
    }
    at
}

/// Behind `byte` and the white space after it.
#[inline]
pub(super) fn token(bytes: &[u8], at: usize, byte: u8) -> Result<usize, ParseError> {
    if bytes.get(at) == Some(&byte) { Ok(space(bytes, at.wrapping_add(1))) } else { Err(ParseError::NotJson) }
}

/// Where the string ends (at its quote) whose first character stands at `at`, and
/// whether it has escapes.
#[inline]
pub(super) fn string_end(bytes: &[u8], at: usize, strict: bool) -> Result<(usize, bool), ParseError> {
    let end = plain_end(bytes, at);
    if bytes.get(end) == Some(&b'"') { Ok((end, false)) } else { escaped_end(bytes, end, strict) }
}

#[cold]
fn escaped_end(bytes: &[u8], mut at: usize, strict: bool) -> Result<(usize, bool), ParseError> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((at, true)),
            Some(b'\\') => at = escape_end(bytes, at, strict)?,
            _ => return Err(ParseError::NotJson),
        }
        at = plain_end(bytes, at);
    }
}

fn escape_end(bytes: &[u8], at: usize, strict: bool) -> Result<usize, ParseError> {
    let unit_at = |at: usize| bytes.get(at..).and_then(hex4).ok_or(ParseError::NotJson);
    let after = at.wrapping_add(2);
    match bytes.get(at.wrapping_add(1)) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(after),
        Some(b'u') => {
            let unit = unit_at(after)?;
            let after = after.wrapping_add(4);
            if !(0xD800..0xE000).contains(&unit) || !strict {
                return Ok(after);
            }
            let pair = unit < 0xDC00 && bytes.get(after..).is_some_and(|rest| rest.starts_with(b"\\u"));
            if !pair {
                return Err(ParseError::LoneSurrogate);
            }
            let low = unit_at(after.wrapping_add(2))?;
            if (0xDC00..0xE000).contains(&low) {
                Ok(after.wrapping_add(6))
            } else {
                Err(ParseError::LoneSurrogate)
            }
        }
        _ => Err(ParseError::NotJson),
    }
}

pub(super) fn number_end(bytes: &[u8], mut at: usize) -> Result<usize, ParseError> {
    let digits = |mut at: usize| {
        let first = bytes.get(at).filter(|byte| byte.is_ascii_digit());
        first.ok_or(ParseError::NotJson)?;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at = at.wrapping_add(1);
        }
        Ok(at)
    };
    if bytes.get(at) == Some(&b'-') {
        at = at.wrapping_add(1);
    }
    at = if bytes.get(at) == Some(&b'0') { at.wrapping_add(1) } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at.wrapping_add(1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at = at.wrapping_add(1);
        if let Some(b'+' | b'-') = bytes.get(at) {
            at = at.wrapping_add(1);
        }
        at = digits(at)?;
    }
    Ok(at)
}

/// Index of the first byte from `at` on that ends or interrupts a string's plain
/// run: a quote, a backslash, a control character, or the end of the input.
#[inline]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zero_byte = |x: u64| x.wrapping_sub(ONES) & !x;
        let quote = zero_byte(word ^ (ONES.wrapping_mul(0x22)));
        let slash = zero_byte(word ^ (ONES.wrapping_mul(0x5C)));
        let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
        let hits = (quote | slash | control) & HIGH;
        if hits != 0 {
            // A borrow can only mark bytes above a true hit, so the lowest is true.
            return at.wrapping_add((hits.trailing_zeros() / 8) as usize);
        }
        at = at.wrapping_add(8);
    }
    while bytes.get(at).is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..=0x1F)) {
        at = at.wrapping_add(1);
    }
    at
}
