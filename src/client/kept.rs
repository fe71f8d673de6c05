//! The last challenge, merged with what the ones before it said: one text, and where in
//! it each part stands.
//!
//! ```text
//!  401 body ──┐
//!             ├─ field by field, the newer one if there is one ─► Kept { text, spans }
//!  Kept ──────┘                                                        │
//!                                                     ChallengeBody ◄──┘ borrowed from it
//! ```
//!
//! Params can be anything, so they have to be kept as text; then the rest may as well,
//! and there is one bound, that of the text.

use core::fmt::Write;
use core::ops::Range;

use crate::wire::ChallengeBody;
use crate::wire::error::AnyCode;
use crate::wire::json::{self, Raw};
use crate::{CapacityError, Secret, Text};

/// A text of at most `N` bytes.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept<const N: usize> {
    text: heapless::String<N>,
    spans: Spans,
}

/// Where each part stands; empty for what isn't there, since no JSON value is.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Spans {
    flows: Range<usize>,
    params: Range<usize>,
    completed: Range<usize>,
    session: Range<usize>,
    code: Range<usize>,
    message: Range<usize>,
}

impl<const N: usize> Kept<N> {
    pub(super) const fn new() -> Self {
        let spans =
            Spans { flows: 0..0, params: 0..0, completed: 0..0, session: 0..0, code: 0..0, message: 0..0 };
        Self { text: heapless::String::new(), spans }
    }

