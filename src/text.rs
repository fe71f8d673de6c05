//! A string of the peer's, read where it stands.
//!
//! ```text
//!  "plain"       ──► Text { raw: plain,        escaped: no }   as_str() is Some
//!  "caf\u00e9"   ──► Text { raw: caf\u00e9,    escaped: yes }  chars() decodes on the way
//! ```
//!
//! Deserialising into `&str` refuses any string with an escape, and deserialising
//! into an owned string wants a heap. A [`Text`] does neither: it keeps the bytes as
//! they came and decodes them whenever they are looked at, so that a password with a
//! quote in it is ordinary on a microcontroller too.

use core::fmt;

use crate::capacity::CapacityError;

/// A borrowed string, decoded as it is read.
///
/// A `Text` from the parser is well formed and its escapes are valid; equality,
/// length and iteration are those of the decoded text.
///
/// ```
/// use matrix_uia::Text;
/// let name = Text::new("alice");
/// assert_eq!(name, "alice");
/// assert_eq!(name.as_str(), Some("alice"));
/// ```
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The text `plain`, taken as it is.
    #[must_use]
    pub const fn new(plain: &'a str) -> Self {
        Self { raw: plain, escaped: false }
    }

    /// The inside of a JSON string whose escapes the parser has checked.
    pub(crate) const fn from_json(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The text as it stands in the input.
    pub(crate) const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The text, if it stands in the input as it is (no escape in it).
    #[must_use]
    pub const fn as_str(&self) -> Option<&'a str> {
        if self.escaped { None } else { Some(self.raw) }
    }

    /// The decoded characters.
    #[must_use]
    pub const fn chars(&self) -> Chars<'a> {
        Chars { rest: self.raw, escaped: self.escaped }
    }

    /// Length of the decoded text in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.as_str() {
            Some(plain) => plain.len(),
            None => self.chars().map(char::len_utf8).sum(),
        }
    }

    /// Whether the decoded text has at least `least` characters. It is read no further than
    /// that takes.
    pub(crate) fn has_chars(&self, least: usize) -> bool {
        let Some(last) = least.checked_sub(1) else { return true };
        match self.as_str() {
            // Of ASCII, each byte is a character.
            Some(plain) if plain.get(..least).is_some_and(is_ascii) => true,
            _ => self.chars().nth(last).is_some(),
        }
    }

    /// Whether the decoded text is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Copies the decoded text into `buffer` and returns it as a string.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if `buffer` is shorter than [`len`](Self::len).
    pub fn copy_to<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b str, CapacityError> {
        let mut used = 0_usize;
        for piece in self.pieces() {
            let mut scratch = [0; 4];
            let bytes = piece.as_bytes(&mut scratch);
            let end = used.saturating_add(bytes.len());
            buffer.get_mut(used..end).ok_or(CapacityError::new("text"))?.copy_from_slice(bytes);
            used = end;
        }
        let written = buffer.get(..used).ok_or(CapacityError::new("text"))?;
        core::str::from_utf8(written).map_err(|_| CapacityError::new("text"))
    }

    /// The decoded text in a string of fixed capacity.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if it is longer than `N` bytes.
    pub fn to_fixed<const N: usize>(&self) -> Result<heapless::String<N>, CapacityError> {
        let mut out = heapless::String::new();
        for piece in self.pieces() {
            let pushed = match piece {
                Piece::Run(run) => out.push_str(run),
                Piece::Char(c) => out.push(c),
            };
            pushed.map_err(|_| CapacityError::new("text"))?;
        }
        Ok(out)
    }

    /// The decoded text, borrowed where it can be.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_cow(&self) -> alloc::borrow::Cow<'a, str> {
        match self.as_str() {
            Some(plain) => alloc::borrow::Cow::Borrowed(plain),
            None => alloc::borrow::Cow::Owned(self.chars().collect()),
        }
    }

    /// The decoded text, in a string that never grew: one that did would have left its
    /// earlier, shorter copies on the heap, where no one can wipe them.
    #[cfg(feature = "alloc")]
    pub(crate) fn to_exact(self) -> alloc::string::String {
        let mut out = alloc::string::String::with_capacity(self.len());
        out.extend(self.chars());
        out
    }

    #[inline(never)]
    fn decodes_to(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }

    /// The texts before and after the first `separator`, decoded where they stand.
    pub(crate) fn split_once(&self, separator: char) -> Option<(Self, Self)> {
        let mut chars = self.chars();
        loop {
            let rest = chars.rest.len();
            if chars.next()? == separator {
                let before = self.raw.get(..self.raw.len().saturating_sub(rest))?;
                let part = |raw| Self { raw, escaped: self.escaped };
                return Some((part(before), part(chars.rest)));
            }
        }
    }

    /// Runs of plain text and single decoded characters, in order: what a copy, a
    /// digest or a printer needs, without a buffer.
    pub(crate) const fn pieces(&self) -> Pieces<'a> {
        Pieces { rest: self.raw, escaped: self.escaped }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_str(), other.as_str()) {
            (Some(a), Some(b)) => a == b,
            _ => self.chars().eq(other.chars()),
        }
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    // Inlined where flash is no concern: most are compared with a few letters.
    #[cfg_attr(target_pointer_width = "64", inline)]
    fn eq(&self, other: &str) -> bool {
        match self.as_str() {
            Some(plain) => plain == other,
            None => self.decodes_to(other),
        }
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(plain: &'a str) -> Self {
        Self::new(plain)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces() {
            match piece {
                Piece::Run(run) => f.write_str(run)?,
                Piece::Char(c) => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, '"')?;
        for c in self.chars() {
            fmt::Display::fmt(&c.escape_debug(), f)?;
        }
        fmt::Write::write_char(f, '"')
    }
}

/// Iterator over the decoded characters of a [`Text`].
#[derive(Clone, Debug)]
pub struct Chars<'a> {
    rest: &'a str,
    escaped: bool,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        if first == '\\' && self.escaped {
            let (c, rest) = unescape(self.rest)?;
            self.rest = rest;
            Some(c)
        } else {
            self.rest = self.rest.get(first.len_utf8()..)?;
            Some(first)
        }
    }
}

