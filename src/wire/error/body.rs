//! What was answered: an error as it came.

use core::fmt::{self, Write};

use super::{AnyCode, ErrorCode};
use crate::text::Text;
use crate::time::Millis;
use crate::wire::ParseError;
use crate::wire::json::{self, Raw, Span, Table, table};

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

/// Where the keys below stand.
type Slots = [Span; 9];

/// What is not what it should be counts as absent, whatever the key.
static KEYS: Table = table![0;
    "errcode": Any,
    "error": Any,
    "soft_logout": Any,
    "retry_after_ms": Any,
    "admin_contact": Any,
    "info_uri": Any,
    "can_upgrade": Any,
    "room_version": Any,
    "current_version": Any,
];

impl<'a> ErrorBody<'a> {
    /// Reads an error body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if it is no JSON object by the rules of [`wire`](crate::wire).
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let mut slots = Slots::default();
        let text = json::walk(body, &KEYS, &mut slots)?;
        Ok(Self::from_slots(slots, text, Raw::spaced(text)))
    }

    /// The error keys of an object that has been read as something else before.
    pub(crate) fn of(object: Raw<'a>) -> Option<Self> {
        let mut slots = Slots::default();
        object.reader().walk(&KEYS, &mut slots).ok()?;
        Some(Self::from_slots(slots, object.as_str(), object))
    }

    fn from_slots(slots: Slots, text: &'a str, whole: Raw<'a>) -> Self {
        let [code, message, soft_logout, retry_after, contact, info_uri, can_upgrade, room, current] = slots;
        Self {
            code: code.text(text).map(AnyCode::from),
            message: message.text(text),
            soft_logout: soft_logout.flag(text),
            retry_after: retry_after.written(text).and_then(millis),
            admin_contact: contact.text(text),
            info_uri: info_uri.text(text),
            can_upgrade: can_upgrade.flag(text),
            room_version: room.text(text),
            current_version: current.text(text),
            whole,
        }
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

/// The keys of an error body that a client's next step hangs on, read as [`ErrorBody`] reads
/// them: all the others take half a kilobyte of a microcontroller's flash.
#[derive(Clone, Copy, Default)]
pub(crate) struct ErrorHead<'a> {
    /// `errcode` as it came, and what it is.
    pub(crate) name: Option<Text<'a>>,
    pub(crate) code: Option<AnyCode<'a>>,
    pub(crate) message: Option<Text<'a>>,
    pub(crate) soft_logout: bool,
    pub(crate) retry_after: Option<Millis>,
}

impl<'a> ErrorHead<'a> {
    /// `None` for what [`ErrorBody::parse`] refuses.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        static KEYS: Table =
            table![0; "errcode": Any, "error": Any, "soft_logout": Any, "retry_after_ms": Any];
        let mut slots = [Span::NONE; 4];
        let text = json::walk(body, &KEYS, &mut slots).ok()?;
        let [code, message, soft_logout, retry_after] = slots;
        let name = code.text(text);
        Some(Self {
            name,
            code: name.map(AnyCode::from),
            message: message.text(text),
            soft_logout: soft_logout.flag(text) == Some(true),
            retry_after: retry_after.written(text).and_then(millis),
        })
    }
}

/// A number of milliseconds, whole or not, or a string of one. Negative or absurd
/// ones count as absent: waiting for ever is not what the server meant.
fn millis(digits: &str) -> Option<Millis> {
    let (mut whole, mut bytes) = (None, digits.bytes());
    for byte in bytes.by_ref().take_while(|byte| *byte != b'.') {
        let digit = char::from(byte).to_digit(10)?;
        whole = Some(whole.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit))?);
    }
    // With an exponent the whole part says nothing of how long it is.
    if bytes.all(|byte| byte.is_ascii_digit()) { whole.map(Millis::new) } else { None }
}
