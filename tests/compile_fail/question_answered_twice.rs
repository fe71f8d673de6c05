use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::session::{StageFailure, Pending, Proof, Verdict};

fn try_both(pending: Pending<'_, ChangePassword>) {
    let _no = pending.resolve(Verdict::Failed(StageFailure::Credentials));
    let _yes = pending.resolve(Verdict::Passed(Proof::Nothing));
}

fn main() {}
