//! The domain of e-mail addresses.

use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};

/// Longest domain in bytes, as DNS allows it.
pub const MAX_DOMAIN_LEN: usize = 253;

/// The domain of e-mail addresses in the form in which it is compared: ASCII in lower case,
/// with the labels of an international domain as their A-labels (`xn--…`).
///
/// One domain has many spellings in Unicode (full-width letters, a soft hyphen, another
/// full stop). Mapping them onto A-labels ([UTS 46]) takes tables that are larger than this
/// crate, so it is the host's, with a library such as `idna`. What has not been mapped is
/// refused, so a list of denied domains can't be passed by another spelling (lesson 87).
///
/// ```
/// use matrix_uia::endpoint::threepid::Domain;
/// assert_eq!(Domain::parse("Xn--Bcher-Kva.Example".into())?.as_str(), "xn--bcher-kva.example");
/// assert_eq!(Domain::parse("bücher.example".into()), Err(Domain::not_ascii()));
/// # Ok::<(), matrix_uia::MatrixError>(())
/// ```
///
/// [UTS 46]: https://www.unicode.org/reports/tr46/
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain(heapless::String<MAX_DOMAIN_LEN>);

impl Domain {
    /// The domain that `domain` names.
    ///
    /// # Errors
    ///
    /// [`not_ascii`](Self::not_ascii) if it has to be mapped onto A-labels first; another
    /// 400 `M_INVALID_PARAM` if it is no domain: labels of letters, digits, `-` and `_`,
    /// at most [`MAX_DOMAIN_LEN`] bytes in all.
    pub fn parse(domain: Text<'_>) -> Result<Self, MatrixError> {
        Self::from_chars(domain.chars())
    }

    pub(super) fn from_chars(chars: impl Iterator<Item = char> + Clone) -> Result<Self, MatrixError> {
        if !chars.clone().all(|c| c.is_ascii()) {
            return Err(Self::not_ascii());
        }
        let invalid = MatrixError::new(ErrorCode::InvalidParam, "This is no domain of e-mail addresses.");
        let mut domain = heapless::String::new();
        let mut after_dot = true;
        for c in chars {
            let label = c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if !label && (c != '.' || after_dot) {
                return Err(invalid);
            }
            after_dot = c == '.';
            domain.push(c.to_ascii_lowercase()).map_err(|_| invalid)?;
        }
        if after_dot { Err(invalid) } else { Ok(Self(domain)) }
    }

    /// 400 `M_INVALID_PARAM`: the domain is not ASCII. A host with a library for
    /// international domains maps it and tries again; one without sends this error.
    pub const fn not_ascii() -> MatrixError {
        MatrixError::new(
            ErrorCode::InvalidParam,
            "The domain of the address has to be written in ASCII, with A-labels (xn--).",
        )
    }

    /// The domain.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(domain: &str) -> Result<std::string::String, MatrixError> {
        Domain::parse(domain.into()).map(|domain| domain.as_str().into())
    }

    #[test]
    fn domain_is_labels_of_ascii_in_lower_case() {
        for (given, expected) in [
            ("Example.ORG", "example.org"),
            ("localhost", "localhost"),
            ("mail_server", "mail_server"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(expected));
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a\n", "a/b", "a@b", "[::1]", "a\0", "a\u{7f}"] {
            let refusal = parse(bad).unwrap_err();
            assert_eq!(refusal.code(), ErrorCode::InvalidParam, "{bad:?}");
            assert_ne!(refusal, Domain::not_ascii(), "{bad:?}");
        }
    }

    #[test]
    fn domain_that_has_to_be_mapped_is_told_apart() {
        let soft_hyphen = "den\u{ad}ied.example";
        for other in ["bücher.example", "ｄenied.example", soft_hyphen, "denied。example", "\u{212A}.example"]
        {
            assert_eq!(parse(other), Err(Domain::not_ascii()), "{other}");
        }
    }

    #[test]
    fn longest_domain_is_the_bound() {
        assert!(parse(&"a".repeat(MAX_DOMAIN_LEN)).is_ok());
        assert!(parse(&"a".repeat(MAX_DOMAIN_LEN + 1)).is_err());
    }
}
