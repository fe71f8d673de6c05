//! The bounds and forms that the bodies about validations share.

use crate::characters::ASCII_ONLY;
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::error::{ErrorCode, MatrixError};
use crate::wire::{MAX_FIELD_LEN, WebUrl, is_session_text};

/// Longest `client_secret`, `sid` or token, in characters of
/// `[0-9a-zA-Z.=_-]`; the spec's own bound.
pub const MAX_SECRET_LEN: usize = MAX_FIELD_LEN;
/// Longest `next_link`, in bytes. The spec sets none; it is kept until the link of the
/// message is opened.
pub const MAX_NEXT_LINK_LEN: usize = WebUrl::MAX_LEN;
pub(super) const fn invalid(message: &'static str) -> MatrixError {
    MatrixError::new(ErrorCode::InvalidParam, message)
}

pub(super) const fn missing(message: &'static str) -> MatrixError {
    MatrixError::new(ErrorCode::MissingParam, message)
}

/// Whether `link` is a URL of the web in ASCII: one that goes into a header as it is.
pub(super) fn is_web_link(link: Text<'_>) -> bool {
    WebUrl::parse(link).is_some() && (ASCII_ONLY || link.chars().all(|c| c.is_ascii()))
}

/// Whether a `client_secret` has the form of one.
pub(super) fn check_secret(secret: Secret<'_>) -> Result<(), MatrixError> {
    if is_session_text(secret.expose()) {
        Ok(())
    } else {
        Err(invalid("client_secret is not 1 to 255 characters of [0-9a-zA-Z.=_-]."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_link_is_a_url_of_the_web() {
        for good in ["https://a", "HTTP://a.example:80/b?c=d&e=%20#f", "https://[::1]/", "http://localhost"] {
            assert!(is_web_link(good.into()), "{good}");
        }
        for bad in [
            "",
            "/relative",
            "//host",
            "javascript:alert(1)",
            "javascript://a\nalert(1)",
            "file:///etc/passwd",
            "ftp://a",
            "http:",
            "http://",
            "https:///x",
            "https://?x",
            "https://a b",
            "https://a\r\nSet-Cookie: x",
            "https://a\"><script>",
            "https://é",
            " https://a",
            "data:text/html,x",
            "http:\\\\a",
        ] {
            assert!(!is_web_link(bad.into()), "{bad}");
        }
        let of = |len: usize| format!("https://{}", "a".repeat(len - 8));
        assert!(is_web_link(of(MAX_NEXT_LINK_LEN).as_str().into()));
        assert!(!is_web_link(of(MAX_NEXT_LINK_LEN + 1).as_str().into()));
    }
}
