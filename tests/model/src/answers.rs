//! What comes out: what is written, and what is answered.

use matrix_uia::server::session::Proof;
use matrix_uia::wire::error::ErrorCode;

use crate::facts::Stage;
use crate::session::{Id, Model};

/// What is to be written, and answered then.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) undo: bool,
    pub(crate) spend: Vec<(Id, Proof)>,
    pub(crate) give_back: Vec<(Id, Proof)>,
    /// A session and the revision at which it is removed.
    pub(crate) remove: Option<(Id, u32)>,
    pub(crate) put: Option<Put>,
    /// `None`: everything is read again.
    pub(crate) answer: Option<Answer>,
}

/// A session that is to be stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Put {
    pub(crate) id: Id,
    /// The revision that is replaced; `None`: it is new.
    pub(crate) expected: Option<u32>,
    pub(crate) model: Model,
    /// Whether the parameters of the request are kept beside it.
    pub(crate) keep: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Performed,
    Challenge {
        id: Id,
        /// Absent in answer to no auth.
        completed: Option<Vec<Stage>>,
        code: Option<ErrorCode>,
        extra: bool,
    },
    Error(u16, ErrorCode),
}

impl Plan {
    pub(crate) fn only(answer: Answer) -> Self {
        Self { answer: Some(answer), ..Self::default() }
    }

    pub(crate) fn error(status: u16, code: ErrorCode) -> Self {
        Self::only(Answer::Error(status, code))
    }

    /// The same, and what had no use is given back.
    pub(crate) fn and_unused(mut self, unused: Option<(Id, Proof)>) -> Self {
        self.give_back.extend(unused);
        self
    }

    /// The store has no room for the new session: what was reserved for it is given back,
    /// but for what was reserved in the transaction that is now undone.
    pub(crate) fn full(self, undone: Option<Proof>) -> Self {
        let new = self.put.map(|put| (put.id, put.model));
        let reserved = new.iter().flat_map(|(id, model)| model.reservations().map(|proof| (*id, proof)));
        let give_back = self.give_back.iter().copied().chain(reserved);
        Self {
            give_back: give_back.filter(|(_, proof)| Some(*proof) != undone).collect(),
            remove: self.remove,
            ..Self::error(429, ErrorCode::LimitExceeded)
        }
    }
}
