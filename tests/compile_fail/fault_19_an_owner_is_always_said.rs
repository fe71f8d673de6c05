//! An address proves nothing until `AddressCheck::validated` is told who owns it.

use matrix_uia::server::reference::Reference;
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::Evidence;

fn main() {
    let _ = Evidence::address(Proof::Threepid(Reference::new(1)), None);
}
