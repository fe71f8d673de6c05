//! What makes a store of a slab: the two kinds share it word for word.

/// Implements [`Store`](super::interface::Store) for a type whose only field is a [`Slab`](super::slab::Slab).
macro_rules! store_of_a_slab {
    ([$($generics:tt)*] $store:ty, $name:literal) => {
        impl<$($generics)*> $store {
            /// Lets one owner have at most `limit` sessions (rule U16).
            #[must_use]
            pub const fn with_sessions_per_owner(mut self, limit: usize) -> Self {
                self.0.set_sessions_per_owner(limit);
                self
            }
        }

        impl<$($generics)*> $crate::server::store::interface::Store for $store {
            type Kept = K;

            fn load(&self, id: &SessionId) -> Option<Record<&K>> {
                self.0.load(id)
            }

            fn revision(&self, id: &SessionId) -> Option<Revision> {
                self.0.revision(id)
            }

            fn insert(
                &mut self,
                id: SessionId,
                session: &Session,
                kept: K,
                owner: OwnerKey,
                now: Timestamp,
            ) -> Result<Stored<K>, NotStored<K>> {
                self.0.insert(id, session, kept, owner, now)
            }

            fn replace(
                &mut self,
                id: SessionId,
                expected: Revision,
                session: &Session,
                kept: Option<K>,
                now: Timestamp,
            ) -> Result<(), NotStored<K>> {
                self.0.replace(id, expected, session, kept, now)
            }

            fn remove(&mut self, id: &SessionId) -> Option<Record<K>> {
                self.0.remove(id)
            }

            fn expire(&mut self, now: Timestamp) -> Option<(SessionId, Record<K>)> {
                self.0.expire(now)
            }

            fn end_open(
                &mut self,
                which: impl FnMut(&SessionId, &Record<&K>) -> bool,
            ) -> impl Iterator<Item = (SessionId, Record<K>)> {
                EndOpen::new(&mut self.0, which)
            }

            fn iter(&self) -> impl Iterator<Item = (&SessionId, Record<&K>)> {
                self.0.iter()
            }

            fn len(&self) -> usize {
                self.0.len()
            }

            fn capacity(&self) -> usize {
                self.0.capacity()
            }
        }

        impl<$($generics)*> fmt::Debug for $store {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("len", &self.0.len())
                    .field("capacity", &self.0.capacity())
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use store_of_a_slab;
