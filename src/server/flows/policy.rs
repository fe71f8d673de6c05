//! A policy as its text and what is looked up in it.

use super::held::Held;
use super::limits::MAX_STAGES;
use crate::text::Text;
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
    pub(super) encoded: Held<'p, str>,
    pub(super) types: Held<'p, [TypeEntry]>,
    pub(super) flows: Held<'p, [Flow]>,
    /// Which terms these flows present; 0 if none.
    pub(super) terms: u32,
    /// Where the params' object stands in the encoded text.
    pub(super) params_at: usize,
}

/// The end of what all challenges of a policy begin with: behind it comes the ID.
pub(super) const SESSION: &str = ",\"session\":\"";

/// The stages of a flow, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) stages: [StageId; MAX_STAGES],
    pub(super) len: usize,
}

/// A stage that the flows name.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeEntry {
    pub(super) id: StageId,
    /// Where its name stands in the encoded text, quotes included.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl TypeEntry {
    /// What an empty place has.
    pub(super) const NONE: Self = Self { id: StageId::NONE, start: 0, end: 0 };
}

impl Policy<'_> {
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
        self.encoded.get()
    }

    pub(crate) const fn terms(&self) -> u32 {
        self.terms
    }

    pub(crate) fn offers(&self, stage: StageId) -> bool {
        self.types.get().iter().any(|entry| entry.id == stage)
    }

    /// Whether a custom stage is one of these flows' by its whole name, not only its number.
    #[inline]
    pub(crate) fn offers_by_name(&self, auth_type: AuthType<'_>, stage: StageId) -> bool {
        match auth_type {
            AuthType::Custom(name) => self.offers_custom(name, stage),
            _ => self.offers(stage),
        }
    }

    fn offers_custom(&self, name: Text<'_>, stage: StageId) -> bool {
        let quoted = self.quoted(stage);
        quoted.and_then(|it| it.get(1..it.len().checked_sub(1)?)).is_some_and(|it| name == *it)
    }

    /// The stage's name in quotes, as `completed` shows it.
    pub(crate) fn quoted(&self, stage: StageId) -> Option<&str> {
        let entry = self.types.get().iter().find(|entry| entry.id == stage)?;
        self.head().get(entry.start..entry.end)
    }

    /// Whether `stage` may be attempted now.
    pub(crate) fn is_next(&self, completed: &[StageId], stage: StageId, order: StageOrder) -> bool {
        self.flows.get().iter().any(|flow| match order {
            // Behind its stages a flow has no stage, which is never attempted.
            StageOrder::Strict => {
                let (passed, next) = flow.stages.split_at_checked(completed.len()).unwrap_or_default();
                next.first().is_some_and(|next| *next == stage) && passed == completed
            }
            StageOrder::Any => {
                let flow = flow.stages();
                !completed.contains(&stage) && flow.contains(&stage) && contains_all(flow, completed)
            }
        })
    }

    /// Whether `completed` is how far some flow can have come.
    pub(crate) fn fits(&self, completed: &[StageId], order: StageOrder) -> bool {
        // Most sessions have passed no stage, and every flow begins so.
        completed.is_empty()
            || self.flows.get().iter().map(Flow::stages).any(|flow| match order {
                StageOrder::Strict => flow.starts_with(completed),
                StageOrder::Any => contains_all(flow, completed),
            })
    }

    /// Whether `completed` is a whole flow.
    pub(crate) fn is_complete(&self, completed: &[StageId], order: StageOrder) -> bool {
        self.flows.get().iter().map(Flow::stages).any(|flow| match order {
            StageOrder::Strict => flow == completed,
            StageOrder::Any => contains_all(completed, flow),
        })
    }
}

fn contains_all(all: &[StageId], some: &[StageId]) -> bool {
    some.iter().all(|stage| all.contains(stage))
}
