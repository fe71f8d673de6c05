//! Writes a policy's text in one pass over what the operator named, and checks it.

use core::fmt::{self, Write};

use super::draft::{Draft, Fault};
use super::error::{PolicyError, StageName};
use super::policy::{SESSION, TypeEntry};
use crate::server::operation::OperationId;
use crate::wire::json::{self, Raw};
use crate::wire::{AuthType, Fnv};

/// What the text of a policy is cut into.
pub(super) mod piece {
    pub(in super::super) const BEGIN: &str = "{\"flows\":[";
    pub(in super::super) const BEGIN_FLOW: &str = "{\"stages\":[";
    pub(in super::super) const END_FLOW: &str = "]}";
    pub(in super::super) const BEGIN_PARAMS: &str = "],\"params\":{";
    pub(in super::super) const END_PARAMS: &str = "}";
}

/// What a policy's text has beside the flows.
pub(super) struct Params {
    /// Which terms they present; 0 if none.
    pub(super) terms: u32,
    /// Where they stand.
    pub(super) at: usize,
}

pub(super) fn encode<F, S, W: Sink>(
    operation: OperationId,
    named: impl IntoIterator<Item = F>,
    params: Option<Raw<'_>>,
    sink: &mut W,
    draft: &mut Draft,
) -> Result<Params, PolicyError>
where
    F: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    sink.write_str(piece::BEGIN)?;
    for (flow, stages) in (1_usize..).zip(named) {
        sink.write_str(if flow == 1 { "" } else { "," })?;
        sink.write_str(piece::BEGIN_FLOW)?;
        for (stage, name) in (1_usize..).zip(stages) {
            let name = name.as_ref();
            sink.write_str(if stage == 1 { "" } else { "," })?;
            let written = sink.written();
            draft
                .stage(operation, name, written, written.len())
                .map_err(|fault| refused(fault, flow, stage, name))?;
            for part in ["\"", name, "\""] {
                sink.write_str(part)?;
            }
        }
        draft.end_flow().map_err(|fault| refused(fault, flow, 0, ""))?;
        sink.write_str(piece::END_FLOW)?;
    }
    draft.end().map_err(|fault| refused(fault, 0, 0, ""))?;
    sink.write_str(piece::BEGIN_PARAMS)?;
    let at = sink.written().len().wrapping_sub(1);
    let terms = params.map_or(Ok(0), |params| encode_params(params, draft.types(), sink))?;
    sink.write_str(piece::END_PARAMS)?;
    sink.write_str(SESSION)?;
    Ok(Params { terms, at })
}

fn refused(fault: Fault, flow: usize, index: usize, name: &str) -> PolicyError {
    let stage = StageName::try_from(name).unwrap_or_default();
    match fault {
        Fault::BadName => PolicyError::BadName { flow, stage: index },
        Fault::WrongOperation => PolicyError::WrongOperation { flow, stage },
        Fault::NameCollision => PolicyError::NameCollision { flow, stage },
        Fault::RepeatedStage => PolicyError::RepeatedStage { flow, stage },
        Fault::TooManyTypes => PolicyError::TooManyTypes,
        Fault::TooManyStages => PolicyError::TooManyStages { flow },
        Fault::EmptyFlow => PolicyError::EmptyFlow { flow },
        Fault::TooManyFlows => PolicyError::TooManyFlows,
        Fault::NoFlows => PolicyError::NoFlows,
        Fault::RepeatedFlow(same_as) => PolicyError::RepeatedFlow { flow, same_as },
        Fault::Shadowed(flow, by) => PolicyError::Shadowed { flow, by },
    }
}

/// Writes the params of the stages there are; returns which terms they present.
// Not inlined: the reader would lie in the frame of a caller that has the flows in its own.
#[inline(never)]
fn encode_params<W: Sink>(params: Raw<'_>, types: &[TypeEntry], sink: &mut W) -> Result<u32, PolicyError> {
    let mut terms = 0;
    let mut first = true;
    let mut written = Ok(());
    params
        .reader()
        .object(|reader, key| {
            let auth_type = AuthType::from_text(key);
            let value = reader.raw()?;
            if !value.is_object() {
                written = Err(PolicyError::BadParams);
            }
            if written.is_err() || !types.iter().any(|entry| entry.id == auth_type.id()) {
                return Ok(());
            }
            if auth_type == AuthType::Terms {
                let mut hash = Fnv::new();
                hash.write(value.as_str().as_bytes());
                // 0 means that no terms are presented.
                terms = hash.low32().max(1);
            }
            let comma = if core::mem::take(&mut first) { "" } else { "," };
            written = sink
                .write_str(comma)
                .and_then(|()| json::write_text(sink, key))
                .and_then(|()| sink.write_str(":"))
                .and_then(|()| sink.write_str(value.as_str()))
                .map_err(PolicyError::from);
            Ok(())
        })
        .map_err(|_| PolicyError::BadParams)?;
    written.map(|()| terms)
}

/// Where the text goes, and what of it has been written: the names stand in it.
pub(super) trait Sink: Write {
    fn written(&self) -> &[u8];
}

#[cfg(feature = "alloc")]
impl Sink for alloc::string::String {
    fn written(&self) -> &[u8] {
        self.as_bytes()
    }
}

pub(super) struct SliceWriter<'b> {
    pub(super) buffer: &'b mut [u8],
    pub(super) at: usize,
}

impl<'b> SliceWriter<'b> {
    pub(super) const fn written(&self) -> &[u8] {
        match self.buffer.split_at_checked(self.at) {
            Some((written, _)) => written,
            None => &[],
        }
    }

    /// Whether the text has fitted.
    pub(super) const fn push(&mut self, text: &str) -> bool {
        let Some((_, free)) = self.buffer.split_at_mut_checked(self.at) else { return false };
        let Some((place, _)) = free.split_at_mut_checked(text.len()) else { return false };
        place.copy_from_slice(text.as_bytes());
        self.at = self.at.saturating_add(text.len());
        true
    }

    pub(super) fn into_str(self) -> Option<&'b str> {
        let buffer: &'b [u8] = self.buffer;
        core::str::from_utf8(buffer.get(..self.at)?).ok()
    }
}

impl Sink for SliceWriter<'_> {
    fn written(&self) -> &[u8] {
        self.written()
    }
}

impl Write for SliceWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text).then_some(()).ok_or(fmt::Error)
    }
}
