//! The tables of a policy while it is checked, at run time or when it is compiled.

use super::limits::{MAX_FLOWS, MAX_STAGES, MAX_TYPES};
use super::policy::{Flow, TypeEntry};
use crate::server::operation::{OperationId, Register, UploadSigningKeys};
use crate::wire::{MAX_AUTH_TYPE_LEN, StageId, same};

/// The flows so far, and what they name.
#[derive(Debug)]
pub(super) struct Draft {
    types: [TypeEntry; MAX_TYPES],
    types_len: usize,
    flows: [Flow; MAX_FLOWS],
    flows_len: usize,
    /// The flow that is being read.
    current: Flow,
}

/// What is wrong with a stage or a flow; whoever reads the flows knows which it is.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    BadName,
    WrongOperation,
    NameCollision,
    RepeatedStage,
    TooManyTypes,
    TooManyStages,
    EmptyFlow,
    TooManyFlows,
    NoFlows,
    /// The new flow is that flow again. Flows are counted from 1.
    RepeatedFlow(usize),
    /// The first can't be completed: the second always is before.
    Shadowed(usize, usize),
}

impl Draft {
    pub(super) const fn new() -> Self {
        Self {
            types: [TypeEntry::NONE; MAX_TYPES],
            types_len: 0,
            flows: [Flow::new(); MAX_FLOWS],
            flows_len: 0,
            current: Flow::new(),
        }
    }

    pub(super) const fn clear(&mut self) {
        (self.types_len, self.flows_len, self.current) = (0, 0, Flow::new());
    }

    pub(super) const fn types(&self) -> &[TypeEntry] {
        first(&self.types, self.types_len)
    }

    pub(super) const fn flows(&self) -> &[Flow] {
        first(&self.flows, self.flows_len)
    }

    /// Takes a stage into the flow that is being read. Its name will stand at `start` of the
    /// text, behind what is `written`, where the names of the stages before it are.
    pub(super) const fn stage(
        &mut self,
        operation: OperationId,
        name: &str,
        written: &[u8],
        start: usize,
    ) -> Result<(), Fault> {
        if !is_usable(name.as_bytes()) {
            return Err(Fault::BadName);
        }
        let id = StageId::named(name);
        if !allowed(operation, id) {
            return Err(Fault::WrongOperation);
        }
        match find(self.types(), id) {
            Some(known) if !is_at(written, known, name.as_bytes()) => return Err(Fault::NameCollision),
            Some(_) => {}
            None => {
                // The quotes around it count.
                let end = start.saturating_add(name.len()).saturating_add(2);
                let Some((_, [place, ..])) = self.types.split_at_mut_checked(self.types_len) else {
                    return Err(Fault::TooManyTypes);
                };
                *place = TypeEntry { id, start, end };
                self.types_len = self.types_len.saturating_add(1);
            }
        }
        if self.current.contains(id) {
            return Err(Fault::RepeatedStage);
        }
        if self.current.push(id) { Ok(()) } else { Err(Fault::TooManyStages) }
    }

    /// The flow that was being read is whole; the next begins.
    pub(super) const fn end_flow(&mut self) -> Result<(), Fault> {
        let flow = core::mem::replace(&mut self.current, Flow::new());
        if flow.stages().is_empty() {
            return Err(Fault::EmptyFlow);
        }
        let number = self.flows_len.saturating_add(1);
        let (mut other, mut before) = (1, self.flows());
        while let [earlier, rest @ ..] = before {
            match (earlier.begins_with(&flow), flow.begins_with(earlier)) {
                (true, true) => return Err(Fault::RepeatedFlow(other)),
                (false, true) => return Err(Fault::Shadowed(number, other)),
                (true, false) => return Err(Fault::Shadowed(other, number)),
                (false, false) => {}
            }
            (other, before) = (other.saturating_add(1), rest);
        }
        let Some((_, [place, ..])) = self.flows.split_at_mut_checked(self.flows_len) else {
            return Err(Fault::TooManyFlows);
        };
        *place = flow;
        self.flows_len = number;
        Ok(())
    }

    /// There are no more flows.
    pub(super) const fn end(&self) -> Result<(), Fault> {
        if self.flows().is_empty() { Err(Fault::NoFlows) } else { Ok(()) }
    }
}

impl Flow {
    pub(super) const fn new() -> Self {
        Self { stages: [StageId::NONE; MAX_STAGES], len: 0 }
    }

    #[inline]
    pub(super) const fn stages(&self) -> &[StageId] {
        first(&self.stages, self.len)
    }

    const fn push(&mut self, stage: StageId) -> bool {
        let Some((_, [place, ..])) = self.stages.split_at_mut_checked(self.len) else { return false };
        *place = stage;
        self.len = self.len.saturating_add(1);
        true
    }

    const fn contains(&self, stage: StageId) -> bool {
        let mut stages = self.stages();
        while let [first, rest @ ..] = stages {
            if first.is(stage) {
                return true;
            }
            stages = rest;
        }
        false
    }

    const fn begins_with(&self, other: &Self) -> bool {
        let (mut stages, mut others) = (self.stages(), other.stages());
        while let [other, others_rest @ ..] = others {
            match stages {
                [stage, rest @ ..] if stage.is(*other) => (stages, others) = (rest, others_rest),
                _ => return false,
            }
        }
        true
    }
}

#[inline]
const fn first<T>(all: &[T], len: usize) -> &[T] {
    match all.split_at_checked(len) {
        Some((first, _)) => first,
        None => all,
    }
}

const fn find(types: &[TypeEntry], id: StageId) -> Option<TypeEntry> {
    let mut types = types;
    while let [entry, rest @ ..] = types {
        if entry.id.is(id) {
            return Some(*entry);
        }
        types = rest;
    }
    None
}

/// Whether that is the name between the quotes there.
const fn is_at(written: &[u8], entry: TypeEntry, name: &[u8]) -> bool {
    let Some((_, text)) = written.split_at_checked(entry.start.saturating_add(1)) else { return false };
    let Some((known, _)) = text.split_at_checked(entry.end.saturating_sub(entry.start).saturating_sub(2))
    else {
        return false;
    };
    same(known, name)
}

/// Whether a policy may have a stage of that name: 1 to 96 bytes, no quote, backslash or
/// control character, of which Unicode has some in two bytes.
const fn is_usable(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, behind @ ..] = rest {
        if matches!((*byte, behind), (0..=0x1F | b'"' | b'\\' | 0x7F, _) | (0xC2, [0x80..=0x9F, ..])) {
            return false;
        }
        rest = behind;
    }
    !name.is_empty() && name.len() <= MAX_AUTH_TYPE_LEN
}

const fn allowed(operation: OperationId, stage: StageId) -> bool {
    if stage.is(StageId::TERMS) || stage.is(StageId::REGISTRATION_TOKEN) {
        operation.is(Register::ID)
    } else {
        !stage.is(StageId::OAUTH) || operation.is(UploadSigningKeys::ID)
    }
}
