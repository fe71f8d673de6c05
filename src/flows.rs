//! The policy: which flows an operation asks for, checked once.
//!
//! ```text
//!  names, params ─► Flows::new ──► Flows: can be completed, and is already encoded
//!                        └───────► FlowError: which flow, what is wrong, the mend
//! ```
//!
//! What exists can be completed: no flow is empty, repeats a stage, is cut short by
//! another, or asks for a stage its operation may not ask for. What of the 401 body does
//! not depend on the session is written here once and copied from then on.

use core::fmt::{self, Write};
use core::marker::PhantomData;

use crate::Text;
use crate::operation::{Operation, OperationId, Register, UploadSigningKeys};
use crate::wire::json::{self, Raw};
use crate::wire::{AuthType, Fnv, MAX_AUTH_TYPE_LEN, StageId};

/// Most flows of one policy.
pub const MAX_FLOWS: usize = 16;
/// Most stages of one flow.
pub const MAX_STAGES: usize = 8;
/// Most different stages in all flows of one policy.
pub const MAX_TYPES: usize = 32;

/// The flows and params that one operation is guarded with.
///
/// ```
/// use matrix_uia::Flows;
/// use matrix_uia::operation::{ChangePassword, Register};
/// let flows = Flows::<ChangePassword>::new([["m.login.password"]], None)?;
///
/// // What could never be completed can't be built:
/// let error = Flows::<Register>::new([vec!["m.login.dummy"], vec!["m.login.dummy", "m.login.terms"]], None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "flow 1 is the beginning of flow 2, which could never be completed: end flow 1 with m.login.dummy",
/// );
/// # Ok::<(), matrix_uia::FlowError>(())
/// ```
pub struct Flows<'p, Op> {
    policy: Policy<'p>,
    operation: PhantomData<fn() -> Op>,
}

impl<Op: Operation> Flows<'static, Op> {
    /// A policy that owns its text.
    ///
    /// `params` is a JSON object with params by auth type, of which those are sent that
    /// belong to a stage of these flows; one object can serve every policy of a host.
    ///
    /// # Errors
    ///
    /// [`FlowError`] names the flow and the mend.
    #[cfg(feature = "alloc")]
    pub fn new<F, S>(flows: impl IntoIterator<Item = F>, params: Option<Raw<'_>>) -> Result<Self, FlowError>
    where
        F: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut sink = Sink { out: alloc::string::String::new(), at: 0 };
        let mut built = Self::over(Policy::empty());
        encode(Op::ID, flows, params, &mut sink, &mut built.policy)?;
        built.policy.encoded = Encoded::Owned(sink.out.into());
        Ok(built)
    }
}

impl<'p, Op: Operation> Flows<'p, Op> {
    /// A policy whose text stands in the caller's `buffer`: no heap.
    ///
    /// # Errors
    ///
    /// [`FlowError`] names the flow and the mend; [`FlowError::BufferFull`] if the
    /// encoded flows and params are longer than `buffer`.
    pub fn in_buffer<F, S>(
        flows: impl IntoIterator<Item = F>,
        params: Option<Raw<'_>>,
        buffer: &'p mut [u8],
    ) -> Result<Self, FlowError>
    where
        F: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut sink = Sink { out: SliceWriter { buffer, at: 0 }, at: 0 };
        // Filled where it stands: a policy is a kilobyte, and each copy of it would be one
        // more on a small processor's stack.
        let mut built = Self::over(Policy::empty());
        encode(Op::ID, flows, params, &mut sink, &mut built.policy)?;
        built.policy.encoded = Encoded::Borrowed(sink.out.into_str().ok_or(FlowError::BufferFull)?);
        Ok(built)
    }

    const fn over(policy: Policy<'p>) -> Self {
        Self { policy, operation: PhantomData }
    }

    pub(crate) const fn policy(&self) -> &Policy<'p> {
        &self.policy
    }

    /// Whether a stage of that type occurs in any flow.
    #[must_use]
    pub fn offers(&self, auth_type: AuthType<'_>) -> bool {
        self.policy.offers(auth_type.id())
    }
}

