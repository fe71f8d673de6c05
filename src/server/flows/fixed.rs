//! Flows that are checked and written when they are compiled.

use core::marker::PhantomData;

use super::draft::{Draft, Fault};
use super::encode::{SliceWriter, piece};
use super::held::Held;
use super::limits::{MAX_FLOWS, MAX_STAGES};
use super::policy::{Flow, Policy, SESSION, TypeEntry};
use super::value::Flows;
use crate::server::operation::{Operation, OperationId};
use crate::wire::MAX_AUTH_TYPE_LEN;

/// [`Flows`](crate::Flows) that are checked when they are compiled:
/// `flows!(ChangePassword: [["m.login.password"]])`.
///
/// They take neither room nor time when the program runs, and what
/// [`Flows::new`](crate::Flows::new) would refuse does not compile. The operation is a type, the
/// names are constants. There are no `params`: stages that need some, as `m.login.terms` does,
/// take [`Flows::new`](crate::Flows::new) or [`Flows::in_buffer`](crate::Flows::in_buffer).
///
/// ```
/// use matrix_uia::server::operation::{ChangePassword, Register};
/// use matrix_uia::{Flows, flows};
/// static CHANGE_PASSWORD: Flows<'static, ChangePassword> = flows!(ChangePassword: [["m.login.password"]]);
/// let register = flows!(Register: [["m.login.dummy"], ["org.example.pin", "m.login.dummy"]]);
/// ```
///
/// ```compile_fail
/// # use matrix_uia::{flows, server::operation::Register};
/// // "a flow is the beginning of another, which could never be completed"
/// let register = flows!(Register: [["m.login.dummy"], ["m.login.dummy", "org.example.pin"]]);
/// ```
#[macro_export]
macro_rules! flows {
    ($operation:ty: [$([$($stage:expr),* $(,)?]),* $(,)?]) => {{
        const DRAFTED: $crate::server::flows::DraftedFlows<$operation> =
            match $crate::server::flows::DraftedFlows::new(&[$(&[$($stage),*]),*]) {
                Ok(drafted) => drafted,
                Err(why) => ::core::panic!("{}", why),
            };
        const FIXED: &$crate::server::flows::FixedFlows<
            $operation,
            { DRAFTED.text_len() },
            { DRAFTED.types_len() },
            { DRAFTED.flows_len() },
        > = &DRAFTED.fixed();
        const FLOWS: $crate::Flows<'static, $operation> = FIXED.flows();
        FLOWS
    }};
}

/// The text of the largest policy without params.
const MAX_TEXT: usize = piece::BEGIN.len()
    + MAX_FLOWS * (",".len() + piece::BEGIN_FLOW.len() + piece::END_FLOW.len())
    + MAX_FLOWS * MAX_STAGES * (",\"\"".len() + MAX_AUTH_TYPE_LEN)
    + piece::BEGIN_PARAMS.len()
    + piece::END_PARAMS.len()
    + SESSION.len();

/// What [`flows!`](crate::flows) makes while it compiles: any policy fits.
#[doc(hidden)]
#[derive(Debug)]
pub struct DraftedFlows<Op> {
    operation: PhantomData<fn() -> Op>,
    draft: Draft,
    text: [u8; MAX_TEXT],
    text_len: usize,
    params_at: usize,
}

/// The same as it stays in the program: of exactly the size it needs.
#[doc(hidden)]
#[derive(Debug)]
pub struct FixedFlows<Op, const TEXT: usize, const TYPES: usize, const FLOWS: usize> {
    operation: PhantomData<fn() -> Op>,
    text: [u8; TEXT],
    types: [TypeEntry; TYPES],
    flows: [Flow; FLOWS],
    params_at: usize,
}

