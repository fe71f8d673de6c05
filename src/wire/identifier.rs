//! Who a client says it is: the [identifier types], and the older ways of saying it.
//!
//! [identifier types]: https://spec.matrix.org/v1.19/client-server-api/#identifier-types

use core::fmt::{self, Write};

use super::ParseError;
use super::json::{ObjectWriter, Reader, Span};
use crate::Text;

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

/// What is wrong with an identifier. The key is named, the value never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentifierError {
    Missing(&'static str),
    Invalid(&'static str),
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

/// A key whose value may have any type: what is wrong with it matters only once the
/// stage's type is known, which may stand behind it.
///
/// Many are collected and few used, so it is kept to one machine word.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Field(Span);

impl Field {
    const ABSENT: Self = Self(Span::NONE);
    const WRONG_TYPE: Self = Self(Span::OTHER);

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        match reader.peek() {
            Some(b'"') => reader.span().map(Self),
            Some(b'n') => reader.null().map(|_| Self::ABSENT),
            _ => reader.skip().map(|()| Self::WRONG_TYPE),
        }
    }

    pub(crate) fn required<'a>(
        self,
        key: &'static str,
        reader: &Reader<'a>,
    ) -> Result<Text<'a>, IdentifierError> {
        if self.has_wrong_type() {
            return Err(IdentifierError::Invalid(key));
        }
        if self.is_absent() {
            return Err(IdentifierError::Missing(key));
        }
        Ok(reader.at_span(self.0))
    }

    /// A string or nothing: [`ParseError::WrongType`] for anything else.
    #[inline]
    pub(crate) fn string(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        match reader.peek() {
            Some(b'n') => reader.null().map(|_| Self::ABSENT),
            _ => reader.span().map(Self),
        }
    }

    /// The text of what [`string`](Self::string) read.
    pub(crate) fn text<'a>(self, reader: &Reader<'a>) -> Option<Text<'a>> {
        (!self.is_absent()).then(|| reader.at_span(self.0))
    }

    /// The text of what [`read`](Self::read) read, if it was one.
    pub(crate) fn string_or_none<'a>(self, reader: &Reader<'a>) -> Option<Text<'a>> {
        if self.has_wrong_type() { None } else { self.text(reader) }
    }

    pub(crate) fn is_absent(self) -> bool {
        self == Self::ABSENT
    }

    /// Whether [`read`](Self::read) found something else than a string.
    pub(crate) fn has_wrong_type(self) -> bool {
        self == Self::WRONG_TYPE
    }
}

/// The keys of every form of identifier, collected before any is chosen.
#[derive(Clone, Copy, Default)]
pub(crate) struct IdentifierFields {
    kind: Field,
    user: Field,
    medium: Field,
    address: Field,
    country: Field,
    phone: Field,
    number: Field,
}

impl IdentifierFields {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let mut fields = Self::default();
        reader.fields(|reader, key| {
            let slot = if key == "type" { Some(&mut fields.kind) } else { fields.slot(key) };
            match slot {
                Some(slot) => *slot = Field::read(reader)?,
                None => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(fields)
    }

    /// The place for a key that may stand beside an auth dict's own keys, as clients
    /// older than `identifier` write them.
    pub(crate) fn slot(&mut self, key: &str) -> Option<&mut Field> {
        Some(match key {
            "user" => &mut self.user,
            "medium" => &mut self.medium,
            "address" => &mut self.address,
            "country" => &mut self.country,
            "phone" => &mut self.phone,
            "number" => &mut self.number,
            _ => return None,
        })
    }

    /// What was read as `key`, if an identifier has such a key.
    pub(crate) fn named(mut self, key: &str) -> Option<Field> {
        match key {
            "type" => Some(self.kind),
            "phone" => Some(self.phone_or_number()),
            _ => self.slot(key).copied(),
        }
    }

    /// Clients before r0.4 wrote `number`.
    fn phone_or_number(self) -> Field {
        if self.phone.is_absent() { self.number } else { self.phone }
    }

    /// The identifier that the `identifier` object names.
    pub(crate) fn identifier<'a>(self, reader: &Reader<'a>) -> Result<UserIdentifier<'a>, IdentifierError> {
        // The spec's own example of a login by address leaves the type out.
        if self.kind.is_absent() && !(self.user.is_absent() && self.address.is_absent()) {
            return self.legacy(reader);
        }
        let kind = self.kind.required("identifier.type", reader)?;
        if kind == "m.id.user" {
            Ok(UserIdentifier::User(self.user.required("identifier.user", reader)?))
        } else if kind == "m.id.thirdparty" {
            Ok(UserIdentifier::Thirdparty {
                medium: self.medium.required("identifier.medium", reader)?,
                address: self.address.required("identifier.address", reader)?,
            })
        } else if kind == "m.id.phone" {
            Ok(UserIdentifier::Phone {
                country: self.country.required("identifier.country", reader)?,
                phone: self.phone_or_number().required("identifier.phone", reader)?,
            })
        } else {
            Err(IdentifierError::Invalid("identifier.type"))
        }
    }

    /// The identifier that the older keys beside `type` name.
    pub(crate) fn legacy<'a>(self, reader: &Reader<'a>) -> Result<UserIdentifier<'a>, IdentifierError> {
        if !self.user.is_absent() {
            return Ok(UserIdentifier::User(self.user.required("user", reader)?));
        }
        if self.medium.is_absent() && self.address.is_absent() {
            return Err(IdentifierError::Missing("identifier"));
        }
        Ok(UserIdentifier::Thirdparty {
            medium: self.medium.required("medium", reader)?,
            address: self.address.required("address", reader)?,
        })
    }
}
