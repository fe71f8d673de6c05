//! What a host under test takes from the kit: time, entropy, and places to wait.

use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll};

use crate::time::{Millis, Timestamp};

/// The clock and the entropy of a host under test. Clones share both.
#[derive(Clone, Debug)]
pub struct Outside(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: AtomicU64,
    drawn: AtomicU64,
}

impl Outside {
    /// How many sessions the host may keep at most.
    pub const SESSIONS: usize = 6;

    /// A clock that stands still, and entropy from its beginning.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "the kit makes it; a default would be one too many")]
    pub fn new() -> Self {
        Self(Arc::new(Shared { now: AtomicU64::new(1_700_000_000_000), drawn: AtomicU64::new(0) }))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(Ordering::SeqCst))
    }

    /// Fills `bytes`, each time differently, and in every run alike. It is no cryptographic
    /// generator.
    pub fn entropy(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.0.drawn.fetch_add(1, Ordering::SeqCst);
            for (to, from) in chunk.iter_mut().zip(mixed(drawn).to_le_bytes()) {
                *to = from;
            }
        }
    }

    /// A place to wait, where a host with a database would.
    pub fn pause(&self) -> Pause {
        Pause { waited: false }
    }

    /// Puts the clock forward.
    pub fn advance(&self, span: Millis) {
        self.0.now.fetch_add(span.get(), Ordering::SeqCst);
    }
}

/// SplitMix64.
const fn mixed(counter: u64) -> u64 {
    let z = counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Waits once.
#[derive(Debug)]
#[must_use = "it waits only where it is awaited"]
pub struct Pause {
    waited: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if core::mem::replace(&mut self.waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
