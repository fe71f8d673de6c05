//! The codes: the one table, and any other by name.

use core::fmt;

use crate::text::Text;

/// What the one table of codes says about a code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CodeFacts {
    pub(crate) code: ErrorCode,
    pub(crate) name: &'static str,
    pub(crate) status: u16,
}

/// The one table: a code's variant, its name, and the status it comes with.
macro_rules! error_codes {
    ($($status:literal: $($variant:ident $name:literal,)+)+) => {
        /// An error code of the Client-Server, Application Service or Identity Service
        /// API, or one that deployed servers are known to send.
        ///
        /// ```
        /// use matrix_uia::wire::error::ErrorCode;
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
            /// Their names, one behind the other, and the length of each: a third of what the
            /// facts take of a microcontroller's flash.
            const NAMES: &'static str = concat!($($($name,)+)+);
            const NAME_LENS: &'static [u8] = &[$($($name.len() as u8,)+)+];

            /// The code on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                self.facts().name
            }

            /// The HTTP status the code comes with where no endpoint says otherwise.
            #[must_use]
            pub const fn status(self) -> u16 {
                self.facts().status
            }

            #[inline(always)]
            pub(super) const fn facts(self) -> &'static CodeFacts {
                match self {
                    $($(Self::$variant => {
                        &CodeFacts { code: Self::$variant, name: $name, status: $status }
                    })+)+
                }
            }

            /// The code of that name, if it is a known one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                // To compare with each takes two kilobytes more of a microcontroller's flash.
                if cfg!(target_pointer_width = "32") {
                    return Self::searched(Text::new(name));
                }
                match name {
                    $($($name => Some(Self::$variant),)+)+
                    _ => None,
                }
            }
        }
    };
}

impl ErrorCode {
    /// As [`from_name`](Self::from_name), in time that grows with the table.
    pub(super) fn searched(name: Text<'_>) -> Option<Self> {
        let mut rest = Self::NAMES;
        for (code, len) in Self::ALL.iter().zip(Self::NAME_LENS) {
            let (known, behind) = rest.split_at_checked(usize::from(*len))?;
            if name == *known {
                return Some(*code);
            }
            rest = behind;
        }
        None
    }
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
        // The search takes an escaped name as it is, and no copy of it.
        if cfg!(target_pointer_width = "32") {
            return ErrorCode::searched(name).map_or(Self::Other(name), Self::Known);
        }
        match name.as_str() {
            Some(plain) => ErrorCode::from_name(plain).map_or(Self::Other(name), Self::Known),
            None => {
                let known = name.to_fixed::<48>().ok().and_then(|plain| ErrorCode::from_name(&plain));
                known.map_or(Self::Other(name), Self::Known)
            }
        }
    }
}
