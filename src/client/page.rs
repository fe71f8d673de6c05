//! What is done on a web page: the fallback, SSO, and OAuth.

use core::fmt::{self, Write};

use super::options::Patience;
use super::state::State;
use crate::secret::Secret;
use crate::text::Text;
use crate::time::Timestamp;
use crate::wire::AuthType;

/// A page to be opened for a stage that the application can't do itself.
///
/// Open it, say so with [`opened`](Self::opened), and go on with
/// [`Client::next`](super::Client::next): the server is asked at intervals, and at once
/// after `Progress::told`.
pub struct Page<'p> {
    pub(super) state: &'p mut State,
    pub(super) patience: &'p Patience,
    pub(super) auth_type: AuthType<'p>,
    /// The page the server named; else it is the fallback.
    pub(super) url: Option<Text<'p>>,
    pub(super) session: Secret<'p>,
}

impl<'p> Page<'p> {
    /// The stage.
    #[must_use]
    pub const fn auth_type(&self) -> AuthType<'p> {
        self.auth_type
    }

    /// Whether it is the [fallback](https://spec.matrix.org/v1.19/client-server-api/#fallback)
    /// page, and not one of the server's account management.
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        self.url.is_none()
    }

    /// Writes the page's address. `homeserver` is the base URL of the client API, with or
    /// without a slash behind it.
    ///
    /// The address has the session in it: show it to the user, keep it out of logs.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write_url(&self, homeserver: &str, out: &mut impl Write) -> fmt::Result {
        if let Some(url) = self.url {
            return url.chars().try_for_each(|c| out.write_char(c));
        }
        out.write_str(homeserver.trim_end_matches('/'))?;
        out.write_str("/_matrix/client/v3/auth/")?;
        percent_encode(self.auth_type.name(), out)?;
        out.write_str("/fallback/web?session=")?;
        percent_encode(self.session.expose(), out)
    }

    /// The page is open: from `now` on the server is asked about it.
    pub fn opened(self, now: Timestamp) {
        self.state.begin_elsewhere(self.auth_type, now, self.patience.poll_wait(0));
    }
}

impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state: _, patience: _, auth_type, url: _, session: _ } = self;
        f.debug_struct("Page").field("auth_type", auth_type).finish_non_exhaustive()
    }
}

/// Everything but the unreserved characters of RFC 3986, so that it can stand in a path
/// as well as in a query.
fn percent_encode(text: Text<'_>, out: &mut impl Write) -> fmt::Result {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') {
            out.write_char(c)?;
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            out.write_char('%')?;
            out.write_char(digit(byte.wrapping_shr(4)))?;
            out.write_char(digit(byte & 0xF))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn an_address_is_encoded_for_where_it_stands() {
        let mut out = String::new();
        percent_encode(Text::new("a-Z.0_~/?#&=+ %é\u{1F600}\"<"), &mut out).unwrap();
        assert_eq!(out, "a-Z.0_~%2F%3F%23%26%3D%2B%20%25%C3%A9%F0%9F%98%80%22%3C");
    }
}
