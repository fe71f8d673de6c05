//! The last challenge, merged with what the ones before it said: one text, and where in
//! it each part stands.
//!
//! ```text
//!  401 body ──┐   is it the last one again? ─► nothing changes, nothing is read
//!             ├─ part by part, the newer one if there is one ─► Kept { text, parts }
//!  Kept ──────┘                                                        │
//!                                                     ChallengeBody ◄──┘ borrowed from it
//! ```
//!
//! Params can be anything, so they have to be kept as text; then the rest may as well,
//! and there is one bound, that of the text. A body that has all there is to know is kept
//! as it came, if there is room: the same one again is known by its bytes.

use super::recalled::Recalled;
use crate::capacity::CapacityError;
use crate::text::Text;
use crate::wire::error::{AnyCode, ErrorCode};
use crate::wire::json::{Raw, Span};
use crate::wire::{ChallengeBody, Parts, Stages};

/// A text of at most `N` bytes.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept<const N: usize> {
    text: heapless::String<N>,
    parts: Parts,
    /// What else is known of the text since it was read.
    #[serde(skip)]
    known: Recalled<Known>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    /// The text is a whole body, the last that came, and all parts are of it.
    is_body: bool,
    /// The code among the parts, if it is one of the table.
    code: Option<ErrorCode>,
}

impl<const N: usize> Kept<N> {
    pub(super) const fn new() -> Self {
        Self {
            text: heapless::String::new(),
            parts: Parts::NONE,
            known: Recalled(Known { is_body: false, code: None }),
        }
    }

