//! The answers to what a client may ask before it registers.

use core::fmt::{self, Write};

use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The answer to [`GET /register/available`]. For a name that isn't free a server sends the
/// error of [`Localpart::available`](super::Localpart::available) instead.
///
/// [`GET /register/available`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AvailabilityResponse {
    /// Whether the name is free.
    pub available: bool,
}

impl AvailabilityResponse {
    /// The answer.
    #[must_use]
    pub const fn new(available: bool) -> Self {
        Self { available }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also without
    /// `available`.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "available": Flag];
        parse(body, &KEYS).map(Self::new)
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        write(out, "available", self.available)
    }
}

/// The answer about the [`validity`] of a registration token.
///
/// Only whether a use is left now: another registration may take it before this one
/// does.
///
/// [`validity`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenValidityResponse {
    /// Whether the token is known, and a use of it left.
    pub valid: bool,
}

impl TokenValidityResponse {
    /// The answer.
    #[must_use]
    pub const fn new(valid: bool) -> Self {
        Self { valid }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; [`ParseError::WrongType`] also without
    /// `valid`.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "valid": Flag];
        parse(body, &KEYS).map(Self::new)
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        write(out, "valid", self.valid)
    }
}

fn parse(body: &[u8], keys: &Table) -> Result<bool, ParseError> {
    let mut slots = [Span::NONE; 1];
    let text = json::walk(body, keys, &mut slots)?;
    let [value] = slots;
    value.flag(text).ok_or(ParseError::WrongType)
}

fn write(out: &mut impl Write, name: &str, value: bool) -> fmt::Result {
    let mut object = ObjectWriter::begin(out)?;
    object.boolean(name, value)?;
    object.end()
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_client_reads_what_the_server_writes() {
        for value in [true, false] {
            let mut body = String::new();
            AvailabilityResponse::new(value).write(&mut body).unwrap();
            assert_eq!(AvailabilityResponse::parse(body.as_bytes()).unwrap().available, value);
            assert!(TokenValidityResponse::parse(body.as_bytes()).is_err(), "the key is another");
            body.clear();
            TokenValidityResponse::new(value).write(&mut body).unwrap();
            assert_eq!(TokenValidityResponse::parse(body.as_bytes()).unwrap().valid, value);
        }
    }
}
