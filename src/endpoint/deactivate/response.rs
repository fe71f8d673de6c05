//! The answer to a deactivation, and how the unbinding of 3PIDs went.

use core::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::text::Text;
use crate::wire::ParseError;
use crate::wire::json::{self, ObjectWriter, Span, Table, table};

/// The answer to a deactivation; the spec requires its one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeactivateResponse {
    /// Whether all 3PIDs were unbound.
    pub id_server_unbind_result: UnbindResult,
}

impl DeactivateResponse {
    /// The answer of a host that knows how the unbinding went. While a
    /// [`Deactivation`](super::Deactivation) is at hand,
    /// [`Deactivation::response`](super::Deactivation::response) says it.
    #[must_use]
    pub const fn new(id_server_unbind_result: UnbindResult) -> Self {
        Self { id_server_unbind_result }
    }
}

/// Whether all 3PIDs were unbound from their identity servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::exhaustive_enums, reason = "the spec lists exactly these two")]
pub enum UnbindResult {
    /// All were, or there was none.
    Success,
    /// At least one was not.
    NoSupport,
}

impl UnbindResult {
    const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NoSupport => "no-support",
        }
    }

    /// Whether `all` were unbound.
    pub(crate) const fn of(all: bool) -> Self {
        if all { Self::Success } else { Self::NoSupport }
    }

    /// The body of which it is the one key.
    pub(crate) fn write(self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("id_server_unbind_result", Text::new(self.name()))?;
        object.end()
    }

    /// Reads that body.
    #[inline(never)]
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "id_server_unbind_result": Text];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [result] = slots;
        result.text(text).and_then(Self::from_text).ok_or(ParseError::WrongType)
    }

    fn from_text(text: Text<'_>) -> Option<Self> {
        [Self::Success, Self::NoSupport].into_iter().find(|result| text == result.name())
    }
}

impl DeactivateResponse {
    /// Reads the body, as a client.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists; also if the one key that the spec
    /// requires is missing or has another value than the two it allows.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        UnbindResult::parse(body).map(|id_server_unbind_result| Self { id_server_unbind_result })
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        self.id_server_unbind_result.write(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_back_and_one_without_its_key_refused() {
        for id_server_unbind_result in [UnbindResult::Success, UnbindResult::NoSupport] {
            let mut body = std::string::String::new();
            let response = DeactivateResponse { id_server_unbind_result };
            response.write(&mut body).unwrap();
            assert_eq!(DeactivateResponse::parse(body.as_bytes()), Ok(response));
        }
        for odd in [r"{}", r#"{"id_server_unbind_result":"maybe"}"#, r#"{"id_server_unbind_result":null}"#] {
            assert!(DeactivateResponse::parse(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