impl<Op> fmt::Debug for Flows<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flows").field(&self.policy.encoded.as_str()).finish()
    }
}

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

/// [`Flows`] without the operation: one copy of the code for all of them.
pub(crate) struct Policy<'p> {
    /// `"flows":[…],"params":{…}`
    encoded: Encoded<'p>,
    types: heapless::Vec<TypeEntry, MAX_TYPES>,
    flows: heapless::Vec<Flow, MAX_FLOWS>,
    /// Which terms these flows present; 0 if none.
    terms: u32,
    /// Where the params' object stands in the encoded text.
    params_at: usize,
}

/// Which terms a policy presents, as their page's form says it has shown them. Rule U21.
///
/// It stands for the whole of the `m.login.terms` params: any version, name or URL in them
/// that changes makes another.
///
/// ```
/// use matrix_uia::flows::TermsVersion;
/// assert_eq!(TermsVersion::parse("0000002a".into()).map(|it| it.to_string()).as_deref(), Some("0000002a"));
/// assert_eq!(TermsVersion::parse("2a".into()), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermsVersion(pub(crate) u32);

impl TermsVersion {
    /// The version that a form's field says; `None` if no page of ours wrote it.
    #[must_use]
    pub fn parse(text: Text<'_>) -> Option<Self> {
        let hex = text.to_fixed::<8>().ok().filter(|hex| hex.len() == 8)?;
        let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u32::from_str_radix(&hex, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for TermsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

type Flow = heapless::Vec<StageId, MAX_STAGES>;

#[derive(Clone, Copy)]
struct TypeEntry {
    id: StageId,
    /// Where its name stands in the encoded text, quotes included.
    start: usize,
    end: usize,
}

enum Encoded<'p> {
    Borrowed(&'p str),
    #[cfg(feature = "alloc")]
    Owned(alloc::boxed::Box<str>),
}

impl Encoded<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            #[cfg(feature = "alloc")]
            Self::Owned(text) => text,
        }
    }
}

