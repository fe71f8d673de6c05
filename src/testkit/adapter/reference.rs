//! The same rules in memory, by looking at everything each time. Nothing expires here.

use alloc::string::String;
use alloc::vec::Vec;

use super::store::Found;
use crate::server::session::{Revision, Session, Worth};
use crate::server::store::Limits;

/// A session of the reference.
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) owner: u64,
    pub(super) found: Found,
}

/// In the order in which they were stored.
pub(super) struct Reference {
    pub(super) entries: Vec<Entry>,
    limits: Limits,
}

/// What should come of a commit.
#[derive(Debug)]
pub(super) enum Expected {
    Stored { evicted: Option<(u64, Session)> },
    Lost,
    Full,
}

/// A session that is put, with what is to be kept beside it.
pub(super) struct Put<'s> {
    pub(super) number: u64,
    pub(super) owner: u64,
    pub(super) expected: Option<Revision>,
    pub(super) session: &'s Session,
    pub(super) kept: Option<&'s str>,
}

impl Reference {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { entries: Vec::new(), limits }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    fn is_at(&self, number: u64, revision: Revision) -> bool {
        self.get(number).is_some_and(|entry| entry.found.session.revision() == revision)
    }

    /// Removes one and puts one, or does nothing.
    pub(super) fn commit(&mut self, remove: Option<(u64, Revision)>, put: Option<&Put<'_>>) -> Expected {
        if remove.is_some_and(|(number, revision)| !self.is_at(number, revision)) {
            return Expected::Lost;
        }
        let evicted = match put {
            None => None,
            Some(put) => match put.expected {
                Some(revision) if !self.is_at(put.number, revision) => return Expected::Lost,
                Some(_) => {
                    self.replace(put);
                    None
                }
                None if self.get(put.number).is_some() => return Expected::Lost,
                None => match self.room(put.owner) {
                    Ok(evicted) => {
                        self.insert(put);
                        evicted
                    }
                    Err(()) => return Expected::Full,
                },
            },
        };
        if let Some((number, _)) = remove {
            self.entries.retain(|entry| entry.number != number);
        }
        Expected::Stored { evicted }
    }

    fn insert(&mut self, put: &Put<'_>) {
        let found = Found { session: *put.session, kept: String::from(put.kept.unwrap_or_default()) };
        self.entries.push(Entry { number: put.number, owner: put.owner, found });
    }

    fn replace(&mut self, put: &Put<'_>) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == put.number) {
            entry.found.session.clone_from(put.session);
            if let Some(kept) = put.kept {
                entry.found.kept = String::from(kept);
            }
        }
    }

    /// Makes room for one of the owner's.
    fn room(&mut self, owner: u64) -> Result<Option<(u64, Session)>, ()> {
        let theirs = |entry: &Entry| entry.owner == owner && owner != 0;
        let of_owner = self.entries.iter().filter(|entry| theirs(entry)).count();
        let any = |entry: &Entry| entry.found.session.worth() == Worth::Nothing;
        let evicted = if of_owner >= self.limits.per_owner {
            self.oldest_of_least(theirs)
        } else if self.entries.len() >= self.limits.all {
            self.oldest_of_least(any).or_else(|| self.oldest_of_least(theirs))
        } else {
            return Ok(None);
        };
        evicted.map(Some).ok_or(())
    }

    fn oldest_of_least(&mut self, which: impl Fn(&Entry) -> bool) -> Option<(u64, Session)> {
        let worth = |entry: &Entry| entry.found.session.worth();
        let may =
            self.entries.iter().enumerate().filter(|(_, entry)| which(entry) && !worth(entry).is_held());
        let (at, _) = may.min_by_key(|(_, entry)| worth(entry))?;
        let entry = self.entries.remove(at);
        Some((entry.number, entry.found.session))
    }
}
