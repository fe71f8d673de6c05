//! Every Matrix error code, its status, and the standard error body.
//!
//! ```text
//!  a rule was broken ─► Reject (code, status, keys) ─► Reject::write ─► body, Retry-After
//!  an answer came    ─► ErrorBody::parse            ─► code, keys: whatever survives
//! ```
//!
//! This is the one place that knows codes and statuses; the rest of the crate names
//! them. Reading is tolerant (the code survives whatever else is wrong with the body),
//! writing is strict. See [standard error response].
//!
//! [standard error response]: https://spec.matrix.org/v1.19/client-server-api/#standard-error-response

use core::fmt::{self, Write};

use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Raw, Reader};
use crate::{Millis, Text};

/// The one table: a code's variant, its name, and the status it comes with.
macro_rules! error_codes {
    ($($status:literal: $($variant:ident $name:literal,)+)+) => {
        /// An error code of the Client-Server, Application Service or Identity Service
        /// API, or one that deployed servers are known to send.
        ///
        /// ```
        /// use matrix_uia::error::ErrorCode;
        /// assert_eq!(ErrorCode::Forbidden.name(), "M_FORBIDDEN");
        /// assert_eq!(ErrorCode::Forbidden.status(), 403);
        /// assert_eq!(ErrorCode::from_name("M_USER_LOCKED"), Some(ErrorCode::UserLocked));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "each variant is its name on the wire, which the spec describes")]
        pub enum ErrorCode {
            $($($variant,)+)+
        }

        impl ErrorCode {
            /// Every known code.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            /// The code on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$variant => $name,)+)+ }
            }

            /// The HTTP status the code comes with where no endpoint says otherwise.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $($(Self::$variant => $status,)+)+ }
            }

            /// The code of that name, if it is a known one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($($name => Some(Self::$variant),)+)+
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    400:
    AppserviceLoginUnsupported "M_APPSERVICE_LOGIN_UNSUPPORTED",
    BadAlias "M_BAD_ALIAS",
    BadJson "M_BAD_JSON",
    CaptchaInvalid "M_CAPTCHA_INVALID",
    CaptchaNeeded "M_CAPTCHA_NEEDED",
    DestinationRejected "M_DESTINATION_REJECTED",
    DuplicateAnnotation "M_DUPLICATE_ANNOTATION",
    EmailSendError "M_EMAIL_SEND_ERROR",
    Exclusive "M_EXCLUSIVE",
    IncompatibleRoomVersion "M_INCOMPATIBLE_ROOM_VERSION",
    InvalidAddress "M_INVALID_ADDRESS",
    InvalidEmail "M_INVALID_EMAIL",
    InvalidParam "M_INVALID_PARAM",
    InvalidPepper "M_INVALID_PEPPER",
    InvalidRoomState "M_INVALID_ROOM_STATE",
    InvalidSignature "M_INVALID_SIGNATURE",
    InvalidUsername "M_INVALID_USERNAME",
    KeyTooLarge "M_KEY_TOO_LARGE",
    MissingParam "M_MISSING_PARAM",
    MissingParams "M_MISSING_PARAMS",
    NotJson "M_NOT_JSON",
    PasswordInDictionary "M_PASSWORD_IN_DICTIONARY",
    PasswordNoDigit "M_PASSWORD_NO_DIGIT",
    PasswordNoLowercase "M_PASSWORD_NO_LOWERCASE",
    PasswordNoSymbol "M_PASSWORD_NO_SYMBOL",
    PasswordNoUppercase "M_PASSWORD_NO_UPPERCASE",
    PasswordTooShort "M_PASSWORD_TOO_SHORT",
    ProfileTooLarge "M_PROFILE_TOO_LARGE",
    RoomInUse "M_ROOM_IN_USE",
    SendError "M_SEND_ERROR",
    ServerNotTrusted "M_SERVER_NOT_TRUSTED",
    SessionExpired "M_SESSION_EXPIRED",
    SessionNotValidated "M_SESSION_NOT_VALIDATED",
    ThreepidInUse "M_THREEPID_IN_USE",
    ThreepidMediumNotSupported "M_THREEPID_MEDIUM_NOT_SUPPORTED",
    ThreepidNotFound "M_THREEPID_NOT_FOUND",
    TokenIncorrect "M_TOKEN_INCORRECT",
    UnableToAuthoriseJoin "M_UNABLE_TO_AUTHORISE_JOIN",
    UnableToGrantJoin "M_UNABLE_TO_GRANT_JOIN",
    Unactionable "M_UNACTIONABLE",
    Unknown "M_UNKNOWN",
    UnknownDevice "M_UNKNOWN_DEVICE",
    UnknownPos "M_UNKNOWN_POS",
    UnsupportedRoomVersion "M_UNSUPPORTED_ROOM_VERSION",
    UrlNotSet "M_URL_NOT_SET",
    UserInUse "M_USER_IN_USE",
    WeakPassword "M_WEAK_PASSWORD",
    401:
    MissingToken "M_MISSING_TOKEN",
    Unauthorized "M_UNAUTHORIZED",
    UnknownToken "M_UNKNOWN_TOKEN",
    UserLocked "M_USER_LOCKED",
    403:
    BadState "M_BAD_STATE",
    CannotLeaveServerNoticeRoom "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM",
    ConsentNotGiven "M_CONSENT_NOT_GIVEN",
    ExpiredAccount "ORG_MATRIX_EXPIRED_ACCOUNT",
    Forbidden "M_FORBIDDEN",
    GuestAccessForbidden "M_GUEST_ACCESS_FORBIDDEN",
    InviteBlocked "M_INVITE_BLOCKED",
    ResourceLimitExceeded "M_RESOURCE_LIMIT_EXCEEDED",
    TermsNotSigned "M_TERMS_NOT_SIGNED",
    ThreepidAuthFailed "M_THREEPID_AUTH_FAILED",
    ThreepidDenied "M_THREEPID_DENIED",
    UserDeactivated "M_USER_DEACTIVATED",
    UserLimitExceeded "M_USER_LIMIT_EXCEEDED",
    UserSuspended "M_USER_SUSPENDED",
    WrongRoomKeysVersion "M_WRONG_ROOM_KEYS_VERSION",
    404:
    NoValidSession "M_NO_VALID_SESSION",
    NotFound "M_NOT_FOUND",
    Unrecognized "M_UNRECOGNIZED",
    409:
    CannotOverwriteMedia "M_CANNOT_OVERWRITE_MEDIA",
    413:
    TooLarge "M_TOO_LARGE",
    429:
    LimitExceeded "M_LIMIT_EXCEEDED",
    502:
    BadStatus "M_BAD_STATUS",
    ConnectionFailed "M_CONNECTION_FAILED",
    504:
    ConnectionTimeout "M_CONNECTION_TIMEOUT",
    NotYetUploaded "M_NOT_YET_UPLOADED",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An answer that says no: data for the peer, complete with its HTTP status.
///
/// It holds no word of the request, so it can be logged.
///
/// ```
/// use matrix_uia::Millis;
/// use matrix_uia::error::{ErrorCode, Reject};
/// let limited = Reject::limited(Millis::new(1_500));
/// assert_eq!(limited.status(), 429);
/// assert_eq!(limited.retry_after_secs(), Some(2));
/// let mut body = String::new();
/// limited.write(&mut body).unwrap();
/// assert_eq!(body, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests.","retry_after_ms":1500}"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a rejection has to be sent"]
pub struct Reject {
    code: ErrorCode,
    status: u16,
    message: &'static str,
    soft_logout: Option<bool>,
    retry_after: Option<Millis>,
}

impl Reject {
    /// An error with its usual status. `message` is for people.
    pub const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, status: code.status(), message, soft_logout: None, retry_after: None }
    }

    /// The same with another status, where an endpoint's section says so.
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with the `soft_logout` key.
    pub const fn with_soft_logout(mut self, soft_logout: bool) -> Self {
        self.soft_logout = Some(soft_logout);
        self
    }

    /// 429 `M_LIMIT_EXCEEDED`: try again after `wait`.
    ///
    /// See [rate limiting](https://spec.matrix.org/v1.19/client-server-api/#rate-limiting).
    pub const fn limited(wait: Millis) -> Self {
        let mut reject = Self::new(ErrorCode::LimitExceeded, "Too many requests.");
        reject.retry_after = Some(wait);
        reject
    }

    /// 401 `M_MISSING_TOKEN`.
    pub const fn missing_token() -> Self {
        Self::new(ErrorCode::MissingToken, "Missing access token.")
    }

    /// 401 `M_UNKNOWN_TOKEN`; with [`soft_logout`] if the client may keep its session.
    ///
    /// [`soft_logout`]: https://spec.matrix.org/v1.19/client-server-api/#soft-logout
    pub const fn unknown_token(soft_logout: bool) -> Self {
        let reject = Self::new(ErrorCode::UnknownToken, "Unknown access token.");
        if soft_logout { reject.with_soft_logout(true) } else { reject }
    }

    /// 404 `M_UNRECOGNIZED`: no such endpoint here.
    pub const fn unrecognized() -> Self {
        Self::new(ErrorCode::Unrecognized, "Unrecognized request.")
    }

    /// The host could not do its part: 503 `M_UNKNOWN`. Nothing has changed.
    pub const fn unavailable() -> Self {
        Self::new(ErrorCode::Unknown, "The server cannot answer this now, try again later.").with_status(503)
    }

    /// The error code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The sentence for people.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// The `soft_logout` key, if the answer has it.
    #[must_use]
    pub const fn soft_logout(&self) -> Option<bool> {
        self.soft_logout
    }

    /// How long the client has to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Millis> {
        self.retry_after
    }

    /// The value of the `Retry-After` header: whole seconds, rounded up.
    #[must_use]
    pub const fn retry_after_secs(&self) -> Option<u64> {
        match self.retry_after {
            Some(wait) => Some(wait.as_secs_ceil()),
            None => None,
        }
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("errcode", Text::new(self.code.name()))?;
        object.text("error", Text::new(self.message))?;
        if let Some(soft_logout) = self.soft_logout {
            object.boolean("soft_logout", soft_logout)?;
        }
        if let Some(wait) = self.retry_after {
            object.integer("retry_after_ms", wait.get())?;
        }
        object.end()
    }
}