impl Policy<'_> {
    const fn empty() -> Self {
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
        let all = self.encoded().get(self.params_at..)?;
        let read = Raw::parse(all).ok()?.reader().object(|reader, key| {
            let value = reader.raw()?;
            if AuthType::from_text(key).id() == stage {
                found = Some(value);
            }
            Ok(())
        });
        read.ok().and(found)
    }

    pub(crate) fn encoded(&self) -> &str {
        self.encoded.as_str()
    }

    pub(crate) const fn terms(&self) -> u32 {
        self.terms
    }

    pub(crate) fn offers(&self, stage: StageId) -> bool {
        self.types.iter().any(|entry| entry.id == stage)
    }

    /// Whether a custom stage is one of these flows' by its whole name, not only its number.
    pub(crate) fn offers_by_name(&self, auth_type: AuthType<'_>) -> bool {
        let AuthType::Custom(name) = auth_type else { return self.offers(auth_type.id()) };
        let quoted = self.quoted(auth_type.id());
        quoted.and_then(|it| it.strip_prefix('"')?.strip_suffix('"')).is_some_and(|it| name == *it)
    }

    /// The stage's name in quotes, as `completed` shows it.
    pub(crate) fn quoted(&self, stage: StageId) -> Option<&str> {
        let entry = self.types.iter().find(|entry| entry.id == stage)?;
        self.encoded().get(entry.start..entry.end)
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
        self.flows.iter().any(|flow| match order {
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

/// Why a policy was refused: what the operator has to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowError {
    /// There is no flow at all.
    NoFlows,
    /// More than [`MAX_FLOWS`] flows.
    TooManyFlows,
    /// More than [`MAX_TYPES`] different stages.
    TooManyTypes,
    /// A flow without stages. Flows are counted from 1.
    EmptyFlow {
        /// Which flow.
        flow: usize,
    },
    /// A flow of more than [`MAX_STAGES`] stages.
    TooManyStages {
        /// Which flow.
        flow: usize,
    },
    /// A flow asks for one stage twice.
    RepeatedStage {
        /// Which flow.
        flow: usize,
        /// The stage.
        stage: StageName,
    },
    /// A name that is empty, too long, or has a quote, a backslash or a control
    /// character.
    BadName {
        /// Which flow.
        flow: usize,
        /// Which stage of it, from 1.
        stage: usize,
    },
    /// Two custom names that a stored session could not tell apart.
    NameCollision {
        /// Which flow.
        flow: usize,
        /// The later of the two names.
        stage: StageName,
    },
    /// A stage that this operation may not ask for: `m.login.terms` and
    /// `m.login.registration_token` belong to registration, `m.oauth` to the upload of
    /// cross-signing keys.
    WrongOperation {
        /// Which flow.
        flow: usize,
        /// The stage.
        stage: StageName,
    },
    /// A flow whose beginning is all of another flow, and so never reached.
    Shadowed {
        /// The flow that can't be completed.
        flow: usize,
        /// The flow that is always completed first.
        by: usize,
    },
    /// Two equal flows.
    RepeatedFlow {
        /// The later one.
        flow: usize,
        /// The earlier one.
        same_as: usize,
    },
    /// `params` is no object of objects.
    BadParams,
    /// The caller's buffer is too small.
    BufferFull,
}

/// The name of a stage in a [`FlowError`].
pub type StageName = heapless::String<MAX_AUTH_TYPE_LEN>;

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFlows => f.write_str("there is no flow: offer at least m.login.dummy"),
            Self::TooManyFlows => write!(f, "there are more than {MAX_FLOWS} flows: remove some"),
            Self::TooManyTypes => {
                write!(f, "the flows have more than {MAX_TYPES} different stages: remove some")
            }
            Self::EmptyFlow { flow } => {
                write!(f, "flow {flow} has no stages: use m.login.dummy for a flow that asks for nothing")
            }
            Self::TooManyStages { flow } => {
                write!(f, "flow {flow} has more than {MAX_STAGES} stages: remove some")
            }
            Self::RepeatedStage { flow, stage } => {
                write!(f, "flow {flow} asks for {stage} twice: remove one of them")
            }
            Self::BadName { flow, stage } => write!(
                f,
                "flow {flow}, stage {stage} has no usable name: use 1 to {MAX_AUTH_TYPE_LEN} bytes without quotes, backslashes and control characters",
            ),
            Self::NameCollision { flow, stage } => {
                write!(f, "flow {flow}: {stage} can't be told from another stage: rename it")
            }
            Self::WrongOperation { flow, stage } => write!(
                f,
                "flow {flow} asks for {stage}, which is only for {}: remove it",
                if stage == "m.oauth" { "the upload of cross-signing keys" } else { "registration" },
            ),
            Self::Shadowed { flow, by } => write!(
                f,
                "flow {by} is the beginning of flow {flow}, which could never be completed: end flow {by} with m.login.dummy",
            ),
            Self::RepeatedFlow { flow, same_as } => {
                write!(f, "flow {flow} is flow {same_as} again: remove one of them")
            }
            Self::BadParams => {
                f.write_str("params is not an object of objects: give each auth type an object")
            }
            Self::BufferFull => f.write_str("the buffer is too small for the flows and params: enlarge it"),
        }
    }
}

impl core::error::Error for FlowError {}

