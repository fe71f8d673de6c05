//! A request that has been checked.

use core::ops::Deref;

/// A request that has been checked: only such a one can be bound, kept or planned (rule
/// P2). Its own `check` makes it.
#[derive(Clone, Copy, Debug)]
pub struct Checked<R>(R);

impl<R> Checked<R> {
    pub(super) const fn new(request: R) -> Self {
        Self(request)
    }
}

impl<R> Deref for Checked<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0
    }
}
