//! The 401 body, as a client reads it and as anybody writes it again.

use core::fmt::{self, Write};

use super::flow_list::{FLOW_KEYS, FlowList, Stages};
use super::json::{self, Members, ObjectWriter, Raw, Span, Table, table};
use super::{AuthType, ParseError};
use crate::secret::Secret;
use crate::text::Text;
use crate::wire::error::{AnyCode, ErrorBody};

/// A [401 body] as it came, read tolerantly: what a server left out, sent as `null` or
/// sent as something else counts as absent, and the rest survives.
///
/// ```
/// use matrix_uia::wire::{AuthType, ChallengeBody};
/// let body = br#"{"flows":[{"stages":["m.login.dummy"]}],"completed":null,"session":"s"}"#;
/// let challenge = ChallengeBody::parse(body)?;
/// let stages: Vec<_> = challenge.flows().flat_map(|flow| flow.stages()).collect();
/// assert_eq!(stages, [AuthType::Dummy]);
/// assert_eq!(challenge.completed().count(), 0);
/// # Ok::<(), matrix_uia::wire::ParseError>(())
/// ```
///
/// [401 body]: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-api-in-the-rest-api
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ChallengeBody<'a> {
    /// `flows`, if it is an array.
    pub(crate) flows: Option<Raw<'a>>,
    pub(crate) completed: Option<Raw<'a>>,
    pub(crate) params: Option<Raw<'a>>,
    /// `session`.
    pub session: Option<Secret<'a>>,
    /// `errcode` of the stage that failed.
    pub code: Option<AnyCode<'a>>,
    /// `error` of the stage that failed.
    pub message: Option<Text<'a>>,
    /// The body it was read from, if it was.
    pub(crate) whole: Option<Raw<'a>>,
}

/// Where the parts of a challenge stand in a text. What is not what it should be is not
/// there.
#[derive(Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    pub(crate) flows: Span,
    pub(crate) params: Span,
    pub(crate) completed: Span,
    pub(crate) session: Span,
    pub(crate) code: Span,
    pub(crate) message: Span,
}

impl Parts {
    pub(crate) const NONE: Self = Self {
        flows: Span::NONE,
        params: Span::NONE,
        completed: Span::NONE,
        session: Span::NONE,
        code: Span::NONE,
        message: Span::NONE,
    };

    /// Those of a body, which is the text returned.
    pub(crate) fn read(body: &[u8]) -> Result<(&str, Self), ParseError> {
        static KEYS: Table = table![0;
            "flows": List(FLOW_KEYS), "params": Any, "session": Any, "completed": Any, "errcode": Any, "error": Any,
        ];
        let mut slots = [Span::NONE; 6];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [flows, params, session, completed, code, message] = slots;
        let string = |span: Span| if span.is_no_string() || span.is_absent() { Span::NONE } else { span };
        let other = |span: Span, open| if span.begins_with(open, text) { span } else { Span::NONE };
        let parts = Self {
            flows: other(flows, b'['),
            params: other(params, b'{'),
            completed: other(completed, b'['),
            session: string(session),
            code: string(code),
            message: string(message),
        };
        Ok((text, parts))
    }

    /// The parts themselves.
    pub(crate) fn of(self, text: &str) -> ChallengeBody<'_> {
        ChallengeBody { code: self.code.text(text).map(AnyCode::from), ..self.without_code(text) }
    }

    /// The same but for the error code: a name costs more to be known than all of them to
    /// be found.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn without_code(self, text: &str) -> ChallengeBody<'_> {
        ChallengeBody {
            flows: self.flows.raw(text),
            completed: self.completed.raw(text),
            params: self.params.raw(text),
            session: self.session.secret(text),
            code: None,
            message: self.message.text(text),
            whole: None,
        }
    }
}

impl<'a> ChallengeBody<'a> {
    /// Reads a 401 body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if it is no JSON object by the rules of [`wire`](super).
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        let (text, parts) = Parts::read(body)?;
        Ok(Self { whole: Some(Raw::spaced(text)), ..parts.of(text) })
    }

    /// The error of the stage that failed, with all its keys: a 401 may say how long to
    /// wait. `None` if the body has no `errcode`.
    #[must_use]
    pub fn error(&self) -> Option<ErrorBody<'a>> {
        let error = ErrorBody::of(self.whole?)?;
        error.code.is_some().then_some(error)
    }

    /// Whether the body has `flows`: what tells a challenge from any other 401.
    #[must_use]
    pub const fn has_flows(&self) -> bool {
        self.flows.is_some()
    }

    /// Whether the body has `completed`.
    #[must_use]
    pub const fn has_completed(&self) -> bool {
        self.completed.is_some()
    }

    /// The flows offered. One that is no object with a list of names is left out.
    #[must_use]
    pub fn flows(&self) -> FlowList<'a> {
        FlowList::of(self.flows)
    }

    /// The stages completed, in order.
    #[must_use]
    pub fn completed(&self) -> Stages<'a> {
        Stages::of(self.completed)
    }

    /// `params`, if it is an object.
    #[must_use]
    pub const fn params(&self) -> Option<Raw<'a>> {
        self.params
    }

    /// The params of one type of stage.
    #[must_use]
    pub fn params_of(&self, auth_type: AuthType<'_>) -> Option<Raw<'a>> {
        let is_its = |key| AuthType::from_text(key).name() == auth_type.name();
        Members::of(self.params?).filter(|(key, _)| is_its(*key)).last().map(|(_, value)| value)
    }

    /// Writes the body again.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.key("flows")?.write_str(self.flows.map_or("[]", |raw| raw.as_str()))?;
        object.key("params")?.write_str(self.params.map_or("{}", |raw| raw.as_str()))?;
        object.secret_if("session", self.session)?;
        if let Some(completed) = self.completed {
            object.key("completed")?.write_str(completed.as_str())?;
        }
        if let Some(code) = self.code {
            object.text("errcode", code.name())?;
            object.text("error", self.message.unwrap_or(Text::new("")))?;
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn odd_bodies_keep_what_is_right_in_them() {
        let body = br#" {"flows" : [ {"stages":["a", 5 ,"m.login.dummy"]} , 7, {"x":1}, {"stages":[]} ],
            "completed" : [ "a" ], "params":[], "errcode":"M_FORBIDDEN", "session": null} "#;
        let challenge = ChallengeBody::parse(body).unwrap();
        let flows: Vec<Vec<_>> = challenge.flows().map(|flow| flow.stages().collect()).collect();
        assert_eq!(flows, [vec![AuthType::custom("a"), AuthType::Dummy], vec![]]);
        assert_eq!(challenge.completed().collect::<Vec<_>>(), [AuthType::custom("a")]);
        assert!(challenge.params().is_none() && challenge.session.is_none() && challenge.code.is_some());
    }

    #[test]
    fn params_are_found_by_type() {
        let body = br#"{"params":{"m.login.recaptcha":{"public_key":"k"},"org.matrix.cross_signing_reset":{"url":"u"}}}"#;
        let challenge = ChallengeBody::parse(body).unwrap();
        assert_eq!(challenge.params_of(AuthType::Recaptcha).unwrap().as_str(), r#"{"public_key":"k"}"#);
        assert_eq!(challenge.params_of(AuthType::OAuth).unwrap().as_str(), r#"{"url":"u"}"#);
        assert!(challenge.params_of(AuthType::Terms).is_none());
    }
}