fn encode<F, S, W: Write>(
    operation: OperationId,
    named: impl IntoIterator<Item = F>,
    params: Option<Raw<'_>>,
    sink: &mut Sink<W>,
    policy: &mut Policy<'_>,
) -> Result<(), FlowError>
where
    F: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let Policy { types, flows, terms, params_at, encoded: _ } = policy;
    let mut names = [0_u64; MAX_TYPES];
    sink.write_str("\"flows\":[")?;
    for (number, stages) in (1_usize..).zip(named) {
        sink.write_str(if number == 1 { "{\"stages\":[" } else { ",{\"stages\":[" })?;
        let mut flow = Flow::new();
        for (index, name) in (1_usize..).zip(stages) {
            let name = name.as_ref();
            let stage = check_stage(operation, number, index, name)?;
            let named = || StageName::try_from(name).unwrap_or_default();
            if flow.contains(&stage) {
                return Err(FlowError::RepeatedStage { flow: number, stage: named() });
            }
            if index > 1 {
                sink.write_str(",")?;
            }
            let start = sink.at;
            sink.write_str("\"")?;
            sink.write_str(name)?;
            sink.write_str("\"")?;
            let mut hash = Fnv::new();
            hash.write(name.as_bytes());
            let hash = hash.finish();
            match types.iter().zip(names).find(|(entry, _)| entry.id == stage) {
                Some((_, known)) if known != hash => {
                    return Err(FlowError::NameCollision { flow: number, stage: named() });
                }
                Some(_) => {}
                None => {
                    if let Some(slot) = names.get_mut(types.len()) {
                        *slot = hash;
                    }
                    let entry = TypeEntry { id: stage, start, end: sink.at };
                    types.push(entry).map_err(|_| FlowError::TooManyTypes)?;
                }
            }
            flow.push(stage).map_err(|_| FlowError::TooManyStages { flow: number })?;
        }
        if flow.is_empty() {
            return Err(FlowError::EmptyFlow { flow: number });
        }
        sink.write_str("]}")?;
        check_reachable(flows, &flow, number)?;
        flows.push(flow).map_err(|_| FlowError::TooManyFlows)?;
    }
    if flows.is_empty() {
        return Err(FlowError::NoFlows);
    }
    sink.write_str("],\"params\":")?;
    *params_at = sink.at;
    sink.write_str("{")?;
    if let Some(params) = params {
        *terms = encode_params(params, types, sink)?;
    }
    sink.write_str("}")?;
    Ok(())
}

fn check_stage(operation: OperationId, flow: usize, index: usize, name: &str) -> Result<StageId, FlowError> {
    let plain = |c: char| !c.is_control() && c != '"' && c != '\\';
    if name.is_empty() || name.len() > MAX_AUTH_TYPE_LEN || !name.chars().all(plain) {
        return Err(FlowError::BadName { flow, stage: index });
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
        Err(FlowError::WrongOperation { flow, stage: StageName::try_from(name).unwrap_or_default() })
    }
}

fn check_reachable(flows: &[Flow], new: &Flow, number: usize) -> Result<(), FlowError> {
    for (other, flow) in (1_usize..).zip(flows) {
        if flow == new {
            return Err(FlowError::RepeatedFlow { flow: number, same_as: other });
        }
        if new.starts_with(flow) {
            return Err(FlowError::Shadowed { flow: number, by: other });
        }
        if flow.starts_with(new) {
            return Err(FlowError::Shadowed { flow: other, by: number });
        }
    }
    Ok(())
}

/// Writes the params of the stages there are; returns which terms they present.
// Not inlined: the reader would lie in the frame of a caller that has the flows in its own.
#[inline(never)]
fn encode_params<W: Write>(
    params: Raw<'_>,
    types: &[TypeEntry],
    sink: &mut Sink<W>,
) -> Result<u32, FlowError> {
    let mut terms = 0;
    let mut first = true;
    let mut written = Ok(());
    params
        .reader()
        .object(|reader, key| {
            let auth_type = AuthType::from_text(key);
            let value = reader.raw()?;
            if !value.is_object() {
                written = Err(FlowError::BadParams);
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
                .map_err(FlowError::from);
            Ok(())
        })
        .map_err(|_| FlowError::BadParams)?;
    written.map(|()| terms)
}

impl From<fmt::Error> for FlowError {
    fn from(_: fmt::Error) -> Self {
        Self::BufferFull
    }
}

/// Counts what passes, to know where a name stands.
struct Sink<W> {
    out: W,
    at: usize,
}

impl<W: Write> Write for Sink<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_str(text)?;
        self.at = self.at.saturating_add(text.len());
        Ok(())
    }
}

