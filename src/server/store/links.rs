//! What a slot holds of the queues and the tree that it stands in: numbers of other
//! slots, not pointers. The slots may move, and nothing is unsafe.

use super::index::Index;

/// A slot's neighbours in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) before: Option<Index>,
    pub(super) after: Option<Index>,
}

impl Link {
    pub(super) const NONE: Self = Self { before: None, after: None };
}

/// A slot's children in the tree of its owner.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    /// Those that are evicted before it.
    pub(super) left: Option<Index>,
    /// Those that are evicted after it.
    pub(super) right: Option<Index>,
}

#[cfg(feature = "alloc")]
impl Branch {
    pub(super) const NONE: Self = Self { left: None, right: None };
}