    /// The challenge as it is known by now.
    pub(super) fn challenge(&self) -> ChallengeBody<'_> {
        ChallengeBody {
            flows: self.raw(&self.spans.flows),
            params: self.raw(&self.spans.params),
            completed: self.raw(&self.spans.completed),
            session: self.string(&self.spans.session).map(Secret::from_text),
            code: self.string(&self.spans.code).map(AnyCode::from),
            message: self.string(&self.spans.message),
            whole: None,
        }
    }

    fn at(&self, span: &Range<usize>) -> Option<&str> {
        self.text.get(span.clone()).filter(|text| !text.is_empty())
    }

    fn raw(&self, span: &Range<usize>) -> Option<Raw<'_>> {
        self.at(span).map(Raw::trusted)
    }

    /// The inside of a string that was written here.
    fn string(&self, span: &Range<usize>) -> Option<Text<'_>> {
        let inside = self.at(span)?.strip_prefix('"')?.strip_suffix('"')?;
        Some(Text::from_json(inside, inside.contains('\\')))
    }

    /// Whether every part is what it is taken for. What was stored elsewhere need not be.
    pub(super) fn is_sound(&self) -> bool {
        let is = |span: &Range<usize>, open: char| match self.at(span) {
            None => span.is_empty(),
            Some(text) => text.starts_with(open) && Raw::parse(text).is_ok(),
        };
        let Spans { flows, params, completed, session, code, message } = &self.spans;
        is(flows, '[')
            && is(params, '{')
            && is(completed, '[')
            && [session, code, message].iter().all(|text| is(text, '"'))
    }

    /// Takes what `newer` says over what is known; `anew`, nothing that belonged to the
    /// session before is left. The error of a stage is only ever the newest one.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if that has no room in `N` bytes; then nothing is known any more.
    pub(super) fn merge(&mut self, newer: &ChallengeBody<'_>, anew: bool) -> Result<(), CapacityError> {
        let Spans { flows, params, completed, session, .. } = &self.spans;
        let carries = (newer.flows.is_none() && !flows.is_empty())
            || (newer.params.is_none() && !params.is_empty())
            || (newer.session.is_none() && !session.is_empty())
            || (newer.completed.is_none() && !completed.is_empty() && !anew);
        if carries { self.carry(newer, anew) } else { self.write(newer) }
    }

    // Not inlined: only here a second text is on the stack.
    #[inline(never)]
    fn carry(&mut self, newer: &ChallengeBody<'_>, anew: bool) -> Result<(), CapacityError> {
        let known = self.clone();
        let known = known.challenge();
        let mut merged = *newer;
        merged.flows = newer.flows.or(known.flows);
        merged.params = newer.params.or(known.params);
        merged.session = newer.session.or(known.session);
        merged.completed = newer.completed.or(known.completed.filter(|_| !anew));
        self.write(&merged)
    }

    fn write(&mut self, challenge: &ChallengeBody<'_>) -> Result<(), CapacityError> {
        self.clear();
        self.spans.flows = self.push_raw(challenge.flows)?;
        self.spans.session = self.push_text(challenge.session.map(|session| session.expose()))?;
        self.spans.completed = self.push_raw(challenge.completed)?;
        self.spans.params = self.push_raw(challenge.params)?;
        self.error(challenge.code, challenge.message);
        Ok(())
    }

    fn clear(&mut self) {
        self.text.clear();
        self.spans = Spans::default();
    }

    /// Keeps an error. Words that have no room are left out: the flow doesn't hang on them.
    pub(super) fn error(&mut self, code: Option<AnyCode<'_>>, message: Option<Text<'_>>) {
        self.spans.code = self.push_text(code.map(|code| code.name())).unwrap_or_default();
        self.spans.message = self.push_text(message).unwrap_or_default();
    }

    fn push_raw(&mut self, value: Option<Raw<'_>>) -> Result<Range<usize>, CapacityError> {
        self.push(|text| value.map_or(Ok(()), |value| text.write_str(value.as_str())))
    }

    fn push_text(&mut self, value: Option<Text<'_>>) -> Result<Range<usize>, CapacityError> {
        self.push(|text| value.map_or(Ok(()), |value| json::write_text(text, value)))
    }

    fn push(
        &mut self,
        write: impl FnOnce(&mut heapless::String<N>) -> core::fmt::Result,
    ) -> Result<Range<usize>, CapacityError> {
        let start = self.text.len();
        if write(&mut self.text).is_err() {
            self.text.truncate(start);
            return Err(CapacityError::new("challenge"));
        }
        Ok(start..self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn body(json: &str) -> ChallengeBody<'_> {
        ChallengeBody::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_a_later_body_leaves_out_is_carried_over() {
        let mut kept = Kept::<256>::new();
        let whole = r#"{"flows":[{"stages":["a"]}],"params":{"a":{}},"session":"s\"é","completed":["a"],"errcode":"M_X","error":"no"}"#;
        kept.merge(&body(whole), true).unwrap();
        let before = kept.clone();
        for part in ["{}", r#"{"session":"s\"é"}"#, r#"{"params":{"a":{}},"completed":null}"#] {
            kept.merge(&body(part), false).unwrap();
            let known = kept.challenge();
            assert!(known.code.is_none() && known.message.is_none(), "the error was an earlier one's");
            assert_eq!(known.flows, before.challenge().flows);
            assert_eq!(known.params, before.challenge().params);
            assert_eq!(known.completed, before.challenge().completed);
            assert_eq!(known.session.unwrap().expose(), "s\"é");
        }
        kept.merge(&body(r#"{"session":"t"}"#), true).unwrap();
        assert_eq!(kept.challenge().completed().count(), 0, "that belonged to the other session");
        assert!(kept.challenge().has_flows());
    }

    #[test]
    fn the_bound_is_where_it_is_said_to_be() {
        let flows = r#"{"flows":[{"stages":["abc"]}]}"#;
        assert!(Kept::<20>::new().merge(&body(flows), true).is_ok());
        assert!(Kept::<19>::new().merge(&body(flows), true).is_err());
        let with_words = r#"{"flows":[{"stages":["abc"]}],"errcode":"M_X","error":"0123456789"}"#;
        let mut kept = Kept::<28>::new();
        kept.merge(&body(with_words), true).unwrap();
        assert!(kept.challenge().code.is_some() && kept.challenge().message.is_none());
    }

    #[test]
    fn what_was_tampered_with_is_not_sound() {
        let mut kept = Kept::<64>::new();
        kept.merge(&body(r#"{"flows":[{"stages":["a"]}]}"#), true).unwrap();
        assert!(kept.is_sound());
        for span in [0..1, 1..4, 60..61, 2..1_000] {
            let mut other = kept.clone();
            other.spans.flows = span;
            assert!(!other.is_sound());
        }
        let stages: Vec<_> = kept.challenge().flows().flat_map(|flow| flow.stages()).collect();
        assert_eq!(stages, ["a".into()]);
    }
}
