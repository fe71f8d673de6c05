//! What must not be shown: passwords, tokens, client secrets.
//!
//! [`Secret`] borrows from the request and needs no wiping of its own; `SecretBuf`
//! owns its bytes and wipes them when dropped. Neither can be printed, compared or
//! serialised; [`Secret::expose`] is the one way out, and easy to search for.

use core::fmt;

use crate::text::Text;

/// A secret of the request, borrowed from it.
///
/// ```
/// use matrix_uia::Secret;
/// let password = Secret::new("wonderland");
/// assert_eq!(format!("{password:?}"), "Secret([redacted])");
/// assert_eq!(password.expose(), "wonderland");
/// ```
#[derive(Clone, Copy)]
pub struct Secret<'a>(Text<'a>);

impl<'a> Secret<'a> {
    /// Marks `text` as a secret.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(Text::new(text))
    }

    pub(crate) const fn from_text(text: Text<'a>) -> Self {
        Self(text)
    }

    /// The secret itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub const fn expose(&self) -> Text<'a> {
        self.0
    }

    /// A copy that outlives the request and is wiped when dropped.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_owned(&self) -> SecretBuf {
        SecretBuf(self.0.to_exact())
    }
}

impl<'a> From<Text<'a>> for Secret<'a> {
    fn from(text: Text<'a>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// A secret that owns its bytes; they are wiped when it is dropped.
#[cfg(feature = "alloc")]
#[derive(zeroize::ZeroizeOnDrop)]
pub struct SecretBuf(alloc::string::String);

#[cfg(feature = "alloc")]
impl SecretBuf {
    /// The secret itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for SecretBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBuf([redacted])")
    }
}
