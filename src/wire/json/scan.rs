//! Where things end: steps over what is left of the input, with no state.
//!
//! What is left is a slice that shrinks, so that one comparison tells both whether there
//! is a byte and which.

use crate::text::hex4;
use crate::wire::ParseError;

/// What follows the white space that `rest` begins with. Compact JSON has none, and one
/// comparison says so.
#[inline]
pub(super) fn after_space(rest: &[u8]) -> &[u8] {
    match rest {
        [byte, ..] if *byte <= b' ' => after_some_space(rest),
        _ => rest,
    }
}

#[inline(never)]
fn after_some_space(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\t' | b'\r', after @ ..] = rest {
        rest = after;
    }
    rest
}

/// What follows `byte` and the white space after it.
#[inline]
pub(super) fn token(rest: &[u8], byte: u8) -> Result<&[u8], ParseError> {
    match rest.split_first() {
        Some((first, after)) if *first == byte => Ok(after_space(after)),
        _ => Err(ParseError::NotJson),
    }
}

/// The length of the string whose first character `rest` begins with, whether it has
/// escapes, and what follows its closing quote.
#[inline]
pub(super) fn string(rest: &[u8], strict: bool) -> Result<(usize, bool, &[u8]), ParseError> {
    let special = after_plain(rest);
    let len = rest.len().wrapping_sub(special.len());
    match special {
        [b'"', after @ ..] => Ok((len, false, after)),
        _ => escaped_string(rest, len, strict),
    }
}

/// The same, where `at` is the end of the string's plain beginning.
#[cold]
#[inline(never)]
fn escaped_string(rest: &[u8], mut at: usize, strict: bool) -> Result<(usize, bool, &[u8]), ParseError> {
    loop {
        match rest.get(at..) {
            Some([b'"', after @ ..]) => return Ok((at, true, after)),
            Some([b'\\', ..]) => at = escape_end(rest, at, strict)?,
            _ => return Err(ParseError::NotJson),
        }
        let special = after_plain(rest.get(at..).unwrap_or_default());
        at = rest.len().wrapping_sub(special.len());
    }
}

/// What follows the array that `rest` begins with, if it is strings without white space
/// between them; `string` says what follows the closing quote of one, of which it gets the
/// inside and the rest.
#[inline]
pub(super) fn behind_strings<'a>(
    rest: &'a [u8],
    mut string: impl FnMut(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let [b'[', b'"', first @ ..] = rest else { return None };
    let mut inside = first;
    loop {
        match string(inside)? {
            [b',', b'"', next @ ..] => inside = next,
            [b']', behind @ ..] => return Some(behind),
            _ => return None,
        }
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

/// What follows the number, `true`, `false` or `null` that `rest` begins with.
pub(super) fn after_scalar(rest: &[u8]) -> Result<&[u8], ParseError> {
    let word: &[u8] = match rest.first() {
        Some(b't') => b"true",
        Some(b'f') => b"false",
        Some(b'n') => b"null",
        _ => return after_number(rest),
    };
    rest.strip_prefix(word).ok_or(ParseError::NotJson)
}

/// What follows the number that `rest` begins with.
fn after_number(rest: &[u8]) -> Result<&[u8], ParseError> {
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    let mut rest = match rest {
        [b'0', after @ ..] => after,
        _ => after_digits(rest)?,
    };
    if let [b'.', after @ ..] = rest {
        rest = after_digits(after)?;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        let digits = match after {
            [b'+' | b'-', digits @ ..] => digits,
            _ => after,
        };
        rest = after_digits(digits)?;
    }
    Ok(rest)
}

/// What follows one digit or more.
fn after_digits(rest: &[u8]) -> Result<&[u8], ParseError> {
    let [b'0'..=b'9', rest @ ..] = rest else { return Err(ParseError::NotJson) };
    let mut rest = rest;
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    Ok(rest)
}

/// What follows the plain run of a string that `rest` begins with: a quote, a backslash, a
/// control character, or nothing at the end of the input.
// Inlined where flash is no concern.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(super) fn after_plain(mut rest: &[u8]) -> &[u8] {
    const WORD: usize = size_of::<usize>();
    const ONES: usize = usize::MAX / 0xFF;
    const HIGH: usize = ONES.wrapping_mul(0x80);
    while let Some((word, after)) = rest.split_first_chunk::<WORD>() {
        let word = usize::from_le_bytes(*word);
        // Of the bytes of ASCII, `^ 2` puts the quote at 0x20, next to the control
        // characters, which stay below; the others stay above.
        let quote_or_control = (word ^ ONES.wrapping_mul(2)).wrapping_sub(ONES.wrapping_mul(0x21));
        let slash = (word ^ ONES.wrapping_mul(0x5C)).wrapping_sub(ONES);
        let marks = (quote_or_control | slash) & HIGH;
        // What is no ASCII may be marked too, and is no hit.
        if marks != 0 && marks & !word != 0 {
            let hits = marks & !word;
            // A borrow can only mark bytes above a true hit, so the lowest is true.
            return rest.get((hits.trailing_zeros() / 8) as usize..).unwrap_or_default();
        }
        rest = after;
    }
    short_after_plain(rest)
}

/// The same for the last bytes of the input.
#[inline(never)]
fn short_after_plain(mut rest: &[u8]) -> &[u8] {
    while let [byte, after @ ..] = rest {
        if matches!(byte, b'"' | b'\\' | 0..=0x1F) {
            break;
        }
        rest = after;
    }
    rest
}
