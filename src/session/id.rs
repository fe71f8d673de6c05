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
        let mut chars = [0; Self::LEN];
        if text.copy_to(&mut chars).ok()?.len() != Self::LEN {
            return None;
        }
        let mut id = [0; Self::ENTROPY];
        let (quads, _) = chars.as_chunks::<4>();
        let (triples, _) = id.as_chunks_mut::<3>();
        for (quad, triple) in quads.iter().zip(triples) {
            let [a, b, c, d] = quad.map(sextet);
            let bits = a?.wrapping_shl(18) | b?.wrapping_shl(12) | c?.wrapping_shl(6) | d?;
            let [_, x, y, z] = bits.to_be_bytes();
            *triple = [x, y, z];
        }
        Some(Self(id))
    }

    /// The ID as it stands in a 401 body or a fallback URL.
    #[must_use]
    pub fn expose(&self) -> heapless::String<{ Self::LEN }> {
        let mut out = heapless::String::new();
        let (triples, _) = self.0.as_chunks::<3>();
        for [x, y, z] in triples {
            let bits = u32::from_be_bytes([0, *x, *y, *z]);
            for shift in [18, 12, 6, 0] {
                let index = (bits.wrapping_shr(shift) & 63) as usize;
                let letter = ALPHABET.get(index).copied().unwrap_or(b'A');
                // 8 triples of 4 letters are exactly the capacity.
                let _ = out.push(char::from(letter));
            }
        }
        out
    }
}

const fn sextet(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter.wrapping_sub(b'A'),
        b'a'..=b'z' => letter.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => letter.wrapping_sub(b'0').wrapping_add(52),
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value as u32)
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
    fn what_is_no_id_names_no_session() {
        let good = SessionId::from_entropy([9; 24]).expose();
        for bad in ["", "x", &good[1..], &format!("{good}A"), &good.replace('C', "+"), &"é".repeat(16)] {
            assert_eq!(SessionId::parse(Text::new(bad)), None, "{bad}");
        }
    }
}
