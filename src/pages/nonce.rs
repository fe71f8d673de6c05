//! The nonce that a page's own script and style carry.

use core::fmt;

use crate::server::session::letter;

/// A [nonce] of a `Content-Security-Policy`: a script or a style without it is not run.
///
/// A new one for each answer; it can't be anything but letters, digits, `-` and `_`.
///
/// ```
/// use matrix_uia::pages::Nonce;
/// assert_eq!(Nonce::from_entropy([0; 18]).to_string(), "------------------------");
/// ```
///
/// [nonce]: https://www.w3.org/TR/CSP3/#security-nonces
#[derive(Clone, Copy)]
pub struct Nonce([u8; Self::ENTROPY]);

impl Nonce {
    /// Bytes of entropy a nonce is made from.
    pub const ENTROPY: usize = 18;

    /// The nonce made from 18 bytes of the host's cryptographic generator.
    #[must_use]
    pub const fn from_entropy(entropy: [u8; Self::ENTROPY]) -> Self {
        Self(entropy)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (triples, _) = self.0.as_chunks::<3>();
        for [x, y, z] in triples {
            let bits = u32::from_be_bytes([0, *x, *y, *z]);
            for shift in [18, 12, 6, 0] {
                fmt::Write::write_char(f, char::from(letter((bits.wrapping_shr(shift) & 63) as u8)))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce([redacted])")
    }
}