    /// The challenge as it is known by now.
    pub(super) fn challenge(&self) -> ChallengeBody<'_> {
        let name = self.parts.code.text(&self.text);
        ChallengeBody { code: name.map(|name| self.code_of(name)), ..self.without_code() }
    }

    /// The same but for the error code.
    #[inline]
    pub(super) fn without_code(&self) -> ChallengeBody<'_> {
        self.parts.without_code(&self.text)
    }

    fn code_of<'k>(&self, name: Text<'k>) -> AnyCode<'k> {
        self.known.0.code.map_or_else(|| name.into(), AnyCode::Known)
    }

    /// The stages that are known to be completed.
    pub(super) fn completed(&self) -> Stages<'_> {
        Stages::of(self.parts.completed.raw(&self.text))
    }

    /// Whether any body had flows.
    pub(super) const fn has_flows(&self) -> bool {
        !self.parts.flows.is_absent()
    }

    pub(super) const fn has_session(&self) -> bool {
        !self.parts.session.is_absent()
    }

    /// Whether the last body told of an error.
    pub(super) const fn has_code(&self) -> bool {
        !self.parts.code.is_absent()
    }

    /// Whether `body` is the last one, byte for byte, and all that is known is from it.
    pub(super) fn is_of(&self, body: &[u8]) -> bool {
        self.known.0.is_body && self.text.as_bytes() == body
    }

    /// Whether every part is what it is taken for. What was stored elsewhere need not be.
    pub(super) fn is_sound(&self) -> bool {
        let text: &str = &self.text;
        let checked = |json: Option<&str>| json.is_some_and(|json| Raw::parse(json).is_ok());
        let is = |span: Span, open: char| {
            span == Span::NONE || checked(span.raw_from(open, text).map(|raw| raw.as_str()))
        };
        let Parts { flows, params, completed, session, code, message } = self.parts;
        is(flows, '[')
            && is(params, '{')
            && is(completed, '[')
            && [session, code, message].iter().all(|span| *span == Span::NONE || checked(span.quoted(text)))
    }

    /// Takes what `newer` says over what is known, whose `parts` stand in `body`; `anew`,
    /// nothing that belonged to the session before is left. The error of a stage is only
    /// ever the newest one.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if that has no room in `N` bytes; then nothing is known any more.
    pub(super) fn merge(
        &mut self,
        body: &str,
        parts: Parts,
        newer: &ChallengeBody<'_>,
        anew: bool,
    ) -> Result<(), CapacityError> {
        let Parts { flows, params, completed, session, .. } = &self.parts;
        let carries = (newer.flows.is_none() && !flows.is_absent())
            || (newer.params.is_none() && !params.is_absent())
            || (newer.session.is_none() && !session.is_absent())
            || (newer.completed.is_none() && !completed.is_absent() && !anew);
        if carries {
            return self.carry(newer, parts.code.text(body), anew);
        }
        self.clear();
        if self.text.push_str(body).is_err() {
            return self.write(newer, parts.code.text(body));
        }
        self.parts = parts;
        self.known.0 = Known { is_body: true, code: newer.code.and_then(of_table) };
        Ok(())
    }

    // Not inlined: only here a second text is on the stack.
    #[inline(never)]
    fn carry(
        &mut self,
        newer: &ChallengeBody<'_>,
        name: Option<Text<'_>>,
        anew: bool,
    ) -> Result<(), CapacityError> {
        let known = self.clone();
        let known = known.challenge();
        let mut merged = *newer;
        merged.flows = newer.flows.or(known.flows);
        merged.params = newer.params.or(known.params);
        merged.session = newer.session.or(known.session);
        merged.completed = newer.completed.or(known.completed.filter(|_| !anew));
        self.write(&merged, name)
    }

    /// `name` is that of the error code, as it came.
    fn write(&mut self, challenge: &ChallengeBody<'_>, name: Option<Text<'_>>) -> Result<(), CapacityError> {
        self.clear();
        self.parts.flows = self.push_raw(challenge.flows)?;
        self.parts.session = self.push_text(challenge.session.map(|session| session.expose()))?;
        self.parts.completed = self.push_raw(challenge.completed)?;
        self.parts.params = self.push_raw(challenge.params)?;
        self.error(challenge.code, name, challenge.message);
        Ok(())
    }

    fn clear(&mut self) {
        self.text.clear();
        self.parts = Parts::NONE;
        self.known = Recalled::default();
    }

    /// Keeps an error: its code, the name of that as it came, and words for people. Words that
    /// have no room are left out: the flow doesn't hang on them.
    pub(super) fn error(
        &mut self,
        code: Option<AnyCode<'_>>,
        name: Option<Text<'_>>,
        message: Option<Text<'_>>,
    ) {
        self.parts.code = self.push_text(name).unwrap_or_default();
        self.parts.message = self.push_text(message).unwrap_or_default();
        let code = code.filter(|_| self.has_code()).and_then(of_table);
        self.known.0 = Known { is_body: false, code };
    }

    fn push_raw(&mut self, value: Option<Raw<'_>>) -> Result<Span, CapacityError> {
        let Some(value) = value else { return Ok(Span::NONE) };
        let start = self.text.len();
        self.push(&[value.as_str()])?;
        Ok(Span::other(start, value.as_str().len()))
    }

    fn push_text(&mut self, value: Option<Text<'_>>) -> Result<Span, CapacityError> {
        let Some(value) = value else { return Ok(Span::NONE) };
        let start = self.text.len().saturating_add(1);
        // All of them are of a body, and stand here as they stand there.
        self.push(&["\"", value.raw(), "\""])?;
        Ok(Span::string(start, value.raw().len(), value.as_str().is_none()))
    }

    /// Adds all of that, or nothing.
    fn push(&mut self, parts: &[&str]) -> Result<(), CapacityError> {
        let start = self.text.len();
        for part in parts {
            if self.text.push_str(part).is_err() {
                self.text.truncate(start);
                return Err(CapacityError::new("challenge"));
            }
        }
        Ok(())
    }
}

