use matrix_uia::operation::ChangePassword;
use matrix_uia::session::{Failure, Pending, Proof, Verdict};

fn try_both(pending: Pending<'_, ChangePassword>) {
    let _no = pending.resolve(Verdict::Failed(Failure::Credentials));
    let _yes = pending.resolve(Verdict::Passed(Proof::Nothing));
}

fn main() {}
