//! What every address has in common.

use crate::wire::error::{ErrorCode, MatrixError};

/// Longest e-mail address, in bytes of its canonical form: what [RFC 5321] lets a mail
/// server be asked to deliver to. A phone number has at most 15 digits.
///
/// [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
pub const MAX_ADDRESS_LEN: usize = 254;

pub(in super::super) type Address = heapless::String<MAX_ADDRESS_LEN>;

pub(super) const INVALID: MatrixError =
    MatrixError::new(ErrorCode::InvalidParam, "This is no e-mail address.");
/// Without the feature `unicode`, of an address that is not ASCII.
pub(super) const NOT_ASCII: MatrixError =
    MatrixError::new(ErrorCode::InvalidParam, "This server takes e-mail addresses in ASCII only.");

/// Whether it is one of the specials of RFC 5322, which quote, comment, list and route. Without
/// them an address has one spelling only, and a header made of it stays one header.
pub(super) const fn is_special(c: char) -> bool {
    matches!(c, '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | '\\' | ',' | '"' | '@')
}