struct SliceWriter<'b> {
    buffer: &'b mut [u8],
    at: usize,
}

impl<'b> SliceWriter<'b> {
    fn into_str(self) -> Option<&'b str> {
        let buffer: &'b [u8] = self.buffer;
        core::str::from_utf8(buffer.get(..self.at)?).ok()
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

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::operation::ChangePassword;

    fn refusal(flows: &[&[&str]]) -> FlowError {
        Flows::<Register>::in_buffer(flows.iter().map(|flow| flow.iter()), None, &mut [0; 8192]).unwrap_err()
    }

    #[test]
    fn every_refusal_names_the_flow() {
        assert_eq!(refusal(&[]), FlowError::NoFlows);
        assert_eq!(refusal(&[&["a"], &[]]), FlowError::EmptyFlow { flow: 2 });
        let stage = StageName::try_from("a").unwrap();
        assert_eq!(refusal(&[&["a", "b", "a"]]), FlowError::RepeatedStage { flow: 1, stage });
        assert_eq!(refusal(&[&["a"], &["a", "b"]]), FlowError::Shadowed { flow: 2, by: 1 });
        assert_eq!(refusal(&[&["a", "b"], &["a"]]), FlowError::Shadowed { flow: 1, by: 2 });
        assert_eq!(refusal(&[&["a"], &["b"], &["a"]]), FlowError::RepeatedFlow { flow: 3, same_as: 1 });
        assert_eq!(refusal(&[&["a", "b\""]]), FlowError::BadName { flow: 1, stage: 2 });
        assert_eq!(refusal(&[&[""]]), FlowError::BadName { flow: 1, stage: 1 });
        let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert_eq!(refusal(&[&nine]), FlowError::TooManyStages { flow: 1 });
        let many: Vec<Vec<String>> = (0..=MAX_FLOWS).map(|i| vec![i.to_string()]).collect();
        let error = Flows::<Register>::in_buffer(&many, None, &mut [0; 8192]).unwrap_err();
        assert_eq!(error, FlowError::TooManyFlows);
    }

    #[test]
    fn stages_of_one_operation_are_refused_elsewhere() {
        for stage in ["m.login.terms", "m.login.registration_token", "m.oauth"] {
            let error = Flows::<ChangePassword>::in_buffer([[stage]], None, &mut [0; 512]).unwrap_err();
            assert!(matches!(error, FlowError::WrongOperation { flow: 1, .. }), "{stage}");
        }
        assert!(Flows::<Register>::in_buffer([["m.login.terms"]], None, &mut [0; 512]).is_ok());
        assert!(Flows::<UploadSigningKeys>::in_buffer([["m.oauth"]], None, &mut [0; 512]).is_ok());
    }

    #[test]
    fn only_the_params_of_its_own_stages_are_encoded() {
        let params =
            Raw::parse(r#"{"m.login.recaptcha":{"public_key":"k"},"m.login.terms":{"policies":{}}}"#)
                .unwrap();
        let mut buffer = [0; 512];
        let flows = Flows::<Register>::in_buffer([["m.login.recaptcha"]], Some(params), &mut buffer).unwrap();
        assert_eq!(
            flows.policy.encoded(),
            r#""flows":[{"stages":["m.login.recaptcha"]}],"params":{"m.login.recaptcha":{"public_key":"k"}}"#,
        );
        assert_eq!(flows.policy.quoted(AuthType::Recaptcha.id()), Some("\"m.login.recaptcha\""));
    }

    #[test]
    fn a_buffer_one_byte_too_small_is_refused() {
        let needed = r#""flows":[{"stages":["m.login.dummy"]}],"params":{}"#.len();
        let mut buffer = [0; 128];
        assert!(Flows::<Register>::in_buffer([["m.login.dummy"]], None, &mut buffer[..needed]).is_ok());
        let error =
            Flows::<Register>::in_buffer([["m.login.dummy"]], None, &mut buffer[..needed - 1]).unwrap_err();
        assert_eq!(error, FlowError::BufferFull);
    }
}
