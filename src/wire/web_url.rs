//! Links that may be shown, followed and handed to a system: those of the web.

use crate::characters::{is_alphanumeric, is_known, is_white_space};
use crate::text::Text;

const SCHEME: &[u8] = b"https://";

/// A link that leads to a web page: `http` or `https`, and nothing else.
///
/// ```
/// use matrix_uia::pages::WebUrl;
/// assert!(WebUrl::parse("https://example.org/terms?a=1".into()).is_some());
/// assert!(WebUrl::parse("javascript:alert(1)".into()).is_none());
/// assert!(WebUrl::parse("https://exa mple.org/".into()).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebUrl<'a>(Text<'a>);

impl<'a> WebUrl<'a> {
    /// Longest URL that is taken, in bytes.
    pub const MAX_LEN: usize = 2048;

    /// The URL, if it is one of the web: its scheme is `http` or `https`, it names a host,
    /// and it has neither spaces, nor any of the characters that no URL has, nor such as
    /// turn the direction of the text around and so show another host. Without the feature
    /// `unicode` it is ASCII.
    #[must_use]
    pub fn parse(text: Text<'a>) -> Option<Self> {
        let mut read = 0_usize;
        for c in text.chars() {
            // What is read of the scheme is counted; an `s` that is not there counts as read.
            read = match SCHEME.get(read) {
                Some(expected) if c.eq_ignore_ascii_case(&char::from(*expected)) => read,
                Some(b's') if c == ':' => read.saturating_add(1),
                None if read > SCHEME.len() || is_alphanumeric(c) || c == '[' => SCHEME.len(),
                _ => return None,
            }
            .saturating_add(1);
            if !is_legal(c) {
                return None;
            }
        }
        (read > SCHEME.len() && text.len() <= Self::MAX_LEN).then_some(Self(text))
    }

    /// The URL's text.
    #[must_use]
    pub const fn text(&self) -> Text<'a> {
        self.0
    }
}

/// Whether a character may stand in a URL.
fn is_legal(c: char) -> bool {
    is_known(c)
        && !is_white_space(c)
        && !c.is_control()
        && !turns_around(c)
        && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

/// Whether a character overrides the direction of the text behind it, or isolates it.
pub(crate) const fn turns_around(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::characters::ASCII_ONLY;

    #[test]
    fn only_the_web_is_linked_to() {
        for good in ["http://a", "HTTPS://example.org:1/a?x=y#z", "https://[::1]/"] {
            assert!(WebUrl::parse(good.into()).is_some(), "{good}");
        }
        for good in ["HTTPS://example.org:1/ä?x=y#z", "https://ä.example/"] {
            assert_eq!(WebUrl::parse(good.into()).is_some(), !ASCII_ONLY, "{good}");
        }
        let long = std::format!("https://a/{}", "x".repeat(WebUrl::MAX_LEN));
        for bad in [
            "",
            "http",
            "https:",
            "http:/a",
            "http://",
            "https:///a",
            "//a",
            "javascript://a",
            "data:text/html,a",
            " https://a",
            "https://a b",
            "https://a\n",
            "https://a\u{b}",
            "https://a\u{3000}",
            "https://\u{3000}",
            "https://a\"b",
            "https:\\\\a",
            "ftp://a",
            "http:s//a",
            "https://a/\u{202E}moc.knab//:sptth",
            &long,
        ] {
            assert!(WebUrl::parse(bad.into()).is_none(), "{bad}");
        }
    }
}
