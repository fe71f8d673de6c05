//! The name of a session: 192 bits of the host's entropy, as 32 characters.

use core::fmt;

use crate::text::Text;

/// A session ID. Whoever holds it holds the session: it is redacted in `Debug` and
/// leaves only through [`expose`](Self::expose).
///
/// On the wire it is 32 characters of `[A-Za-z0-9_-]`, within the opaque identifier
/// grammar that rule U2 asks for.
///
/// ```
/// use matrix_uia::{SessionId, Text};
/// let id = SessionId::from_entropy([0x5A; 24]);
/// assert_eq!(SessionId::parse(Text::new(&id.expose())), Some(id));
/// assert_eq!(format!("{id:?}"), "SessionId([redacted])");
/// assert_eq!(SessionId::parse(Text::new("")), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 24]);

impl SessionId {
    /// Bytes of entropy an ID is made from.
    pub const ENTROPY: usize = 24;
    /// Characters of an ID on the wire.
    pub const LEN: usize = 32;

    /// The ID made from 24 bytes of the host's cryptographic generator.
    #[must_use]
    pub const fn from_entropy(entropy: [u8; Self::ENTROPY]) -> Self {
        Self(entropy)
    }

    /// The bytes the ID was made from: the key to store it under.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::ENTROPY] {
        &self.0
    }

    /// The ID that `text` spells; `None` if no session can have that name.
    #[must_use]
    pub fn parse(text: Text<'_>) -> Option<Self> {
        let mut sextets: [u8; Self::LEN] = match text.as_str() {
            Some(plain) => plain.as_bytes().try_into().ok()?,
            None => decoded(text)?,
        };
        let mut wrong = 0;
        for byte in &mut sextets {
            let given = *byte;
            *byte = sextet(given);
            wrong |= (letter(*byte) ^ given) | (*byte & !63);
        }
        if wrong != 0 {
            return None;
        }
        let [one, two, three, tops] = words(&sextets);
        let id = [
            one | (tops & FIRST).wrapping_shl(6),
            two | (tops & SECOND).wrapping_shl(4),
            three | (tops & THIRD).wrapping_shl(2),
        ];
        Some(Self(bytes(id)))
    }

    /// The ID as it stands in a 401 body or a fallback URL.
    #[must_use]
    pub fn expose(&self) -> heapless::String<{ Self::LEN }> {
        let [one, two, three] = words(&self.0);
        let tops = one.wrapping_shr(6) & FIRST | two.wrapping_shr(4) & SECOND | three.wrapping_shr(2) & THIRD;
        let mut chars: [u8; Self::LEN] = bytes([one & LOW_SIX, two & LOW_SIX, three & LOW_SIX, tops]);
        for byte in &mut chars {
            *byte = letter(*byte);
        }
        // Letters are UTF-8, and exactly as many as there is room for.
        heapless::String::from_utf8(heapless::Vec::from_array(chars)).unwrap_or_default()
    }
}

/// What a text with escapes says, if it is as many characters of ASCII.
#[cold]
#[inline(never)]
fn decoded(text: Text<'_>) -> Option<[u8; SessionId::LEN]> {
    let (mut letters, mut chars) = ([0; SessionId::LEN], text.chars());
    for letter in &mut letters {
        *letter = u8::try_from(chars.next()?).ok()?;
    }
    if chars.next().is_some() { None } else { Some(letters) }
}

// The letters of an ID: the lower six bits of each byte, then the upper two of three bytes
// at a time. So eight bytes become letters by a few operations on one word, and letters
// bytes. Base64 in its usual order takes several times as many.
const EACH: u64 = u64::MAX / 0xFF;
const LOW_SIX: u64 = EACH.wrapping_mul(0b11_1111);
/// The upper two bits of bytes 0 to 7, of 8 to 15, of 16 to 23.
const FIRST: u64 = EACH.wrapping_mul(0b00_0011);
const SECOND: u64 = EACH.wrapping_mul(0b00_1100);
const THIRD: u64 = EACH.wrapping_mul(0b11_0000);

#[cfg_attr(target_pointer_width = "64", inline)]
fn words<const N: usize, const W: usize>(bytes: &[u8; N]) -> [u64; W] {
    core::array::from_fn(|at| bytes.as_chunks().0.get(at).map_or(0, |word| u64::from_le_bytes(*word)))
}

#[cfg_attr(target_pointer_width = "64", inline)]
fn bytes<const W: usize, const N: usize>(words: [u64; W]) -> [u8; N] {
    words.map(u64::to_le_bytes).as_flattened().try_into().unwrap_or([0; N])
}

/// The letter of six bits: `-`, digits, upper case, `_`, lower case, as ASCII has them, so
/// that only what ASCII has between them needs to be left out. No table and no branches:
/// a compiler makes sixteen of them at once.
#[inline]
pub(crate) const fn letter(sextet: u8) -> u8 {
    sextet
        .wrapping_add(b'-')
        .wrapping_add(2 & above(sextet, 0))
        .wrapping_add(7 & above(sextet, 10))
        .wrapping_add(4 & above(sextet, 36))
        .wrapping_add(1 & above(sextet, 37))
}

/// The six bits of a letter. Those of what is none have another letter, or are more.
#[inline]
const fn sextet(letter: u8) -> u8 {
    letter
        .wrapping_sub(b'-')
        .wrapping_sub(2 & above(letter, b'-'))
        .wrapping_sub(7 & above(letter, b'9'))
        .wrapping_sub(4 & above(letter, b'Z'))
        .wrapping_sub(1 & above(letter, b'_'))
}

/// All bits, if `byte` is above `least`; both are taken for ASCII.
#[inline]
const fn above(byte: u8, least: u8) -> u8 {
    if byte.cast_signed() > least.cast_signed() { u8::MAX } else { 0 }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_out_and_back() {
        for byte in 0..=255_u8 {
            let mut entropy = [byte; 24];
            entropy[usize::from(byte) % 24] = byte.wrapping_mul(37);
            let id = SessionId::from_entropy(entropy);
            let text = id.expose();
            assert_eq!(text.len(), SessionId::LEN);
            assert!(text.chars().all(crate::wire::is_opaque));
            assert_eq!(SessionId::parse(Text::new(&text)), Some(id));
        }
    }

    #[test]
    fn every_sextet_has_a_letter_of_its_own() {
        let letters: std::string::String = (0..64).map(|sextet| char::from(letter(sextet))).collect();
        assert_eq!(letters, "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
    }

    #[test]
    fn the_letters_are_the_same_on_every_machine() {
        // Stores and links outlive the build that made them.
        let id = SessionId::from_entropy(core::array::from_fn(|at| (at as u8).wrapping_mul(37)));
        assert_eq!(id.expose(), "-_9jJtT2cCmMwW5fFpPzZ8iIFJ_duD2F");
    }

    #[test]
    fn no_other_byte_is_a_letter() {
        let good = SessionId::from_entropy([9; 24]).expose();
        for byte in 0..=127_u8 {
            let other = format!("{}{}{}", &good[..7], char::from(byte), &good[8..]);
            let is_letter = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            assert_eq!(SessionId::parse(Text::new(&other)).is_some(), is_letter, "{byte}");
        }
    }

    #[test]
    fn what_is_no_id_names_no_session() {
        let good = SessionId::from_entropy([9; 24]).expose();
        for bad in ["", "x", &good[1..], &format!("{good}A"), &good.replace('8', "+"), &"é".repeat(16)] {
            assert_eq!(SessionId::parse(Text::new(bad)), None, "{bad}");
        }
    }
}
