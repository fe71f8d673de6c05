//! Who a client says it is: the [identifier types], and the older ways of saying it.
//!
//! [identifier types]: https://spec.matrix.org/v1.19/client-server-api/#identifier-types

use core::fmt::{self, Write};

use super::ParseError;
use super::json::{ObjectWriter, Reader};
use crate::Text;

/// How a user is named in an auth dict or at login.
///
/// ```
/// use matrix_uia::wire::{Localpart, UserIdentifier};
/// let alice = UserIdentifier::User("@alice:example.org".into());
/// assert!(matches!(alice.localpart("example.org"), Localpart::Here(name) if name == "alice"));
/// assert!(matches!(alice.localpart("example.com"), Localpart::Elsewhere));
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
pub enum Localpart<'a> {
    /// On this server, under this localpart. It may have any characters: look it up,
    /// don't trust it.
    Here(Text<'a>),
    /// On another server: a failed stage here, by rule U20, and not an error.
    Elsewhere,
    /// The identifier is a 3PID or a phone number: look the address up.
    NotAUser,
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
    pub fn localpart(&self, server_name: &str) -> Localpart<'a> {
        let Self::User(user) = self else { return Localpart::NotAUser };
        let Some(plain) = user.as_str() else {
            // No valid user ID needs an escape; one that has it is compared as it is.
            return if user.chars().next() == Some('@') {
                Localpart::Elsewhere
            } else {
                Localpart::Here(*user)
            };
        };
        let Some(full) = plain.strip_prefix('@') else { return Localpart::Here(*user) };
        match full.split_once(':') {
            Some((localpart, server)) if server == server_name => Localpart::Here(Text::new(localpart)),
            _ => Localpart::Elsewhere,
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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Field<'a> {
    #[default]
    Absent,
    WrongType,
    Text(Text<'a>),
}

impl<'a> Field<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        match reader.peek() {
            Some(b'"') => reader.text().map(Self::Text),
            Some(b'n') => reader.null().map(|_| Self::Absent),
            _ => reader.skip().map(|()| Self::WrongType),
        }
    }

    pub(crate) fn required(self, key: &'static str) -> Result<Text<'a>, IdentifierError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Absent => Err(IdentifierError::Missing(key)),
            Self::WrongType => Err(IdentifierError::Invalid(key)),
        }
    }

    const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// The keys of every form of identifier, collected before any is chosen.
#[derive(Clone, Copy, Default)]
pub(crate) struct IdentifierFields<'a> {
    kind: Field<'a>,
    user: Field<'a>,
    medium: Field<'a>,
    address: Field<'a>,
    country: Field<'a>,
    phone: Field<'a>,
    number: Field<'a>,
}

impl<'a> IdentifierFields<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
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
    pub(crate) fn slot(&mut self, key: &str) -> Option<&mut Field<'a>> {
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

    /// The identifier that the `identifier` object names.
    pub(crate) fn identifier(self) -> Result<UserIdentifier<'a>, IdentifierError> {
        let kind = self.kind.required("identifier.type")?;
        if kind == "m.id.user" {
            Ok(UserIdentifier::User(self.user.required("identifier.user")?))
        } else if kind == "m.id.thirdparty" {
            Ok(UserIdentifier::Thirdparty {
                medium: self.medium.required("identifier.medium")?,
                address: self.address.required("identifier.address")?,
            })
        } else if kind == "m.id.phone" {
            // Clients before r0.4 wrote `number`.
            let phone = if self.phone.is_absent() { self.number } else { self.phone };
            Ok(UserIdentifier::Phone {
                country: self.country.required("identifier.country")?,
                phone: phone.required("identifier.phone")?,
            })
        } else {
            Err(IdentifierError::Invalid("identifier.type"))
        }
    }

    /// The identifier that the older keys beside `type` name.
    pub(crate) fn legacy(self) -> Result<UserIdentifier<'a>, IdentifierError> {
        if !self.user.is_absent() {
            return Ok(UserIdentifier::User(self.user.required("user")?));
        }
        if self.medium.is_absent() && self.address.is_absent() {
            return Err(IdentifierError::Missing("identifier"));
        }
        Ok(UserIdentifier::Thirdparty {
            medium: self.medium.required("medium")?,
            address: self.address.required("address")?,
        })
    }
}
