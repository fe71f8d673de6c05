//! The pages behind the link of a validation message.

use core::fmt;

use super::WebUrl;
use super::frame::Frame;
use super::position::InText;
use super::stage::hidden;
use crate::{Secret, Text};

/// The page that a validation link opens: one button, and nothing changed yet, because
/// mail scanners follow links (rule F5).
///
/// The button posts the three values as a form to the page's own address.
#[derive(Clone, Copy, Debug)]
#[must_use = "a page is to be written"]
pub struct LinkPage<'a> {
    sid: Text<'a>,
    client_secret: Secret<'a>,
    token: Secret<'a>,
    server_name: &'a str,
}

impl<'a> LinkPage<'a> {
    /// The page of a link with these three values, on this server.
    pub const fn new(sid: Text<'a>, client_secret: Text<'a>, token: Text<'a>, server_name: &'a str) -> Self {
        let (client_secret, token) = (Secret::from_text(client_secret), Secret::from_text(token));
        Self { sid, client_secret, token, server_name }
    }

    pub(super) fn write(&self, frame: &mut Frame<'_>) -> fmt::Result {
        write!(
            frame.out,
            "<p>Somebody, you we hope, wants to use this address for an account at \
             <strong>{}</strong>.</p>\n<form method=\"post\" accept-charset=\"utf-8\">\n",
            InText(self.server_name),
        )?;
        hidden(frame, "sid", self.sid)?;
        hidden(frame, "client_secret", self.client_secret.expose())?;
        hidden(frame, "token", self.token.expose())?;
        frame.out.write_str("<button type=\"submit\">Confirm this address</button>\n</form>\n")?;
        frame.note("If it was not you, close this window. Nothing happens then.")
    }
}

/// The address has been confirmed; and where the client wants its user to go next.
pub(super) fn write_linked(frame: &mut Frame<'_>, next: Option<WebUrl<'_>>) -> fmt::Result {
    frame.paragraph("Your address is confirmed. You can close this window and go back to your app.")?;
    match next {
        Some(url) => writeln!(frame.out, "<p><a href=\"{url}\" rel=\"noreferrer\">Continue</a></p>"),
        None => Ok(()),
    }
}
