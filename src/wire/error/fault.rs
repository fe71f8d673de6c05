//! A code and its sentence.

use super::ErrorCode;

/// What an error says. What belongs to the code is looked up where the value is made, which
/// is mostly when the crate is compiled: an image has the codes that it uses, and no table
/// of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    facts: &'static CodeFacts,
    pub(crate) message: &'static str,
}

/// What the one table of codes says about a code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CodeFacts {
    pub(crate) code: ErrorCode,
    pub(crate) name: &'static str,
    pub(crate) status: u16,
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
