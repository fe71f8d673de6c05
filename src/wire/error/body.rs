//! What was answered: an error as it came.

use core::fmt::{self, Write};

use super::{AnyCode, ErrorCode};
use crate::wire::ParseError;
use crate::wire::json::{self, Raw, Reader};
use crate::{Millis, Text};

/// A standard error body as it came, read tolerantly.
///
/// Deployed servers send errors without `error`, with a `retry_after_ms` that is a
/// string, or without the keys a code must have; the code survives all of that. Unknown
/// keys are kept as they stand in the body.
///
/// ```
/// use matrix_uia::wire::error::{AnyCode, ErrorBody, ErrorCode};
/// let body = br#"{"errcode":"M_UNKNOWN_TOKEN","soft_logout":true}"#;
/// let error = ErrorBody::parse(body).unwrap();
/// assert_eq!(error.code, Some(AnyCode::Known(ErrorCode::UnknownToken)));
/// assert_eq!(error.soft_logout, Some(true));
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ErrorBody<'a> {
    /// `errcode`, if it is a string.
    pub code: Option<AnyCode<'a>>,
    /// `error`, if it is a string.
    pub message: Option<Text<'a>>,
    /// [`soft_logout`](https://spec.matrix.org/v1.19/client-server-api/#soft-logout).
    pub soft_logout: Option<bool>,
    /// `retry_after_ms`, if it is a number of milliseconds that makes sense.
    pub retry_after: Option<Millis>,
    /// `admin_contact` of `M_RESOURCE_LIMIT_EXCEEDED`.
    pub admin_contact: Option<Text<'a>>,
    /// `info_uri` of `M_USER_LIMIT_EXCEEDED`.
    pub info_uri: Option<Text<'a>>,
    /// `can_upgrade` of `M_USER_LIMIT_EXCEEDED`.
    pub can_upgrade: Option<bool>,
    /// `room_version` of `M_INCOMPATIBLE_ROOM_VERSION`.
    pub room_version: Option<Text<'a>>,
    /// `current_version` of `M_WRONG_ROOM_KEYS_VERSION`.
    pub current_version: Option<Text<'a>>,
    /// The whole body, for the keys nobody here knows.
    pub whole: Raw<'a>,
}

impl<'a> ErrorBody<'a> {
    /// Reads an error body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if it is no JSON object by the rules of [`wire`](crate::wire).
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        json::read(body, Self::read)
    }

    /// The error keys of an object that has been read as something else before.
    pub(crate) fn of(object: Raw<'a>) -> Option<Self> {
        Self::read(&mut object.reader()).ok()
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        let mut code = None;
        let mut message = None;
        let mut soft_logout = None;
        let mut retry_after = None;
        let mut admin_contact = None;
        let mut info_uri = None;
        let mut can_upgrade = None;
        let mut room_version = None;
        let mut current_version = None;
        let mark = reader.mark();
        reader.fields(|reader, key| {
            match key {
                "errcode" => code = lenient_text(reader)?.map(AnyCode::from),
                "error" => message = lenient_text(reader)?,
                "soft_logout" => soft_logout = lenient_boolean(reader)?,
                "can_upgrade" => can_upgrade = lenient_boolean(reader)?,
                "admin_contact" => admin_contact = lenient_text(reader)?,
                "info_uri" => info_uri = lenient_text(reader)?,
                "room_version" => room_version = lenient_text(reader)?,
                "current_version" => current_version = lenient_text(reader)?,
                "retry_after_ms" => retry_after = lenient_millis(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        let whole = reader.since(mark);
        Ok(Self {
            code,
            message,
            soft_logout,
            retry_after,
            admin_contact,
            info_uri,
            can_upgrade,
            room_version,
            current_version,
            whole,
        })
    }

    /// Writes the body again: `errcode` and `error` always, every other key as it came.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let code = self.code.unwrap_or(AnyCode::Known(ErrorCode::Unknown));
        out.write_str("{\"errcode\":")?;
        json::write_text(out, code.name())?;
        out.write_str(",\"error\":")?;
        json::write_text(out, self.message.unwrap_or(Text::new("")))?;
        json::write_others(out, self.whole, &["errcode", "error"])?;
        out.write_char('}')
    }
}

fn lenient_text<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, ParseError> {
    if reader.peek() == Some(b'"') { reader.text().map(Some) } else { reader.skip().map(|()| None) }
}

fn lenient_boolean(reader: &mut Reader<'_>) -> Result<Option<bool>, ParseError> {
    if matches!(reader.peek(), Some(b't' | b'f')) {
        reader.boolean().map(Some)
    } else {
        reader.skip().map(|()| None)
    }
}

/// A number of milliseconds, whole or not, or a string of one. Negative or absurd
/// ones count as absent: waiting for ever is not what the server meant.
fn lenient_millis(reader: &mut Reader<'_>) -> Result<Option<Millis>, ParseError> {
    let raw = reader.raw()?;
    let digits = raw.as_str().trim_matches('"');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // With an exponent the whole part says nothing of how long it is.
    let plain = [whole, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(if plain { whole.parse().ok().map(Millis::new) } else { None })
}
