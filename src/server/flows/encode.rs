//! Checks a policy while it is written: one pass over what the operator named.

use core::fmt::{self, Write};

use super::error::{PolicyError, StageName};
use super::policy::{Flow, Policy, SESSION, TypeEntry};
use crate::server::operation::{OperationId, Register, UploadSigningKeys};
use crate::wire::json::{self, Raw};
use crate::wire::{AuthType, Fnv, MAX_AUTH_TYPE_LEN, StageId};

pub(super) fn encode<F, S, W: Sink>(
    operation: OperationId,
    named: impl IntoIterator<Item = F>,
    params: Option<Raw<'_>>,
    sink: &mut W,
    policy: &mut Policy<'_>,
) -> Result<(), PolicyError>
where
    F: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let Policy { types, flows, terms, params_at, encoded: _ } = policy;
    sink.write_str("{\"flows\":[")?;
    for (number, stages) in (1_usize..).zip(named) {
        sink.write_str(if number == 1 { "{\"stages\":[" } else { ",{\"stages\":[" })?;
        let mut flow = Flow::new();
        for (index, name) in (1_usize..).zip(stages) {
            let name = name.as_ref();
            let stage = check_stage(operation, number, index, name)?;
            let named = || StageName::try_from(name).unwrap_or_default();
            let known = types.iter().find(|entry| entry.id == stage);
            let known = known.map(|entry| sink.written().get(entry.start..entry.end).unwrap_or_default());
            let is_new = known.is_none();
            // Both stand between quotes there.
            if known.is_some_and(|known| known.get(1..known.len().wrapping_sub(1)) != Some(name.as_bytes())) {
                return Err(PolicyError::NameCollision { flow: number, stage: named() });
            }
            if flow.contains(&stage) {
                return Err(PolicyError::RepeatedStage { flow: number, stage: named() });
            }
            let opening = if index > 1 { ",\"" } else { "\"" };
            sink.write_str(opening)?;
            let start = sink.written().len().wrapping_sub(1);
            sink.write_str(name)?;
            sink.write_str("\"")?;
            if is_new {
                let entry = TypeEntry { id: stage, start, end: sink.written().len() };
                types.push(entry).map_err(|_| PolicyError::TooManyTypes)?;
            }
            flow.push(stage).map_err(|_| PolicyError::TooManyStages { flow: number })?;
        }
        if flow.is_empty() {
            return Err(PolicyError::EmptyFlow { flow: number });
        }
        sink.write_str("]}")?;
        check_reachable(flows, &flow, number)?;
        flows.push(flow).map_err(|_| PolicyError::TooManyFlows)?;
    }
    if flows.is_empty() {
        return Err(PolicyError::NoFlows);
    }
    sink.write_str("],\"params\":{")?;
    *params_at = sink.written().len().wrapping_sub(1);
    if let Some(params) = params {
        *terms = encode_params(params, types, sink)?;
    }
    sink.write_str("}")?;
    sink.write_str(SESSION)?;
    Ok(())
}

fn check_stage(
    operation: OperationId,
    flow: usize,
    index: usize,
    name: &str,
) -> Result<StageId, PolicyError> {
    let plain = |c: char| !c.is_control() && c != '"' && c != '\\';
    if name.is_empty() || name.len() > MAX_AUTH_TYPE_LEN || !name.chars().all(plain) {
        return Err(PolicyError::BadName { flow, stage: index });
    }
    let auth_type = AuthType::from(name);
    let allowed = match auth_type {
        AuthType::Terms | AuthType::RegistrationToken => operation == Register::ID,
        AuthType::OAuth => operation == UploadSigningKeys::ID,
        _ => true,
    };
    if allowed {
        Ok(auth_type.id())
    } else {
        Err(PolicyError::WrongOperation { flow, stage: StageName::try_from(name).unwrap_or_default() })
    }
}

fn check_reachable(flows: &[Flow], new: &Flow, number: usize) -> Result<(), PolicyError> {
    for (other, flow) in (1_usize..).zip(flows) {
        if flow == new {
            return Err(PolicyError::RepeatedFlow { flow: number, same_as: other });
        }
        if new.starts_with(flow) {
            return Err(PolicyError::Shadowed { flow: number, by: other });
        }
        if flow.starts_with(new) {
            return Err(PolicyError::Shadowed { flow: other, by: number });
        }
    }
    Ok(())
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
    pub(super) fn into_str(self) -> Option<&'b str> {
        let buffer: &'b [u8] = self.buffer;
        core::str::from_utf8(buffer.get(..self.at)?).ok()
    }
}

impl Sink for SliceWriter<'_> {
    fn written(&self) -> &[u8] {
        self.buffer.get(..self.at).unwrap_or_default()
    }
}

impl Write for SliceWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.at.saturating_add(text.len());
        self.buffer.get_mut(self.at..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.at = end;
        Ok(())
    }
}