/// The code, if it is one of the table.
const fn of_table(code: AnyCode<'_>) -> Option<ErrorCode> {
    match code {
        AnyCode::Known(code) => Some(code),
        AnyCode::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Takes over what a body says.
    fn merge<const N: usize>(kept: &mut Kept<N>, body: &str, anew: bool) -> Result<(), CapacityError> {
        let (text, parts) = Parts::read(body.as_bytes()).unwrap();
        kept.merge(text, parts, &parts.of(text), anew)
    }

    #[test]
    fn what_a_later_body_leaves_out_is_carried_over() {
        let mut kept = Kept::<256>::new();
        let whole = r#"{"flows":[{"stages":["a"]}],"params":{"a":{}},"session":"s\"é","completed":["a"],"errcode":"M_X","error":"no"}"#;
        merge(&mut kept, whole, true).unwrap();
        let before = kept.clone();
        for part in ["{}", r#"{"session":"s\"é"}"#, r#"{"params":{"a":{}},"completed":null}"#] {
            merge(&mut kept, part, false).unwrap();
            let known = kept.challenge();
            assert!(known.code.is_none() && known.message.is_none(), "the error was an earlier one's");
            assert_eq!(known.flows, before.challenge().flows);
            assert_eq!(known.params, before.challenge().params);
            assert_eq!(known.completed, before.challenge().completed);
            assert_eq!(known.session.unwrap().expose(), "s\"é");
        }
        merge(&mut kept, r#"{"session":"t"}"#, true).unwrap();
        assert_eq!(kept.challenge().completed().count(), 0, "that belonged to the other session");
        assert!(kept.challenge().has_flows());
    }

    #[test]
    fn the_bound_is_where_it_is_said_to_be() {
        let flows = r#"{"flows":[{"stages":["abc"]}]}"#;
        assert!(merge(&mut Kept::<20>::new(), flows, true).is_ok());
        assert!(merge(&mut Kept::<19>::new(), flows, true).is_err());
        let with_words = r#"{"flows":[{"stages":["abc"]}],"errcode":"M_X","error":"0123456789"}"#;
        let mut kept = Kept::<28>::new();
        merge(&mut kept, with_words, true).unwrap();
        assert!(kept.challenge().code.is_some() && kept.challenge().message.is_none());
    }

    #[test]
    fn what_was_tampered_with_is_not_sound() {
        let mut kept = Kept::<64>::new();
        merge(&mut kept, r#"{"flows":[{"stages":["a"]}]}"#, true).unwrap();
        assert!(kept.is_sound());
        let stages: Vec<_> = kept.challenge().flows().flat_map(|flow| flow.stages()).collect();
        assert_eq!(stages, ["a".into()]);
        for (start, len) in [(0, 1), (1, 3), (9, 19), (8, 19), (60, 1), (2, 998)] {
            let mut other = kept.clone();
            other.parts.flows = Span::other(start, len);
            assert!(!other.is_sound(), "{start} {len}");
        }
        let mut kept = Kept::<64>::new();
        merge(&mut kept, r#"{"session":"s\"t"}"#, true).unwrap();
        assert!(kept.is_sound());
        for session in [Span::string(12, 3, true), Span::string(12, 4, false), Span::other(11, 6), Span::NULL]
        {
            let mut other = kept.clone();
            other.parts.session = session;
            assert!(!other.is_sound());
        }
    }

    #[test]
    fn only_the_same_bytes_are_the_last_body() {
        let body = r#"{"flows":[{"stages":["a"]}],"session":"s","completed":[]}"#;
        let mut kept = Kept::<64>::new();
        assert!(!kept.is_of(b""));
        merge(&mut kept, body, true).unwrap();
        assert!(kept.is_of(body.as_bytes()));
        assert!(!kept.is_of(format!("{body} ").as_bytes()));
        merge(&mut kept, r#"{"session":"s"}"#, false).unwrap();
        assert!(!kept.is_of(body.as_bytes()) && !kept.is_of(br#"{"session":"s"}"#), "it carries over");
        merge(&mut kept, body, false).unwrap();
        assert!(kept.is_of(body.as_bytes()));
        kept.error(None, None, Some("no".into()));
        assert!(!kept.is_of(body.as_bytes()), "more is known than the body says");
        let mut small = Kept::<48>::new();
        merge(&mut small, body, true).unwrap();
        assert!(!small.is_of(body.as_bytes()) && small.has_flows(), "its parts have room, it has not");
    }
}
