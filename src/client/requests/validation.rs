//! Having a token sent to an address, so that a stage can prove it. The answer is
//! [`RequestTokenResponse`](crate::endpoint::threepid::RequestTokenResponse).

use core::fmt::{self, Write};

use crate::wire::json::ObjectWriter;
use crate::{Secret, Text};

/// The body of a request to send a token to an [e-mail address].
///
/// [e-mail address]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestEmailToken<'a> {
    /// The application's own secret, made anew for each address: 1 to 255 characters of
    /// `[0-9a-zA-Z.=_-]`. The stage asks for it again.
    pub client_secret: Secret<'a>,
    /// The address.
    pub email: Text<'a>,
    /// What [`TokenRequest::send_attempt`](crate::client::TokenRequest::send_attempt) says.
    pub send_attempt: u32,
    /// Where the page behind the link leads on to.
    pub next_link: Option<Text<'a>>,
}

impl<'a> RequestEmailToken<'a> {
    /// A request without a `next_link`.
    #[must_use]
    pub const fn new(client_secret: Secret<'a>, email: Text<'a>, send_attempt: u32) -> Self {
        Self { client_secret, email, send_attempt, next_link: None }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("client_secret", self.client_secret.expose())?;
        object.text("email", self.email)?;
        object.integer("send_attempt", self.send_attempt.into())?;
        object.text_if("next_link", self.next_link)?;
        object.end()
    }
}

/// The body of a request to send a token to a [phone].
///
/// [phone]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestMsisdnToken<'a> {
    /// The application's own secret, as in [`RequestEmailToken`].
    pub client_secret: Secret<'a>,
    /// The two-letter country the number is dialled from.
    pub country: Text<'a>,
    /// The number.
    pub phone_number: Text<'a>,
    /// What [`TokenRequest::send_attempt`](crate::client::TokenRequest::send_attempt) says.
    pub send_attempt: u32,
    /// Where the page behind the link leads on to.
    pub next_link: Option<Text<'a>>,
}

impl<'a> RequestMsisdnToken<'a> {
    /// A request without a `next_link`.
    #[must_use]
    pub const fn new(
        client_secret: Secret<'a>,
        country: Text<'a>,
        phone_number: Text<'a>,
        send_attempt: u32,
    ) -> Self {
        Self { client_secret, country, phone_number, send_attempt, next_link: None }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("client_secret", self.client_secret.expose())?;
        object.text("country", self.country)?;
        object.text("phone_number", self.phone_number)?;
        object.integer("send_attempt", self.send_attempt.into())?;
        object.text_if("next_link", self.next_link)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn a_request_is_written_as_the_spec_shows_it() {
        let mut body = String::new();
        let mut request = RequestEmailToken::new(Secret::new("monkeys"), "alice@example.org".into(), 1);
        request.next_link = Some("https://example.org/congratulations.html".into());
        request.write(&mut body).unwrap();
        assert_eq!(
            body,
            r#"{"client_secret":"monkeys","email":"alice@example.org","send_attempt":1,"next_link":"https://example.org/congratulations.html"}"#
        );
        body.clear();
        let phone = RequestMsisdnToken::new(Secret::new("monkeys"), "GB".into(), "07700900001".into(), 2);
        phone.write(&mut body).unwrap();
        assert_eq!(
            body,
            r#"{"client_secret":"monkeys","country":"GB","phone_number":"07700900001","send_attempt":2}"#
        );
    }
}
