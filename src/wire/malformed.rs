//! What is wrong with an auth dict that is well-formed JSON.

use super::json::Span;
use crate::text::Text;

/// Which key of an auth dict is at fault: `M_MISSING_PARAM` or `M_INVALID_PARAM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// A key the stage needs is absent.
    Missing(&'static str),
    /// A key has the wrong type or form.
    Invalid(&'static str),
}

/// Longest `sid`, `client_secret`, identifier or server name, in bytes.
pub(crate) const MAX_FIELD_LEN: usize = 255;

/// Whether `text` is not empty and has at most `max` bytes.
pub(crate) fn is_within(text: Text<'_>, max: usize) -> bool {
    !text.is_empty() && text.len() <= max
}

/// The string under `key`, which the stage needs.
#[inline]
pub(crate) fn required<'a>(span: Span, key: &'static str, body: &'a str) -> Result<Text<'a>, Malformed> {
    span.text(body).ok_or(if span.is_absent() { Malformed::Missing(key) } else { Malformed::Invalid(key) })
}

/// The string under `key`, if it has the form that it must have.
pub(crate) fn fitting<'a>(
    text: Text<'a>,
    key: &'static str,
    fits: fn(Text<'_>) -> bool,
) -> Result<Text<'a>, Malformed> {
    if fits(text) { Ok(text) } else { Err(Malformed::Invalid(key)) }
}
