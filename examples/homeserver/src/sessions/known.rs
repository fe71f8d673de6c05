//! What a request knows of a session that lives elsewhere, so that it asks once: each question is a round trip.
//!
//! An exchange begins its transaction anew after a slow hash, and after each commit. The accounts are read again then;
//! the session need not be. If another request has changed it meanwhile, this one's commit finds another revision
//! and is lost, and then it is loaded again. What is answered without a commit is true of the moment of the load.

use super::Found;
use matrix_uia::SessionId;
use matrix_uia::server::commit::{Change, Put, SessionChanges};

/// A session as it was loaded, or written since. `None` inside: there is none. On the heap, for most requests know
/// nothing.
#[derive(Debug, Default)]
pub struct Known(Option<Box<(SessionId, Option<Found>)>>);

impl Known {
    /// The session, if anything is known of it.
    pub(super) fn get(&self, id: SessionId) -> Option<Option<Found>> {
        self.0.as_deref().filter(|(known, _)| *known == id).map(|(_, found)| found.clone())
    }

    pub(super) fn loaded(&mut self, id: SessionId, found: Option<Found>) {
        self.0 = Some(Box::new((id, found)));
    }

    /// What is known once these changes are stored. Until then nothing is.
    pub(super) fn take_after<'c>(
        &mut self,
        changes: impl Iterator<Item = Change<'c>>,
        kept: Option<&[u8]>,
    ) -> Self {
        let before = self.0.take();
        Self(SessionChanges::of(changes).put.and_then(|Put { id, expected, session, keep }| {
            let kept = match kept.filter(|_| keep) {
                Some(kept) => kept.to_owned(),
                None if expected.is_some() => kept_before(before, id)?,
                None => Vec::new(),
            };
            Some(Box::new((id, Some(Found { session: *session, kept }))))
        }))
    }
}

/// What was kept beside that session; `None` if it isn't known.
fn kept_before(before: Option<Box<(SessionId, Option<Found>)>>, id: SessionId) -> Option<Vec<u8>> {
    let (known, found) = *before?;
    if known == id { found.map(|found| found.kept) } else { None }
}
