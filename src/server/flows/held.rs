//! A part of a policy, where it stands.

/// What is lent to a policy, or its own.
pub(super) enum Held<'p, T: ?Sized> {
    Borrowed(&'p T),
    #[cfg(feature = "alloc")]
    Owned(alloc::boxed::Box<T>),
}

impl<T: ?Sized> Held<'_, T> {
    #[inline]
    pub(super) const fn get(&self) -> &T {
        match self {
            Self::Borrowed(it) => it,
            #[cfg(feature = "alloc")]
            Self::Owned(it) => it,
        }
    }
}
