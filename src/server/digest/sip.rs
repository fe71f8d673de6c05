//! SipHash-2-4 with 128 bits of output. The function is written out here, since in the
//! image of a microcontroller a general crate takes 800 bytes more, and more instructions
//! for short pieces on any processor. A test compares it with that crate.

use crate::Text;

/// Bytes that are gathered before they are hashed: pieces are short.
const BLOCK: usize = 64;

/// A keyed hash in the making.
#[derive(Clone)]
pub(super) struct Sip {
    state: [u64; 4],
    block: [u8; BLOCK],
    /// How much of the block is filled; never all of it.
    used: usize,
    /// The length of what was written, in its lowest eight bits.
    length: u8,
}

impl Sip {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let key = u128::from_le_bytes(*key);
        let (low, high) = (key as u64, key.wrapping_shr(64) as u64);
        let state = [
            low ^ 0x736f_6d65_7073_6575,
            high ^ 0x646f_7261_6e64_6f6d ^ 0xEE,
            low ^ 0x6c79_6765_6e65_7261,
            high ^ 0x7465_6462_7974_6573,
        ];
        Self { state, block: [0; BLOCK], used: 0, length: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            let fits = BLOCK.wrapping_sub(self.used).min(left.len());
            let end = self.used.wrapping_add(fits);
            let room = self.block.get_mut(self.used..end);
            let (Some(room), Some((now, later))) = (room, left.split_at_checked(fits)) else { return };
            room.copy_from_slice(now);
            self.used = end;
            left = later;
            if self.used >= BLOCK {
                self.absorb(BLOCK);
                self.used = 0;
            }
        }
        let [low, ..] = bytes.len().to_le_bytes();
        self.length = self.length.wrapping_add(low);
    }

    /// Hashes the words that the first `filled` bytes of the block make.
    fn absorb(&mut self, filled: usize) {
        let mut state = self.state;
        let (words, _) = self.block.get(..filled).unwrap_or_default().as_chunks();
        for word in words {
            let word = u64::from_le_bytes(*word);
            state[3] ^= word;
            state = rounds(state, 2);
            state[0] ^= word;
        }
        self.state = state;
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
    fn finish(mut self) -> [u64; 2] {
        // The last word ends with the length, after zeros.
        let end = self.used | 7;
        self.block.get_mut(self.used..end).unwrap_or_default().fill(0);
        if let Some(last) = self.block.get_mut(end) {
            *last = self.length;
        }
        self.absorb(end.wrapping_add(1));
        let mut state = self.state;
        state[2] ^= 0xEE;
        state = rounds(state, 4);
        let first = folded(state);
        state[1] ^= 0xDD;
        state = rounds(state, 4);
        [first, folded(state)]
    }
}

fn rounds(state: [u64; 4], times: u32) -> [u64; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    for _ in 0..times {
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