impl<Op: Operation> DraftedFlows<Op> {
    /// Checks flows and writes their text.
    ///
    /// # Errors
    ///
    /// What [`Flows::new`] refuses, for the compiler to say.
    pub const fn new(named: &[&[&str]]) -> Result<Self, &'static str> {
        let (operation, draft, text) = (PhantomData, Draft::new(), [0; MAX_TEXT]);
        let mut drafted = Self { operation, draft, text, text_len: 0, params_at: 0 };
        match drafted.read(named) {
            Ok(()) => Ok(drafted),
            Err(fault) => Err(fault.sentence()),
        }
    }

    const fn read(&mut self, named: &[&[&str]]) -> Result<(), Fault> {
        let operation = OperationId::of::<Op>();
        let mut text = SliceWriter { buffer: &mut self.text, at: 0 };
        // What does not fit has too many flows or stages, which the draft says.
        let mut _fits = text.push(piece::BEGIN);
        let (mut flows, mut between_flows) = (named, "");
        while let [stages, flows_behind @ ..] = flows {
            _fits = text.push(between_flows) && text.push(piece::BEGIN_FLOW);
            let (mut stages, mut between) = (*stages, "");
            while let [name, stages_behind @ ..] = stages {
                _fits = text.push(between);
                let written = text.written();
                if let Err(fault) = self.draft.stage(operation, name, written, written.len()) {
                    return Err(fault);
                }
                _fits = text.push("\"") && text.push(name) && text.push("\"");
                (stages, between) = (stages_behind, ",");
            }
            if let Err(fault) = self.draft.end_flow() {
                return Err(fault);
            }
            _fits = text.push(piece::END_FLOW);
            (flows, between_flows) = (flows_behind, ",");
        }
        _fits = text.push(piece::BEGIN_PARAMS);
        self.params_at = text.at.saturating_sub(1);
        _fits = text.push(piece::END_PARAMS) && text.push(SESSION);
        self.text_len = text.at;
        self.draft.end()
    }

    /// Length of the text, in bytes.
    #[must_use]
    pub const fn text_len(&self) -> usize {
        self.text_len
    }

    /// How many different stages the flows name.
    #[must_use]
    pub const fn types_len(&self) -> usize {
        self.draft.types().len()
    }

    /// How many flows there are.
    #[must_use]
    pub const fn flows_len(&self) -> usize {
        self.draft.flows().len()
    }

    /// The beginning of each table: as much as there is of it.
    #[must_use]
    pub const fn fixed<const TEXT: usize, const TYPES: usize, const FLOWS: usize>(
        &self,
    ) -> FixedFlows<Op, TEXT, TYPES, FLOWS> {
        FixedFlows {
            operation: PhantomData,
            text: beginning(&self.text, 0),
            types: beginning(self.draft.types(), TypeEntry::NONE),
            flows: beginning(self.draft.flows(), Flow::new()),
            params_at: self.params_at,
        }
    }
}

impl<Op: Operation, const TEXT: usize, const TYPES: usize, const FLOWS: usize>
    FixedFlows<Op, TEXT, TYPES, FLOWS>
{
    /// The flows, which borrow what they are.
    #[must_use]
    pub const fn flows(&self) -> Flows<'_, Op> {
        // It was written from texts.
        let text = match core::str::from_utf8(&self.text) {
            Ok(text) => text,
            Err(_) => "",
        };
        Flows::over(Policy {
            encoded: Held::Borrowed(text),
            types: Held::Borrowed(&self.types),
            flows: Held::Borrowed(&self.flows),
            terms: 0,
            params_at: self.params_at,
        })
    }
}

const fn beginning<T: Copy, const N: usize>(all: &[T], empty: T) -> [T; N] {
    let mut beginning = [empty; N];
    let (mut all, mut places) = (all, beginning.as_mut_slice());
    while let ([first, rest @ ..], [place, behind @ ..]) = (all, places) {
        *place = *first;
        (all, places) = (rest, behind);
    }
    beginning
}

impl Fault {
    const fn sentence(self) -> &'static str {
        match self {
            Self::BadName => {
                "a stage has no usable name: use 1 to 96 bytes without quotes, backslashes and control characters"
            }
            Self::WrongOperation => "a stage that this operation may not ask for",
            Self::NameCollision => "a stage can't be told from another stage: rename it",
            Self::RepeatedStage => "a flow asks for a stage twice",
            Self::TooManyTypes => "the flows have too many different stages",
            Self::TooManyStages => "a flow has too many stages",
            Self::EmptyFlow => "a flow has no stages: use m.login.dummy for a flow that asks for nothing",
            Self::TooManyFlows => "there are too many flows",
            Self::NoFlows => "there is no flow: offer at least m.login.dummy",
            Self::RepeatedFlow(_) => "two flows are the same",
            Self::Shadowed(..) => "a flow is the beginning of another, which could never be completed",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    use super::super::buffer::FlowsBuffer;
    use super::super::error::PolicyError;
    use super::super::limits::MAX_TYPES;
    use super::*;
    use crate::server::operation::{ChangePassword, Register, UploadSigningKeys};

    /// The same flows, read when the program runs.
    fn assert_as_read<Op: Operation>(fixed: &Flows<'_, Op>, named: &[&[&str]]) {
        let mut buffer = FlowsBuffer::<1024>::new();
        let read = Flows::<Op>::in_buffer(named.iter().map(|flow| flow.iter()), None, &mut buffer).unwrap();
        let tables = |flows: &Flows<'_, Op>| {
            let Policy { encoded, types, flows, terms, params_at } = flows.policy();
            format!("{} {:?} {:?} {terms} {params_at}", encoded.get(), types.get(), flows.get())
        };
        assert_eq!(tables(fixed), tables(&read));
    }

