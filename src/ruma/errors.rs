//! Error codes, error bodies, and whole error answers.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::time::Duration;

use http::StatusCode;
use ruma_client_api::uiaa;
use ruma_common::RoomVersionId;
use ruma_common::api::error as theirs;
use serde_json::{Map, Value};

use super::Unconvertible;
use crate::text::Text;
use crate::time::Millis;
use crate::wire::error::{AnyCode, ErrorBody, ErrorCode, MatrixError};

/// The longest wait, in milliseconds, that ruma can write: the largest whole number that
/// JavaScript has.
const MAX_WAIT: u64 = (1 << 53) - 1;

impl From<ErrorCode> for theirs::ErrorCode {
    fn from(code: ErrorCode) -> Self {
        Self::from(code.name())
    }
}

/// Ruma also reads `ORG.MATRIX.MSC4155.INVITE_BLOCKED`, as the code it became.
impl From<AnyCode<'_>> for theirs::ErrorCode {
    fn from(code: AnyCode<'_>) -> Self {
        Self::from(&*code.name().to_cow())
    }
}

impl<'a> From<&'a theirs::ErrorCode> for AnyCode<'a> {
    fn from(code: &'a theirs::ErrorCode) -> Self {
        Self::from(Text::new(code.as_str()))
    }
}

/// What ruma has for this code, with those of the keys in `data` that belong to it. A key
/// it demands is there, so that no code is lost over it.
fn kind(code: AnyCode<'_>, mut data: Map<String, Value>) -> theirs::ErrorKind {
    let mut demanded = |key: &str, instead: &str| {
        if !data.get(key).is_some_and(Value::is_string) {
            data.insert(key.to_owned(), instead.into());
        }
    };
    match code {
        AnyCode::Known(ErrorCode::ResourceLimitExceeded) => demanded("admin_contact", ""),
        AnyCode::Known(ErrorCode::UserLimitExceeded) => demanded("info_uri", ""),
        AnyCode::Known(ErrorCode::WrongRoomKeysVersion) => demanded("current_version", ""),
        AnyCode::Known(ErrorCode::IncompatibleRoomVersion) => {
            let version = data.get("room_version").and_then(Value::as_str);
            if version.is_none_or(|version| RoomVersionId::try_from(version).is_err()) {
                data.insert("room_version".to_owned(), "unknown".into());
            }
        }
        AnyCode::Known(ErrorCode::BadStatus) => {
            data.retain(|key, value| match key.as_str() {
                "status" => value.as_u64().is_some_and(|status| (100..1000).contains(&status)),
                "body" => value.is_string(),
                _ => true,
            });
        }
        _ => {}
    }
    data.insert("errcode".to_owned(), (*code.name().to_cow()).into());
    serde_json::from_value(Value::Object(data)).unwrap_or(theirs::ErrorKind::Unknown)
}

/// Every key of a body but those named, as far as `serde_json` can hold its value, and
/// those that were read tolerantly as they were read.
fn keys(error: &ErrorBody<'_>, but: &[&str]) -> Map<String, Value> {
    let mut data = Map::new();
    let _checked_before = error.whole.reader().object(|reader, key| {
        let value = reader.raw()?;
        if but.iter().all(|but| key != *but)
            && let Ok(value) = serde_json::from_str(value.as_str())
        {
            data.insert(key.to_exact(), value);
        }
        Ok(())
    });
    let text = |text: Option<Text<'_>>| text.map(|text| Value::from(text.to_exact()));
    for (key, value) in [
        ("soft_logout", error.soft_logout.map(Value::from)),
        ("can_upgrade", error.can_upgrade.map(Value::from)),
        ("retry_after_ms", error.retry_after.map(|wait| wait.get().min(MAX_WAIT).into())),
        ("admin_contact", text(error.admin_contact)),
        ("info_uri", text(error.info_uri)),
        ("room_version", text(error.room_version)),
        ("current_version", text(error.current_version)),
    ] {
        match value {
            Some(value) => drop(data.insert(key.to_owned(), value)),
            None => drop(data.remove(key)),
        }
    }
    data
}

