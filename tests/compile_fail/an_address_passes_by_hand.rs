use matrix_uia::server::reference::Reference;
use matrix_uia::server::session::Proof;
use matrix_uia::server::verdict::{Evidence, Verdict};

fn anybody_s(validation: Reference) -> Verdict<'static> {
    Verdict::Passed(Evidence { proof: Proof::Threepid(validation), account: None })
}

fn main() {}