    #[test]
    fn flows_of_the_compiler_are_those_that_are_read() {
        static CHANGE_PASSWORD: Flows<'static, ChangePassword> =
            flows!(ChangePassword: [["m.login.password"]]);
        assert_as_read(&CHANGE_PASSWORD, &[&["m.login.password"]]);
        let register = flows!(Register: [
            ["m.login.registration_token", "org.example.pin", "m.login.dummy"],
            ["org.example.pin", "m.login.terms", "pin é"],
            ["m.login.dummy"],
        ]);
        let named: [&[&str]; 3] = [
            &["m.login.registration_token", "org.example.pin", "m.login.dummy"],
            &["org.example.pin", "m.login.terms", "pin é"],
            &["m.login.dummy"],
        ];
        assert_as_read(&register, &named);
        assert_as_read(&flows!(UploadSigningKeys: [["m.oauth"]]), &[&["m.oauth"]]);
    }

    #[test]
    fn what_is_refused_when_it_is_read_does_not_compile() {
        let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let (one, other) = ("8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ");
        let names: Vec<String> = (0..=MAX_TYPES).map(|number| format!("{number}")).collect();
        let flow_of_one: Vec<Vec<&str>> = names.iter().map(|name| vec![name.as_str()]).collect();
        let many: Vec<&[&str]> = flow_of_one.iter().map(Vec::as_slice).collect();
        let of_eight: Vec<Vec<&str>> =
            names.chunks(8).map(|flow| flow.iter().map(String::as_str).collect()).collect();
        let different: Vec<&[&str]> = of_eight.iter().map(Vec::as_slice).collect();
        let refused: [(&[&[&str]], Fault, PolicyError); 10] = [
            (&[], Fault::NoFlows, PolicyError::NoFlows),
            (&[&["a"], &[]], Fault::EmptyFlow, PolicyError::EmptyFlow { flow: 2 }),
            (&[&["a\u{85}"]], Fault::BadName, PolicyError::BadName { flow: 1, stage: 1 }),
            (&[&nine], Fault::TooManyStages, PolicyError::TooManyStages { flow: 1 }),
            (&many[..=MAX_FLOWS], Fault::TooManyFlows, PolicyError::TooManyFlows),
            (&different, Fault::TooManyTypes, PolicyError::TooManyTypes),
            (&[&["a"], &["a", "b"]], Fault::Shadowed(2, 1), PolicyError::Shadowed { flow: 2, by: 1 }),
            (&[&["a"], &["a"]], Fault::RepeatedFlow(1), PolicyError::RepeatedFlow { flow: 2, same_as: 1 }),
            (
                &[&["a", "a"]],
                Fault::RepeatedStage,
                PolicyError::RepeatedStage { flow: 1, stage: "a".try_into().unwrap() },
            ),
            (
                &[&[one], &[other]],
                Fault::NameCollision,
                PolicyError::NameCollision { flow: 2, stage: other.try_into().unwrap() },
            ),
        ];
        for (named, fault, error) in refused {
            let drafted = DraftedFlows::<ChangePassword>::new(named);
            assert_eq!(drafted.err(), Some(fault.sentence()));
            let mut buffer = FlowsBuffer::<8192>::new();
            let read =
                Flows::<ChangePassword>::in_buffer(named.iter().map(|flow| flow.iter()), None, &mut buffer);
            assert_eq!(read.err(), Some(error));
        }
        let terms = DraftedFlows::<ChangePassword>::new(&[&["m.login.terms"]]);
        assert_eq!(terms.err(), Some(Fault::WrongOperation.sentence()));
    }

    #[test]
    fn the_largest_policy_has_room_while_it_compiles() {
        let names: Vec<String> = (0..MAX_TYPES).map(|number| format!("{number:0>96}")).collect();
        let flow = |number: usize| {
            let stage = |index: usize| names[(number + index * (number % 3 + 1)) % MAX_TYPES].as_str();
            (0..MAX_STAGES).map(stage).collect::<Vec<_>>()
        };
        let flows: Vec<Vec<&str>> = (0..MAX_FLOWS).map(flow).collect();
        let named: Vec<&[&str]> = flows.iter().map(Vec::as_slice).collect();
        let drafted = DraftedFlows::<ChangePassword>::new(&named).unwrap();
        assert_eq!((drafted.text_len(), drafted.flows_len()), (MAX_TEXT - 1 - MAX_FLOWS, MAX_FLOWS));
    }
}
