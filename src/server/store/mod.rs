//! Keeping sessions: a bounded table of them, with expiry and eviction.
//!
//! ```text
//!               insert               replace               replace
//!  (not there) ────────► nothing ────────────► proved ─────────────────► consumed
//!                         │  │     a stage      │  │   the call succeeded    │
//!        at a limit, any's│  │     proved       │  │at a limit,              │
//!            oldest first ▼  │     something    │  ▼the owner's              ▼ replay_for over
//!                     evicted└────► expired ◄───┘ evicted                 expired
//! ```
//!
//! Two kinds have one interface, [`Store`]: [`FixedStore`] lies wherever the host puts
//! it and needs no heap; [`HashedStore`] grows to a limit. A host that keeps its sessions
//! in a database needs neither: it has to replace a session only if the revision is still
//! the one that was read, and to make room by the same rule (U16): [`Limits`], [`Done`] and
//! [`Gone`] are the words for it.
//!
//! - **Nothing scans.** Sessions live equally long, so they expire in the order they were
//!   made, and consumed ones in the order they were consumed: two queues. A third has
//!   those that have proved nothing, which may be evicted for any other. In the growing
//!   store the sessions of one owner stand in a tree. All of these run through the
//!   table's own slots. The small store looks at its `N` slots for an owner's others.
//! - **Room is made by worth** (rule U16): see [`Store::insert`]. The sessions of one
//!   [owner](OwnerKey) are bounded, so that one peer can't take the store from all, and a
//!   session that has proved something is never evicted for another owner's.
//! - **What leaves is handed back.** A session that expires or is evicted may have
//!   reserved something, such as one use of a registration token (rule U22). So whatever
//!   is removed is returned, once, and the host gives back what its
//!   [`proofs`](crate::Session::proofs) refer to. Of two requests that remove one session, one
//!   gets it (rule U25).
//! - **A call removes one session.** A request [expires](Store::expire) at most 16, and a
//!   timer the rest.
//!
//! # Time
//!
//! A store expires by a time of its own, which only goes forward. Each call tells it the
//! host's, read whenever the request came in, and it takes from that what has passed
//! since the highest so far:
//!
//! - A time that is late, by up to a session's lifetime, adds nothing, and no span is
//!   counted twice.
//! - A time that lies further ahead or back than a session lives adds nothing at first:
//!   one wrong reading, be it the largest number there is, ends nobody's session. When
//!   the host's times have stayed there for a minute, they are believed. After a leap
//!   forward, whatever was stored before it is over.
//! - While the clock is set back by less than a lifetime, the store's time stands still
//!   until the host's has caught up.
//!
//! So nothing expires too early. Something may expire too late: by the span the clock was
//! set back, or, after a lifetime without any call, when the second call more than a
//! minute later confirms that so much time has passed. A timer that calls
//! [`expire`](Store::expire) at least once a lifetime prevents the second; so does a
//! monotonic clock with the first.
//!
//! ```
//! use matrix_uia::server::account::Caller;
//! use matrix_uia::server::exchange::{HostKind, Incoming};
//! use matrix_uia::server::operation::ChangePassword;
//! use matrix_uia::server::store::{FixedStore, Lifetimes, OwnerKey, Store};
//! use matrix_uia::wire::Auth;
//! use matrix_uia::{Call, Exchange, Rules, SessionId, Timestamp, flows};
//!
//! let rules = Rules::default();
//! let flows = flows!(ChangePassword: [["m.login.password"]]);
//! let mut store = FixedStore::<(), 8>::new(Lifetimes::of(&rules));
//!
//! // A request: what it comes to is stored as its commit says.
//! let now = Timestamp::from_millis(0);
//! let fresh = SessionId::from_entropy([1; 24]); // from the host's generator
//! let call = Call::new(&Auth::Absent);
//! let mut incoming = Incoming::new(&flows, &rules, HostKind::CLAIMS, call, fresh, now);
//! let Exchange::Load(load) = incoming.exchange() else { unreachable!("it begins with a load") };
//! let session = load.session_id().and_then(|id| store.load(&id)).map(|found| found.session);
//! let Exchange::Admit(admit) = load.found(session.as_ref(), Caller::Nobody, now) else { unreachable!() };
//! let Exchange::Commit(commit) = admit.admitted() else { unreachable!("no auth, no success") };
//! let stored = store.commit(commit.session_changes(), None, OwnerKey::NOBODY, now)?;
//! assert!(stored.evicted.is_none(), "there was room");
//!
//! // Now and then: what has run out.
//! let later = now.after(rules.session_lifetime);
//! for (id, record) in core::iter::from_fn(|| store.expire(later)).take(16) {
//!     assert_eq!(id, fresh);
//!     for proof in record.session.proofs() { /* give back what it refers to */ }
//! }
//! assert!(store.is_empty());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! See [User-Interactive Authentication](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api).

mod clock;
mod database;
mod delegate;
mod end_open;
mod expiry;
mod fixed;
#[cfg(feature = "alloc")]
mod hashed;
mod index;
mod interface;
mod lifetimes;
mod links;
mod outcome;
mod owner;
mod owners;
mod queue;
mod record;
mod room;
mod slab;
mod slot;
mod table;
#[cfg(test)]
mod testing;
#[cfg(feature = "alloc")]
mod tree;
#[cfg(feature = "alloc")]
mod trees;

pub use database::{Done, Gone, Limits};
pub use fixed::FixedStore;
#[cfg(feature = "alloc")]
pub use hashed::HashedStore;
pub use interface::Store;
pub use lifetimes::Lifetimes;
pub use outcome::{Bound, NotStored, Stored};
pub use owner::{OwnerKey, SESSIONS_PER_OWNER};
pub use record::Record;