impl From<ParseError> for Reject {
    fn from(error: ParseError) -> Self {
        let code = match error {
            ParseError::NotJson => ErrorCode::NotJson,
            _ => ErrorCode::BadJson,
        };
        Self::new(code, error.message())
    }
}

/// A code as it came: a known one, or any other by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "known or not: there is no third case")]
pub enum AnyCode<'a> {
    /// One of the table's.
    Known(ErrorCode),
    /// Any other, such as `COM.EXAMPLE_CODE`.
    Other(Text<'a>),
}

impl<'a> AnyCode<'a> {
    /// The code on the wire.
    #[must_use]
    pub const fn name(&self) -> Text<'a> {
        match self {
            Self::Known(code) => Text::new(code.name()),
            Self::Other(name) => *name,
        }
    }
}

impl<'a> From<Text<'a>> for AnyCode<'a> {
    fn from(name: Text<'a>) -> Self {
        match name.as_str() {
            Some(plain) => ErrorCode::from_name(plain).map_or(Self::Other(name), Self::Known),
            None => {
                let known = name.to_fixed::<48>().ok().and_then(|plain| ErrorCode::from_name(&plain));
                known.map_or(Self::Other(name), Self::Known)
            }
        }
    }
}

/// A standard error body as it came, read tolerantly.
///
/// Deployed servers send errors without `error`, with a `retry_after_ms` that is a
/// string, or without the keys a code must have; the code survives all of that. Unknown
/// keys are kept as they stand in the body.
///
/// ```
/// use matrix_uia::error::{AnyCode, ErrorBody, ErrorCode};
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

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn every_code_is_read_back_by_its_name_and_no_name_occurs_twice() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(*code));
            assert_eq!(ErrorCode::ALL.iter().filter(|other| other.name() == code.name()).count(), 1);
            assert!(matches!(code.status(), 400..=504));
            assert_eq!(AnyCode::from(Text::new(code.name())), AnyCode::Known(*code));
        }
    }

    #[test]
    fn a_rejection_stays_small() {
        assert!(size_of::<Reject>() <= 48);
    }

    #[test]
    fn unknown_codes_and_keys_survive_a_round_trip() {
        let body = br#"{"a":[1,{"b":null}],"errcode":"COM.EXAMPLE_CODE","error":"caf\u00e9","info_uri":"https:\/\/x"}"#;
        let mut out = String::new();
        ErrorBody::parse(body).unwrap().write(&mut out).unwrap();
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(body).unwrap(), serde_json::from_str(&out).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn the_code_survives_whatever_else_is_wrong() {
        let body =
            br#"{"errcode":"M_LIMIT_EXCEEDED","error":null,"retry_after_ms":"soon","soft_logout":"yes"}"#;
        let error = ErrorBody::parse(body).unwrap();
        assert_eq!(error.code, Some(AnyCode::Known(ErrorCode::LimitExceeded)));
        assert_eq!((error.message, error.retry_after, error.soft_logout), (None, None, None));
        for (wait, read) in [
            ("1500", Some(1500)),
            ("1500.5", Some(1500)),
            ("\"20\"", Some(20)),
            ("-1", None),
            ("1.5e3", None),
        ] {
            let body = format!("{{\"retry_after_ms\":{wait}}}");
            assert_eq!(ErrorBody::parse(body.as_bytes()).unwrap().retry_after, read.map(Millis::new));
        }
    }
}
