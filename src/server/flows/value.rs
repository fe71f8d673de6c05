//! The flows that an operation is guarded with.

use core::fmt;
use core::marker::PhantomData;

use super::buffer::FlowsBuffer;
#[cfg(feature = "alloc")]
use super::draft::Draft;
use super::encode::{Params, SliceWriter, encode};
use super::error::PolicyError;
use super::held::Held;
use super::policy::Policy;
use crate::server::operation::{Operation, OperationId};
use crate::wire::AuthType;
use crate::wire::json::Raw;

/// The flows and params that one operation is guarded with: read when the program starts, or
/// without params made by [`flows!`](crate::flows) when it is compiled.
///
/// ```
/// use matrix_uia::Flows;
/// use matrix_uia::server::operation::{ChangePassword, Register};
/// let flows = Flows::<ChangePassword>::new([["m.login.password"]], None)?;
///
/// // What could never be completed can't be built:
/// let error = Flows::<Register>::new([vec!["m.login.dummy"], vec!["m.login.dummy", "m.login.terms"]], None).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "flow 1 is the beginning of flow 2, which could never be completed: end flow 1 with m.login.dummy",
/// );
/// # Ok::<(), matrix_uia::PolicyError>(())
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
    /// [`PolicyError`] names the flow and the mend.
    #[cfg(feature = "alloc")]
    pub fn new<F, S>(flows: impl IntoIterator<Item = F>, params: Option<Raw<'_>>) -> Result<Self, PolicyError>
    where
        F: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let (mut text, mut draft) = (alloc::string::String::new(), Draft::new());
        let Params { terms, at } = encode(OperationId::of::<Op>(), flows, params, &mut text, &mut draft)?;
        Ok(Self::over(Policy {
            encoded: Held::Owned(text.into()),
            types: Held::Owned(draft.types().into()),
            flows: Held::Owned(draft.flows().into()),
            terms,
            params_at: at,
        }))
    }
}

impl<'p, Op: Operation> Flows<'p, Op> {
    /// A policy that stands in the caller's `buffer`: no heap.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the flow and the mend; [`PolicyError::BufferFull`] if what every
    /// challenge begins with, the flows and params up to the session's ID, is longer than the
    /// text of `buffer`.
    pub fn in_buffer<F, S, const TEXT: usize>(
        flows: impl IntoIterator<Item = F>,
        params: Option<Raw<'_>>,
        buffer: &'p mut FlowsBuffer<TEXT>,
    ) -> Result<Self, PolicyError>
    where
        F: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut text = SliceWriter { buffer: &mut buffer.text, at: 0 };
        // Filled where it stands: each copy of it would be a kilobyte more on a small
        // processor's stack.
        let draft = &mut buffer.draft;
        draft.clear();
        let Params { terms, at } = encode(OperationId::of::<Op>(), flows, params, &mut text, draft)?;
        Ok(Self::over(Policy {
            encoded: Held::Borrowed(text.into_str().ok_or(PolicyError::BufferFull)?),
            types: Held::Borrowed(draft.types()),
            flows: Held::Borrowed(draft.flows()),
            terms,
            params_at: at,
        }))
    }

    pub(super) const fn over(policy: Policy<'p>) -> Self {
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
        f.debug_tuple("Flows").field(&self.policy.head()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::server::flows::error::StageName;
    use crate::server::flows::limits::MAX_FLOWS;
    use crate::server::operation::{ChangePassword, Register, UploadSigningKeys};

    fn refusal(flows: &[&[&str]]) -> PolicyError {
        Flows::<Register>::in_buffer(
            flows.iter().map(|flow| flow.iter()),
            None,
            &mut FlowsBuffer::<8192>::new(),
        )
        .unwrap_err()
    }

    #[test]
    fn every_refusal_names_the_flow() {
        assert_eq!(refusal(&[]), PolicyError::NoFlows);
        assert_eq!(refusal(&[&["a"], &[]]), PolicyError::EmptyFlow { flow: 2 });
        let stage = StageName::try_from("a").unwrap();
        assert_eq!(refusal(&[&["a", "b", "a"]]), PolicyError::RepeatedStage { flow: 1, stage });
        assert_eq!(refusal(&[&["a"], &["a", "b"]]), PolicyError::Shadowed { flow: 2, by: 1 });
        assert_eq!(refusal(&[&["a", "b"], &["a"]]), PolicyError::Shadowed { flow: 1, by: 2 });
        assert_eq!(refusal(&[&["a"], &["b"], &["a"]]), PolicyError::RepeatedFlow { flow: 3, same_as: 1 });
        assert_eq!(refusal(&[&["a", "b\""]]), PolicyError::BadName { flow: 1, stage: 2 });
        assert_eq!(refusal(&[&[""]]), PolicyError::BadName { flow: 1, stage: 1 });
        let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert_eq!(refusal(&[&nine]), PolicyError::TooManyStages { flow: 1 });
        let many: Vec<Vec<String>> = (0..=MAX_FLOWS).map(|i| vec![i.to_string()]).collect();
        let error = Flows::<Register>::in_buffer(&many, None, &mut FlowsBuffer::<8192>::new()).unwrap_err();
        assert_eq!(error, PolicyError::TooManyFlows);
    }

    #[test]
    fn stages_of_one_operation_are_refused_elsewhere() {
        for stage in ["m.login.terms", "m.login.registration_token", "m.oauth"] {
            let error = Flows::<ChangePassword>::in_buffer([[stage]], None, &mut FlowsBuffer::<512>::new())
                .unwrap_err();
            assert!(matches!(error, PolicyError::WrongOperation { flow: 1, .. }), "{stage}");
        }
        assert!(
            Flows::<Register>::in_buffer([["m.login.terms"]], None, &mut FlowsBuffer::<512>::new()).is_ok()
        );
        assert!(
            Flows::<UploadSigningKeys>::in_buffer([["m.oauth"]], None, &mut FlowsBuffer::<512>::new())
                .is_ok()
        );
    }

    #[test]
    fn only_the_params_of_its_own_stages_are_encoded() {
        let params =
            Raw::parse(r#"{"m.login.recaptcha":{"public_key":"k"},"m.login.terms":{"policies":{}}}"#)
                .unwrap();
        let mut buffer = FlowsBuffer::<512>::new();
        let flows = Flows::<Register>::in_buffer([["m.login.recaptcha"]], Some(params), &mut buffer).unwrap();
        assert_eq!(
            flows.policy.head(),
            r#"{"flows":[{"stages":["m.login.recaptcha"]}],"params":{"m.login.recaptcha":{"public_key":"k"}},"session":""#,
        );
        assert_eq!(flows.policy.quoted(AuthType::Recaptcha.id()), Some("\"m.login.recaptcha\""));
    }

    #[test]
    fn a_buffer_one_byte_too_small_is_refused() {
        const NEEDED: usize = r#"{"flows":[{"stages":["m.login.dummy"]}],"params":{},"session":""#.len();
        let flow = [["m.login.dummy"]];
        assert!(Flows::<Register>::in_buffer(flow, None, &mut FlowsBuffer::<NEEDED>::new()).is_ok());
        let mut short = FlowsBuffer::<{ NEEDED - 1 }>::new();
        let error = Flows::<Register>::in_buffer(flow, None, &mut short).unwrap_err();
        assert_eq!(error, PolicyError::BufferFull);
    }
}
