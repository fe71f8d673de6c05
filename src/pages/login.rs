//! The page that logs in for a client that can't.

use core::fmt;

use super::Form;
use super::frame::Frame;
use super::position::InScript;
use crate::text::Text;

/// The [login fallback] page.
///
/// It asks for a name and a password, sends them to `POST /login`, and calls
/// `window.matrixLogin.onLogin` with the answer. What the client put into the page's query
/// goes along, as far as it is a parameter of `/login` and no credential: a link can't
/// choose who logs in.
///
/// [login fallback]: https://spec.matrix.org/v1.19/client-server-api/#login-fallback
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a page is to be written"]
pub struct LoginPage<'a> {
    device_id: Option<Text<'a>>,
    initial_device_display_name: Option<Text<'a>>,
    refresh_token: bool,
}

impl<'a> LoginPage<'a> {
    /// The page that forwards what is in `query`.
    pub fn forwarding(query: &Form<'a>) -> Self {
        Self {
            device_id: query.get("device_id"),
            initial_device_display_name: query.get("initial_device_display_name"),
            refresh_token: query.get("refresh_token").is_some_and(|value| value == "true"),
        }
    }

    pub(super) fn write(&self, frame: &mut Frame<'_>) -> fmt::Result {
        frame.out.write_str(concat!(
            "<p class=\"problem\" id=\"problem\" role=\"alert\"></p>\n",
            "<p id=\"done\" role=\"status\" hidden>You can close this window and go back to your app.</p>\n",
            "<noscript><p class=\"problem\">This page needs JavaScript.</p></noscript>\n",
            "<form method=\"post\">\n<label>User name\n",
            "<input type=\"text\" name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" autofocus required></label>\n",
            "<label>Password\n",
            "<input type=\"password\" name=\"password\" autocomplete=\"current-password\" required></label>\n",
            "<button type=\"submit\">Sign in</button>\n</form>\n",
            "<script type=\"application/json\" id=\"forwarded\">{",
        ))?;
        let mut comma = "";
        let texts = [
            ("device_id", self.device_id),
            ("initial_device_display_name", self.initial_device_display_name),
        ];
        for (name, text) in texts.iter().filter_map(|(name, text)| Some((name, (*text)?))) {
            write!(frame.out, "{comma}\"{name}\":{}", InScript(text))?;
            comma = ",";
        }
        if self.refresh_token {
            write!(frame.out, "{comma}\"refresh_token\":true")?;
        }
        frame.out.write_str("}</script>\n")?;
        frame.script(include_str!("login.js"))
    }
}
