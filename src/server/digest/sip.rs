//! SipHash-2-4 with 128 bits of output. The function is written out here, since in the
//! image of a microcontroller a general crate takes 800 bytes more, and more instructions
//! for short pieces on any processor. A test compares it with that crate.

use crate::text::Text;

/// A keyed hash in the making.
#[derive(Clone)]
pub(super) struct Sip {
    state: [u64; 4],
    /// The bytes that make no whole word yet, the first of them lowest.
    pending: u64,
    /// The length of what was written, in its lowest eight bits.
    length: u8,
}

impl Sip {
    #[inline]
    pub(super) const fn new(key: &[u8; 16]) -> Self {
        let key = u128::from_le_bytes(*key);
        let (low, high) = (key as u64, key.wrapping_shr(64) as u64);
        let state = [
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d ^ 0xEE,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ];
        Self { state, pending: 0, length: 0 }
    }

    /// The hash in the making once `word` is written, before anything else is.
    #[inline]
    pub(super) const fn new_with_word(key: &[u8; 16], word: u64) -> Self {
        let Self { state, .. } = Self::new(key);
        Self { state: absorbed(state, word), pending: 0, length: 8 }
    }

    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) {
        // The state is kept in registers meanwhile, or every word would wait for a store.
        let Self { mut state, mut pending, mut length } = *self;
        let mut left = bytes;
        while !left.is_empty() {
            let (word, taken, rest) = first_word(left);
            left = rest;
            let filled = u32::from(length & 7).wrapping_mul(8);
            let full = pending | word.wrapping_shl(filled);
            length = length.wrapping_add(taken);
            if filled.wrapping_add(u32::from(taken).wrapping_mul(8)) < u64::BITS {
                pending = full;
            } else {
                state = absorbed(state, full);
                // In two steps: a shift by all 64 bits is none.
                pending = word.wrapping_shr(1).wrapping_shr(63_u32.wrapping_sub(filled));
            }
        }
        *self = Self { state, pending, length };
    }

    /// The decoded text and a byte that UTF-8 never has: no two lists of texts run into
    /// the same bytes.
    #[inline]
    pub(super) fn text(&mut self, text: Text<'_>) {
        for piece in text.pieces() {
            self.write(piece.as_bytes(&mut [0; 4]));
        }
        self.write(&[0xFF]);
    }

    /// The first half of the hash, where 64 bits are enough.
    pub(super) fn finish_half(self) -> u64 {
        let [half, _] = self.finish();
        half
    }

    pub(super) fn finish_whole(self) -> u128 {
        let [low, high] = self.finish().map(u128::from);
        low | high.wrapping_shl(64)
    }

    /// The two halves of the hash.
    #[inline]
    fn finish(self) -> [u64; 2] {
        // The last word ends with the length, after zeros.
        let last = self.pending | u64::from(self.length).wrapping_shl(56);
        let mut state = absorbed(self.state, last);
        state[2] ^= 0xEE;
        state = rounds(state, 4);
        let first = folded(state);
        state[1] ^= 0xDD;
        state = rounds(state, 4);
        [first, folded(state)]
    }
}

/// The first eight bytes of `left` as a word, or all of them if there are fewer; how many
/// those are, and what follows them.
#[inline]
fn first_word(left: &[u8]) -> (u64, u8, &[u8]) {
    if let Some((word, rest)) = left.split_first_chunk() {
        return (u64::from_le_bytes(*word), 8, rest);
    }
    let of =
        |bytes: &[u8]| bytes.iter().rev().fold(0, |word: u64, byte| word.wrapping_shl(8) | u64::from(*byte));
    // Half a word at once, the others one by one.
    let word = match left.split_first_chunk() {
        Some((half, others)) => u64::from(u32::from_le_bytes(*half)) | of(others).wrapping_shl(32),
        None => of(left),
    };
    (word, left.len() as u8, &[])
}

/// The state once a word more is hashed.
#[inline]
const fn absorbed(mut state: [u64; 4], word: u64) -> [u64; 4] {
    state[3] ^= word;
    state = rounds(state, 2);
    state[0] ^= word;
    state
}

const fn rounds(state: [u64; 4], times: u32) -> [u64; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    let mut left = times;
    while left > 0 {
        left = left.wrapping_sub(1);
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32);
        c = c.wrapping_add(b);
        a = a.wrapping_add(d);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
    }
    [a, b, c, d]
}

const fn folded([a, b, c, d]: [u64; 4]) -> u64 {
    a ^ b ^ c ^ d
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;
    use std::vec::Vec;

    use siphasher::sip128::{Hasher128, SipHasher24};

    use super::Sip;

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn the_hashes_are_those_of_the_reference_implementation() {
        // The first and the last of `vectors_sip128` at github.com/veorq/SipHash.
        let hash = |length: u8| {
            let mut sip = Sip::new(&KEY);
            sip.write(&(0..length).collect::<Vec<u8>>());
            sip.finish().map(u64::to_le_bytes).concat()
        };
        let none =
            [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93];
        assert_eq!(hash(0), none);
        let one =
            [0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45];
        assert_eq!(hash(1), one);
    }

    #[test]
    fn any_length_in_any_pieces_gives_the_hash_of_the_crate() {
        let bytes: Vec<u8> = (0..=255).chain(0..=255).collect();
        for length in 0..300 {
            for piece in [1, 3, 8, 63, 64, 65, 300] {
                let (mut ours, mut theirs) = (Sip::new(&KEY), SipHasher24::new_with_key(&KEY));
                for piece in bytes[..length].chunks(piece) {
                    ours.write(piece);
                    theirs.write(piece);
                }
                let theirs = theirs.finish128();
                assert_eq!(ours.finish(), [theirs.h1, theirs.h2], "{length} bytes by {piece}");
            }
        }
    }
}
