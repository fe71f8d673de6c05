//! A code and its sentence.

use super::code::{CodeFacts, ErrorCode};

/// What an error says. What belongs to the code is looked up where the value is made, which
/// is mostly when the crate is compiled: an image has the codes that it uses, and no table
/// of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(super) facts: &'static CodeFacts,
    pub(crate) message: &'static str,
}

impl Fault {
    #[inline(always)]
    pub(crate) const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { facts: code.facts(), message }
    }

    pub(crate) const fn code(self) -> ErrorCode {
        self.facts.code
    }

    pub(crate) const fn name(self) -> &'static str {
        self.facts.name
    }

    pub(crate) const fn status(self) -> u16 {
        self.facts.status
    }
}