pub(crate) enum Piece<'a> {
    Run(&'a str),
    Char(char),
}

impl<'a> Piece<'a> {
    pub(crate) fn as_bytes<'b>(&self, scratch: &'b mut [u8; 4]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Run(run) => run.as_bytes(),
            Self::Char(c) => c.encode_utf8(scratch).as_bytes(),
        }
    }
}

pub(crate) struct Pieces<'a> {
    rest: &'a str,
    escaped: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut bytes = self.rest.bytes();
        let run_end = if self.escaped { bytes.position(|byte| byte == b'\\') } else { None };
        let run_end = run_end.unwrap_or(self.rest.len());
        if run_end > 0 {
            let (run, rest) = self.rest.split_at_checked(run_end)?;
            self.rest = rest;
            return Some(Piece::Run(run));
        }
        let (c, rest) = unescape(self.rest)?;
        self.rest = rest;
        Some(Piece::Char(c))
    }
}

/// Whether a few bytes are of ASCII. The library's own function is made for long texts, and
/// takes 100 bytes more on a microcontroller.
fn is_ascii(few: &str) -> bool {
    few.bytes().fold(0, |all, byte| all | byte) < 0x80
}

/// Decodes the escape at the start of `raw`. Total: what the parser would have
/// refused ends the text, and the parser lets no such thing through.
fn unescape(raw: &str) -> Option<(char, &str)> {
    let kind = *raw.as_bytes().get(1)?;
    let after = raw.get(2..)?;
    let plain = match kind {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = hex4(after.as_bytes())?;
            let after = after.get(4..)?;
            if !(0xD800..0xDC00).contains(&unit) {
                return Some((char::from_u32(unit)?, after));
            }
            let low = hex4(after.strip_prefix("\\u")?.as_bytes())?;
            let code = 0x1_0000_u32
                .checked_add(unit.checked_sub(0xD800)?.checked_shl(10)?)?
                .checked_add(low.checked_sub(0xDC00)?)?;
            return Some((char::from_u32(code)?, after.get(6..)?));
        }
        _ => return None,
    };
    Some((plain, after))
}

/// The number that the first four hexadecimal digits of `bytes` make.
pub(crate) fn hex4(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>()?.iter().try_fold(0_u32, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(value.wrapping_shl(4) | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCAPED: Text<'static> = Text::from_json(r#"a\"b\\c\u00e9\ud83d\ude00\n"#, true);

    #[test]
    fn an_escape_is_decoded_wherever_it_is_looked_at() {
        let plain = "a\"b\\cé😀\n";
        assert_eq!(ESCAPED, plain);
        assert_eq!(Text::new(plain), ESCAPED);
        assert_eq!(ESCAPED.len(), plain.len());
        assert_eq!(ESCAPED.as_str(), None);
        assert_eq!(ESCAPED.to_fixed::<32>().unwrap(), plain);
        let mut buffer = [0; 32];
        assert_eq!(ESCAPED.copy_to(&mut buffer).unwrap(), plain);
    }

    #[test]
    fn characters_are_counted_whatever_they_are_written_with() {
        for text in [ESCAPED, Text::new("a\"b\\cé😀\n")] {
            assert!(text.has_chars(0) && text.has_chars(1) && text.has_chars(8));
            assert!(!text.has_chars(9));
        }
        assert!(Text::new("").has_chars(0) && !Text::new("").has_chars(1));
    }

    #[test]
    fn a_backslash_in_plain_text_is_a_backslash() {
        assert_eq!(Text::new(r"a\n"), r"a\n");
        assert_ne!(Text::new(r"a\n"), "a\n");
    }

    #[test]
    fn a_buffer_one_byte_too_small_is_refused() {
        let length = ESCAPED.len();
        let mut buffer = [0; 64];
        assert!(ESCAPED.copy_to(&mut buffer[..length]).is_ok());
        assert!(ESCAPED.copy_to(&mut buffer[..length - 1]).is_err());
        assert!(Text::new("abc").to_fixed::<2>().is_err());
    }
}
