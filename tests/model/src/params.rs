//! Which parameters a session is bound to: rule U13.

use matrix_uia::server::call::{Param, Params};
use matrix_uia::server::digest::ParamDigest;
use matrix_uia::server::operation::Operation;
use matrix_uia::server::rules::BodyBinding;
use matrix_uia::{BindingKey, Text};

pub(crate) const SLOTS: usize = Params::MAX;

static KEY: BindingKey = BindingKey::from_entropy([3; 16]);

/// What a request gives, each parameter a small number.
pub(crate) type Given = [Option<u8>; SLOTS];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Required,
    /// And what it is where it is left out.
    Optional(u8),
    Free,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Slot {
    /// It may follow.
    Unbound,
    /// It has to be left out again.
    Absent,
    To(u8),
}

/// What a session is bound to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) begun: bool,
    pub(crate) slots: [Slot; SLOTS],
}

impl Bound {
    pub(crate) const NOTHING: Self = Self { begun: false, slots: [Slot::Unbound; SLOTS] };

    /// What it is bound to after this request; `None` if that changes what is bound.
    pub(crate) fn after(self, kinds: &[Kind; SLOTS], rule: BodyBinding, given: &Given) -> Option<Self> {
        let binds = |(kind, given): (&Kind, &Option<u8>)| {
            *kind != Kind::Free && (rule == BodyBinding::Exact || given.is_some())
        };
        let begins = !self.begun && kinds.iter().zip(given).any(binds);
        let mut after = Self { begun: self.begun || begins, ..self };
        for ((kind, given), slot) in kinds.iter().zip(given).zip(&mut after.slots) {
            *slot = match (*kind, *given) {
                (Kind::Free, given) => given.map_or(*slot, Slot::To),
                (kind, None) if begins => match kind {
                    Kind::Optional(default) => Slot::To(default),
                    _ if rule == BodyBinding::Exact => Slot::Absent,
                    _ => Slot::Unbound,
                },
                (_, Some(given)) if begins || rule == BodyBinding::Any => Slot::To(given),
                (Kind::Optional(default), given) if self.begun && rule == BodyBinding::Exact => {
                    same(*slot, given.unwrap_or(default))?
                }
                (_, None) if self.begun && rule == BodyBinding::Exact && *slot != Slot::Absent => return None,
                (_, None) => *slot,
                (_, Some(given)) if *slot == Slot::Unbound => Slot::To(given),
                (_, Some(given)) => same(*slot, given)?,
            };
        }
        Some(after)
    }

    /// Whether the request repeats what is bound: all of it, or what it gives.
    pub(crate) fn is_repeated(&self, kinds: &[Kind; SLOTS], given: &Given, all: bool) -> bool {
        kinds.iter().zip(given).zip(self.slots).all(|((kind, given), slot)| match (kind, given) {
            (Kind::Free, _) => true,
            (_, Some(given)) => slot == Slot::To(*given),
            (_, None) if !all => true,
            (Kind::Optional(default), None) => slot == Slot::To(*default),
            (Kind::Required, None) => !matches!(slot, Slot::To(_)),
        })
    }

    /// What holds for the call.
    pub(crate) fn effective(&self, given: &Given) -> [Slot; SLOTS] {
        let mut slots = self.slots;
        for (slot, given) in slots.iter_mut().zip(given) {
            *slot = given.map_or(*slot, Slot::To);
        }
        slots
    }

    /// Whether something is bound that the request leaves out, and that is no default.
    pub(crate) fn needs_kept(&self, kinds: &[Kind; SLOTS], given: &Given) -> bool {
        kinds.iter().zip(given).zip(self.slots).any(|((kind, given), slot)| match (kind, slot) {
            (Kind::Optional(default), Slot::To(bound)) => given.is_none() && bound != *default,
            (_, Slot::To(_)) => given.is_none(),
            _ => false,
        })
    }
}

fn same(slot: Slot, given: u8) -> Option<Slot> {
    (slot == Slot::To(given)).then_some(slot)
}

/// The parameters as the crate is told them.
pub(crate) fn params<Op: Operation>(kinds: &[Kind; SLOTS], given: &Given) -> Params {
    let names = ["first", "second", "third"];
    let mut params = [Param::free(None); SLOTS];
    for (index, param) in params.iter_mut().enumerate() {
        let text = |value: u8| {
            let value = ["zero", "one", "two", "three"][usize::from(value % 4)];
            KEY.param::<Op>(names[index]).text(Text::new(value))
        };
        *param = match kinds[index] {
            Kind::Required => Param::required(given[index].map(text)),
            Kind::Optional(default) => {
                let flag = |value| ParamDigest::boolean(value != 0);
                Param::optional(given[index].map(flag), flag(default))
            }
            Kind::Free => Param::free(given[index].map(text)),
        };
    }
    Params::new(params)
}
