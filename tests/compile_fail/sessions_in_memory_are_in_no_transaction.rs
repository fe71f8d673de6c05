//! Sessions in memory are in no transaction of a database: a host can't say that they are.

use matrix_uia::server::exchange::{HostKind, OneTransaction};
use matrix_uia::server::store::FixedStore;

impl OneTransaction for FixedStore<(), 8> {}

fn main() {
    let _ = HostKind::assume_one_transaction::<FixedStore<(), 8>>();
}
