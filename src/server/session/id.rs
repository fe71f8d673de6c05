//! The name of a session: 192 bits of the host's entropy, as 32 characters.

use core::fmt;

use crate::Text;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

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
        let mut scratch = [0; Self::LEN];
        let chars: &[u8; Self::LEN] = match text.as_str() {
            Some(plain) => plain.as_bytes().try_into().ok()?,
            None => text.copy_to(&mut scratch).ok()?.as_bytes().try_into().ok()?,
        };
        let mut id = [0; Self::ENTROPY];
        let (quads, _) = chars.as_chunks::<4>();
        let (triples, _) = id.as_chunks_mut::<3>();
        for (quad, triple) in quads.iter().zip(triples) {
            let [a, b, c, d] =
                quad.map(|letter| SEXTETS.get(usize::from(letter)).copied().map_or(0xFF, u32::from));
            if (a | b | c | d) > 63 {
                return None;
            }
            let bits = a.wrapping_shl(18) | b.wrapping_shl(12) | c.wrapping_shl(6) | d;
            let [_, x, y, z] = bits.to_be_bytes();
            *triple = [x, y, z];
        }
        Some(Self(id))
    }

    /// The ID as it stands in a 401 body or a fallback URL.
    #[must_use]
    pub fn expose(&self) -> heapless::String<{ Self::LEN }> {
        let mut chars = [b'A'; Self::LEN];
        let (triples, _) = self.0.as_chunks::<3>();
        let (quads, _) = chars.as_chunks_mut::<4>();
        for ([x, y, z], quad) in triples.iter().zip(quads) {
            let bits = u32::from_be_bytes([0, *x, *y, *z]);
            *quad = [18, 12, 6, 0].map(|shift| letter(bits.wrapping_shr(shift)));
        }
        // Letters are UTF-8, and exactly as many as there is room for.
        heapless::String::from_utf8(heapless::Vec::from_array(chars)).unwrap_or_default()
    }
}

/// The letter of six bits.
pub(crate) const fn letter(sextet: u32) -> u8 {
    match ALPHABET.split_at((sextet & 63) as usize) {
        (_, [letter, ..]) => *letter,
        _ => b'A',
    }
}

/// What each byte stands for as a letter; 64 and above for what is none.
const SEXTETS: [u8; 256] = {
    let mut table = [0xFF; 256];
    let mut rest: &[u8] = ALPHABET;
    let mut value = 0_u8;
    while let [letter, others @ ..] = rest {
        let (_, slots) = table.split_at_mut(*letter as usize);
        if let [slot, ..] = slots {
            *slot = value;
        }
        value = value.wrapping_add(1);
        rest = others;
    }
    table
};

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
    fn what_is_no_id_names_no_session() {
        let good = SessionId::from_entropy([9; 24]).expose();
        for bad in ["", "x", &good[1..], &format!("{good}A"), &good.replace('C', "+"), &"é".repeat(16)] {
            assert_eq!(SessionId::parse(Text::new(bad)), None, "{bad}");
        }
    }
}
