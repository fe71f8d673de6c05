//! Queues through the slots themselves: first in, first out, and out of the middle too.
//!
//! ```text
//!  Queue { first, last }      first ─► slot ⇄ slot ⇄ slot ◄─ last
//! ```
//!
//! A slot has two pairs of links, one for each [`Lane`], so it can stand in one queue of
//! either.

use super::index::Index;
use super::links::Link;
use super::slot::Slots;

/// Which of its links a queue uses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lane {
    /// Every slot stands in one queue here: vacant, open or consumed.
    Turn,
    /// Those that may be evicted for any session stand here as well.
    Eviction,
}

#[derive(Debug)]
pub(super) struct Queue {
    lane: Lane,
    first: Option<Index>,
    last: Option<Index>,
}

impl Queue {
    pub(super) const fn new(lane: Lane) -> Self {
        Self { lane, first: None, last: None }
    }

    pub(super) const fn first(&self) -> Option<Index> {
        self.first
    }

    pub(super) const fn last(&self) -> Option<Index> {
        self.last
    }

    /// Puts the slot last.
    pub(super) fn push(&mut self, slots: &mut impl Slots, at: Index) {
        let before = self.last.replace(at);
        if let Some(link) = self.link(slots, Some(at)) {
            *link = Link { before, after: None };
        }
        match self.link(slots, before) {
            Some(link) => link.after = Some(at),
            None => self.first = Some(at),
        }
    }

    /// Takes the slot out, wherever in this queue it stands.
    pub(super) fn unlink(&mut self, slots: &mut impl Slots, at: Index) {
        let Some(link) = self.link(slots, Some(at)) else { return };
        let Link { before, after } = core::mem::replace(link, Link::NONE);
        match self.link(slots, before) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match self.link(slots, after) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
    }

    fn link<'s>(&self, slots: &'s mut impl Slots, at: Option<Index>) -> Option<&'s mut Link> {
        let slot = slots.get_mut(at?)?;
        Some(match self.lane {
            Lane::Turn => &mut slot.turn,
            Lane::Eviction => &mut slot.eviction,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::testing::Few;

    /// A queue of the first three slots.
    fn queue(lane: Lane) -> (Queue, Few<3>) {
        let (mut queue, mut slots) = (Queue::new(lane), Few::new());
        while let Some(at) = slots.grow() {
            queue.push(&mut slots, at);
        }
        (queue, slots)
    }

    /// The positions in the queue, read both ways.
    fn line(queue: &Queue, slots: &mut Few<3>) -> heapless::Vec<usize, 3> {
        let mut link = |at: &Index| queue.link(slots, Some(*at)).copied();
        let there = core::iter::successors(queue.first, |at| link(at)?.after).map(Index::position);
        let there: heapless::Vec<_, 3> = there.collect();
        let back = core::iter::successors(queue.last, |at| link(at)?.before).map(Index::position);
        assert!(back.eq(there.iter().rev().copied()));
        there
    }

    #[test]
    fn the_first_in_is_the_first() {
        let (queue, mut slots) = queue(Lane::Turn);
        assert_eq!(line(&queue, &mut slots), [0, 1, 2]);
        assert_eq!(queue.first().map(Index::position), Some(0));
        assert_eq!(queue.last().map(Index::position), Some(2));
    }

    #[test]
    fn any_can_step_out_and_line_up_again() {
        for (gone, rest) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
            let (mut queue, mut slots) = queue(Lane::Eviction);
            let at = Index::at(gone).unwrap();
            queue.unlink(&mut slots, at);
            assert_eq!(line(&queue, &mut slots), rest);
            queue.push(&mut slots, at);
            assert_eq!(line(&queue, &mut slots), [rest[0], rest[1], gone]);
        }
    }

    #[test]
    fn the_last_to_leave_leaves_it_empty() {
        let (mut queue, mut slots) = queue(Lane::Turn);
        for position in [1, 0, 2] {
            queue.unlink(&mut slots, Index::at(position).unwrap());
        }
        assert_eq!((queue.first(), queue.last()), (None, None));
    }

    #[test]
    fn a_slot_stands_in_two_queues_at_once() {
        let (mut turn, mut slots) = queue(Lane::Turn);
        let mut eviction = Queue::new(Lane::Eviction);
        for position in [2, 0] {
            eviction.push(&mut slots, Index::at(position).unwrap());
        }
        turn.unlink(&mut slots, Index::at(0).unwrap());
        assert_eq!(line(&turn, &mut slots), [1, 2]);
        assert_eq!(line(&eviction, &mut slots), [2, 0]);
    }
}
