//! Room for a policy that is read when the program runs, without a heap.

use super::draft::Draft;

/// Room for [`Flows`](super::Flows) that are read when the program runs, without a heap: for the
/// tables of any policy, and for `TEXT` bytes of what its challenges begin with, the flows and
/// params up to the session's ID.
///
/// It takes about a kilobyte beside the text. Flows that are known when the program is compiled need
/// none: see [`flows!`](crate::flows).
#[derive(Debug)]
pub struct FlowsBuffer<const TEXT: usize> {
    pub(super) text: [u8; TEXT],
    pub(super) draft: Draft,
}

impl<const TEXT: usize> FlowsBuffer<TEXT> {
    /// Room with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: [0; TEXT], draft: Draft::new() }
    }
}

impl<const TEXT: usize> Default for FlowsBuffer<TEXT> {
    fn default() -> Self {
        Self::new()
    }
}