/// The error that a body says, but for the keys that mean something else in it.
pub(super) fn standard(error: &ErrorBody<'_>, but: &[&str]) -> Option<theirs::StandardErrorBody> {
    let mut data = keys(error, but);
    data.remove("error");
    let message = error.message.map(Text::to_exact).unwrap_or_default();
    Some(theirs::StandardErrorBody::new(kind(error.code?, data), message))
}

/// An error of this crate's own making: a code and a sentence.
pub(super) fn plain(code: AnyCode<'_>, message: String) -> theirs::StandardErrorBody {
    theirs::StandardErrorBody::new(kind(code, Map::new()), message)
}

/// Fails if the body has no `errcode`.
impl TryFrom<&ErrorBody<'_>> for theirs::StandardErrorBody {
    type Error = Unconvertible;

    fn try_from(error: &ErrorBody<'_>) -> Result<Self, Unconvertible> {
        standard(error, &[]).ok_or(Unconvertible::NoPlace("errcode"))
    }
}

/// A body without `errcode` is kept as JSON.
impl From<&ErrorBody<'_>> for theirs::ErrorBody {
    fn from(error: &ErrorBody<'_>) -> Self {
        match standard(error, &[]) {
            Some(standard) => Self::Standard(standard),
            None => Self::Json(serde_json::from_str(error.whole.as_str()).unwrap_or_default()),
        }
    }
}

/// The wait is in whole seconds, rounded up. Ruma writes it into the `Retry-After` header
/// too, rounded down; a client that went by a header of less would be refused once more.
impl From<MatrixError> for theirs::Error {
    fn from(reject: MatrixError) -> Self {
        let mut data = Map::new();
        if let Some(soft_logout) = reject.soft_logout() {
            data.insert("soft_logout".to_owned(), soft_logout.into());
        }
        let mut body = theirs::StandardErrorBody::new(
            kind(AnyCode::Known(reject.code()), data),
            reject.message().to_owned(),
        );
        if let (theirs::ErrorKind::LimitExceeded(limit), Some(wait)) =
            (&mut body.kind, reject.retry_after_secs())
        {
            limit.retry_after =
                Some(theirs::RetryAfter::Delay(Duration::from_secs(wait.min(MAX_WAIT / 1000))));
        }
        // A status that is none can only be the host's own: it is a fault of the server.
        let status = StatusCode::from_u16(reject.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, theirs::ErrorBody::Standard(body))
    }
}

impl From<MatrixError> for uiaa::UiaaResponse {
    fn from(reject: MatrixError) -> Self {
        Self::MatrixError(reject.into())
    }
}

/// Fails if the code is none that this crate knows. The sentence is replaced: a [`MatrixError`]
/// holds nothing that came from outside.
impl TryFrom<&theirs::Error> for MatrixError {
    type Error = Unconvertible;

    fn try_from(error: &theirs::Error) -> Result<Self, Unconvertible> {
        let kind = error.error_kind().ok_or(Unconvertible::NoPlace("errcode"))?;
        let AnyCode::Known(code) = AnyCode::from(&kind.errcode()) else {
            return Err(Unconvertible::NoPlace("errcode"));
        };
        let reject = match kind {
            theirs::ErrorKind::LimitExceeded(theirs::LimitExceededErrorData {
                retry_after: Some(theirs::RetryAfter::Delay(wait)),
                ..
            }) => Self::limited(Millis::new(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))),
            theirs::ErrorKind::UserLocked
            | theirs::ErrorKind::UnknownToken(theirs::UnknownTokenErrorData { soft_logout: true, .. }) => {
                Self::new(code, REFUSED).with_soft_logout(true)
            }
            _ => Self::new(code, REFUSED),
        };
        Ok(reject.with_status(error.status_code.as_u16()))
    }
}

const REFUSED: &str = "The request was refused.";
