//! The pages behind the link of a validation message.

use core::fmt;

use super::WebUrl;
use super::frame::Frame;
use super::header::Needs;
use super::position::{InLink, InText};
use super::stage::hidden;
use crate::endpoint::threepid::{Authorised, SubmitTokenRequest};
use crate::secret::Secret;
use crate::text::Text;

/// The page that a validation link opens: what is about to be confirmed, everything that it
/// can authorise (rule U23), one button, and nothing changed yet, because mail scanners
/// follow links (rule F5).
///
/// The button posts the three values as a form to the page's own address.
#[derive(Clone, Copy, Debug)]
#[must_use = "a page is to be written"]
pub struct LinkPage<'a> {
    sid: Text<'a>,
    client_secret: Secret<'a>,
    token: Secret<'a>,
    address: &'a str,
    authorised: Authorised<'a>,
    leads_on: bool,
}

impl<'a> LinkPage<'a> {
    /// The page of a link with these three values, for a validation of this address.
    ///
    /// `authorised` is [`Validation::authorises`] of that validation.
    ///
    /// [`Validation::authorises`]: crate::endpoint::threepid::Validation::authorises
    pub const fn new(
        submitted: &SubmitTokenRequest<'a>,
        address: &'a str,
        authorised: Authorised<'a>,
    ) -> Self {
        let SubmitTokenRequest { sid, client_secret, token, .. } = *submitted;
        Self { sid, client_secret, token, address, authorised, leads_on: false }
    }

    /// The button's answer sends the browser on to the client's `next_link`, which the
    /// page's policy has to allow.
    pub const fn leading_on(mut self, leads_on: bool) -> Self {
        self.leads_on = leads_on;
        self
    }

    pub(super) const fn needs(&self) -> Needs {
        if self.leads_on { Needs::FormThatLeads } else { Needs::Form }
    }

    pub(super) fn write(&self, frame: &mut Frame<'_>) -> fmt::Result {
        writeln!(
            frame.out,
            "<p>Somebody who says that <strong>{}</strong> is theirs has asked for this message.</p>\n\
             <p>If you confirm, they can:</p>\n<ul>",
            InText(self.address),
        )?;
        for description in self.authorised.descriptions() {
            writeln!(frame.out, "<li>{}</li>", InText(description))?;
        }
        frame.out.write_str("</ul>\n<form method=\"post\" accept-charset=\"utf-8\">\n")?;
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
        Some(url) => {
            writeln!(frame.out, "<p><a href=\"{}\" rel=\"noreferrer\">Continue</a></p>", InLink(url))
        }
        None => Ok(()),
    }
}
