//! What goes in and comes out, whichever database it is.

use matrix_uia::Session;
use matrix_uia::server::commit::Committed;
use matrix_uia::server::digest::Digest;

/// How many sessions there may be. A session of [`OwnerKey::NOBODY`](matrix_uia::server::store::OwnerKey::NOBODY) counts against no owner's bound. The first may
/// be exceeded by as many as there are connections.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub all: usize,
    pub per_owner: usize,
}

/// A session that left the store: what is reserved under this key is to be given back.
#[derive(Clone, Debug)]
pub struct Gone {
    pub key: Digest,
    /// `None` if another version of the program wrote it.
    pub session: Option<Session>,
}

/// What came of a commit.
#[derive(Clone, Debug)]
pub struct Done {
    pub committed: Committed,
    pub evicted: Option<Gone>,
}
