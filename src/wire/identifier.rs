//! Who a client says it is: the [identifier types], and the older ways of saying it.
//!
//! [identifier types]: https://spec.matrix.org/v1.19/client-server-api/#identifier-types

use core::fmt::{self, Write};

use super::json::{ObjectWriter, Span};
use super::malformed::{MAX_FIELD_LEN, Malformed, is_within, required};
use crate::text::Text;

/// Length of the country that a phone number is dialled from, in bytes.
const MAX_COUNTRY_LEN: usize = 2;

/// How a user is named in an auth dict or at login.
///
/// ```
/// use matrix_uia::wire::{Locality, UserIdentifier};
/// let alice = UserIdentifier::User("@alice:example.org".into());
/// assert!(matches!(alice.localpart("example.org"), Locality::Local(name) if name == "alice"));
/// assert!(matches!(alice.localpart("example.com"), Locality::Remote));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserIdentifier<'a> {
    /// `m.id.user`: a full user ID or its localpart.
    User(Text<'a>),
    /// `m.id.thirdparty`: a 3PID bound to the account, in canonical form.
    Thirdparty {
        /// `email` or `msisdn`, or a medium of somebody's own.
        medium: Text<'a>,
        /// The address in that medium.
        address: Text<'a>,
    },
    /// `m.id.phone`: a phone number as the user typed it.
    Phone {
        /// The two-letter country the number is dialled from.
        country: Text<'a>,
        /// The number.
        phone: Text<'a>,
    },
}

/// Where a [`UserIdentifier::User`] lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Locality<'a> {
    /// On this server, under this localpart. It may have any characters: look it up,
    /// don't trust it.
    Local(Text<'a>),
    /// On another server: a failed stage here, by rule U20, and not an error.
    Remote,
    /// The identifier is a 3PID or a phone number: look the address up.
    NotUserId,
}

impl<'a> UserIdentifier<'a> {
    /// The localpart on the server `server_name`.
    #[must_use]
    pub fn localpart(&self, server_name: &str) -> Locality<'a> {
        let Self::User(user) = self else { return Locality::NotUserId };
        let full = match user.split_once('@') {
            Some((before, full)) if before.is_empty() => full,
            _ => return Locality::Local(*user),
        };
        match full.split_once(':') {
            Some((localpart, server)) if server == *server_name => Locality::Local(localpart),
            _ => Locality::Remote,
        }
    }

    /// Writes the identifier as the JSON object of today's spec.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        match self {
            Self::User(user) => {
                object.text("type", Text::new("m.id.user"))?;
                object.text("user", *user)?;
            }
            Self::Thirdparty { medium, address } => {
                object.text("type", Text::new("m.id.thirdparty"))?;
                object.text("medium", *medium)?;
                object.text("address", *address)?;
            }
            Self::Phone { country, phone } => {
                object.text("type", Text::new("m.id.phone"))?;
                object.text("country", *country)?;
                object.text("phone", *phone)?;
            }
        }
        object.end()
    }
}

/// Where the values stand that name a user, of every form of identifier: all are collected
/// before any is chosen.
#[derive(Clone, Copy)]
pub(crate) struct IdentifierSpans<'s>(&'s [Span; 6]);

impl<'s> IdentifierSpans<'s> {
    /// Those of `user`, `medium`, `address`, `country`, `phone` and `number`.
    pub(crate) const fn of(spans: &'s [Span; 6]) -> Self {
        Self(spans)
    }

    /// What was read as `key`, if an identifier has such a key.
    pub(crate) fn named(self, key: &str) -> Option<Span> {
        let [user, medium, address, country, ..] = *self.0;
        Some(match key {
            "user" => user,
            "medium" => medium,
            "address" => address,
            "country" => country,
            "phone" => self.phone_or_number(),
            _ => return None,
        })
    }

    /// Clients before r0.4 wrote `number`.
    const fn phone_or_number(self) -> Span {
        let [.., phone, number] = *self.0;
        if phone.is_absent() { number } else { phone }
    }

    /// The identifier that these keys of an `identifier` object name, of that `kind`.
    pub(crate) fn identifier<'a>(self, kind: Span, body: &'a str) -> Result<UserIdentifier<'a>, Malformed> {
        let [user, _, address, ..] = *self.0;
        // The spec's own example of a login by address leaves the type out.
        if kind.is_absent() && !(user.is_absent() && address.is_absent()) {
            return self.legacy(body);
        }
        let kind = required(kind, "identifier.type", body)?;
        if kind == "m.id.user" {
            self.user("identifier.user", body)
        } else if kind == "m.id.thirdparty" {
            self.thirdparty("identifier.medium", "identifier.address", body)
        } else if kind == "m.id.phone" {
            let [.., country, _, _] = *self.0;
            Ok(UserIdentifier::Phone {
                country: part(country, "identifier.country", MAX_COUNTRY_LEN, body)?,
                phone: part(self.phone_or_number(), "identifier.phone", MAX_FIELD_LEN, body)?,
            })
        } else {
            Err(Malformed::Invalid("identifier.type"))
        }
    }

    /// The identifier that the older keys name, which stand beside `type`.
    pub(crate) fn legacy<'a>(self, body: &'a str) -> Result<UserIdentifier<'a>, Malformed> {
        let [user, medium, address, ..] = *self.0;
        if !user.is_absent() {
            self.user("user", body)
        } else if medium.is_absent() && address.is_absent() {
            Err(Malformed::Missing("identifier"))
        } else {
            self.thirdparty("medium", "address", body)
        }
    }

    #[inline]
    fn user<'a>(self, key: &'static str, body: &'a str) -> Result<UserIdentifier<'a>, Malformed> {
        let [user, ..] = *self.0;
        part(user, key, MAX_FIELD_LEN, body).map(UserIdentifier::User)
    }

    fn thirdparty<'a>(
        self,
        medium_key: &'static str,
        address_key: &'static str,
        body: &'a str,
    ) -> Result<UserIdentifier<'a>, Malformed> {
        let [_, medium, address, ..] = *self.0;
        Ok(UserIdentifier::Thirdparty {
            medium: part(medium, medium_key, MAX_FIELD_LEN, body)?,
            address: part(address, address_key, MAX_FIELD_LEN, body)?,
        })
    }
}

/// One part of an identifier, not empty and of at most `max` bytes.
fn part<'a>(span: Span, key: &'static str, max: usize, body: &'a str) -> Result<Text<'a>, Malformed> {
    let text = required(span, key, body)?;
    if is_within(text, max) { Ok(text) } else { Err(Malformed::Invalid("identifier")) }
}

/// Whether the parts of an identifier are neither empty nor too long, wherever it comes from.
pub(crate) fn bounded_identifier(identifier: &UserIdentifier<'_>) -> Result<(), Malformed> {
    let fits = match identifier {
        UserIdentifier::User(user) => is_within(*user, MAX_FIELD_LEN),
        UserIdentifier::Thirdparty { medium, address } => {
            is_within(*medium, MAX_FIELD_LEN) && is_within(*address, MAX_FIELD_LEN)
        }
        UserIdentifier::Phone { country, phone } => {
            is_within(*country, MAX_COUNTRY_LEN) && is_within(*phone, MAX_FIELD_LEN)
        }
    };
    if fits { Ok(()) } else { Err(Malformed::Invalid("identifier")) }
}
