use matrix_uia::server::exchange::Verify;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};

fn try_both(verify: Verify<'_, '_, ChangePassword>) {
    let _no = verify.verdict(Verdict::Failed(StageFailure::Credentials));
    let _yes = verify.verdict(Verdict::Passed(Evidence::nothing()));
}

fn main() {}
