//! A policy as its text and what is looked up in it.

use super::limits::{MAX_FLOWS, MAX_STAGES, MAX_TYPES};
use crate::wire::json::Raw;
use crate::wire::{AuthType, StageId};

/// In which order stages are taken. Rule U5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageOrder {
    /// The next stage of a flow whose beginning is what has been completed, as the spec
    /// asks.
    #[default]
    Strict,
    /// Any stage of a flow that has all completed ones, as Synapse accepts them.
    Any,
}

/// [`Flows`](super::Flows) without the operation: one copy of the code for all of them.
pub(crate) struct Policy<'p> {
    /// The beginning of a challenge, which ends with [`SESSION`].
    pub(super) encoded: Encoded<'p>,
    pub(super) types: heapless::Vec<TypeEntry, MAX_TYPES>,
    pub(super) flows: heapless::Vec<Flow, MAX_FLOWS>,
    /// Which terms these flows present; 0 if none.
    pub(super) terms: u32,
    /// Where the params' object stands in the encoded text.
    pub(super) params_at: usize,
}

/// The end of what all challenges of a policy begin with: behind it comes the ID.
pub(super) const SESSION: &str = ",\"session\":\"";

pub(super) type Flow = heapless::Vec<StageId, MAX_STAGES>;

#[derive(Clone, Copy)]
pub(super) struct TypeEntry {
    pub(super) id: StageId,
    /// Where its name stands in the encoded text, quotes included.
    pub(super) start: usize,
    pub(super) end: usize,
}

pub(super) enum Encoded<'p> {
    Borrowed(&'p str),
    #[cfg(feature = "alloc")]
    Owned(alloc::boxed::Box<str>),
}

impl Encoded<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            #[cfg(feature = "alloc")]
            Self::Owned(text) => text,
        }
    }
}

impl Policy<'_> {
    pub(super) const fn empty() -> Self {
        Self {
            encoded: Encoded::Borrowed(""),
            types: heapless::Vec::new(),
            flows: heapless::Vec::new(),
            terms: 0,
            params_at: 0,
        }
    }

    /// The params of a stage, if the policy has any for it.
    pub(crate) fn params(&self, stage: StageId) -> Option<Raw<'_>> {
        let mut found = None;
        let all = self.head().get(self.params_at..)?.strip_suffix(SESSION)?;
        let read = Raw::parse(all).ok()?.reader().object(|reader, key| {
            let value = reader.raw()?;
            if AuthType::from_text(key).id() == stage {
                found = Some(value);
            }
            Ok(())
        });
        read.ok().and(found)
    }

    /// The beginning of a challenge: `{"flows":[…],"params":{…},"session":"`
    pub(crate) fn head(&self) -> &str {
        self.encoded.as_str()
    }

    pub(crate) const fn terms(&self) -> u32 {
        self.terms
    }

    pub(crate) fn offers(&self, stage: StageId) -> bool {
        self.types.iter().any(|entry| entry.id == stage)
    }

    /// Whether a custom stage is one of these flows' by its whole name, not only its number.
    pub(crate) fn offers_by_name(&self, auth_type: AuthType<'_>, stage: StageId) -> bool {
        let AuthType::Custom(name) = auth_type else { return self.offers(stage) };
        let quoted = self.quoted(stage);
        quoted.and_then(|it| it.get(1..it.len().checked_sub(1)?)).is_some_and(|it| name == *it)
    }

    /// The stage's name in quotes, as `completed` shows it.
    pub(crate) fn quoted(&self, stage: StageId) -> Option<&str> {
        let entry = self.types.iter().find(|entry| entry.id == stage)?;
        self.head().get(entry.start..entry.end)
    }

    /// Whether `stage` may be attempted now.
    pub(crate) fn is_next(&self, completed: &[StageId], stage: StageId, order: StageOrder) -> bool {
        self.flows.iter().any(|flow| match order {
            StageOrder::Strict => {
                flow.strip_prefix(completed).and_then(<[StageId]>::first).is_some_and(|next| *next == stage)
            }
            StageOrder::Any => {
                !completed.contains(&stage) && flow.contains(&stage) && contains_all(flow, completed)
            }
        })
    }

    /// Whether `completed` is how far some flow can have come.
    pub(crate) fn fits(&self, completed: &[StageId], order: StageOrder) -> bool {
        // Most sessions have passed no stage, and every flow begins so.
        completed.is_empty()
            || self.flows.iter().any(|flow| match order {
                StageOrder::Strict => flow.starts_with(completed),
                StageOrder::Any => contains_all(flow, completed),
            })
    }

    /// Whether `completed` is a whole flow.
    pub(crate) fn is_complete(&self, completed: &[StageId], order: StageOrder) -> bool {
        self.flows.iter().any(|flow| match order {
            StageOrder::Strict => flow == completed,
            StageOrder::Any => contains_all(completed, flow),
        })
    }
}

fn contains_all(all: &[StageId], some: &[StageId]) -> bool {
    some.iter().all(|stage| all.contains(stage))
}
