//! What is known of the characters of addresses, names and links.
//!
//! ```text
//!  with the feature `unicode`   ──► unicode   every character, by Unicode's tables
//!  without it                   ──► ascii     those of ASCII, the same of each; no other
//! ```

#[cfg(any(test, not(feature = "unicode")))]
mod ascii;
#[cfg(any(test, feature = "unicode"))]
mod invisible;
#[cfg(any(test, feature = "unicode"))]
mod unicode;

#[cfg(not(feature = "unicode"))]
pub(crate) use ascii::{is_alphanumeric, is_white_space, lower};
#[cfg(feature = "unicode")]
pub(crate) use unicode::{fold, is_alphanumeric, is_visible, is_white_space, lower};

/// Whether only the characters of ASCII are known.
pub(crate) const ASCII_ONLY: bool = !cfg!(feature = "unicode");

/// Whether anything is known of the character.
pub(crate) const fn is_known(c: char) -> bool {
    !ASCII_ONLY || c.is_ascii()
}
