use matrix_uia::Grant;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::session::Claim;

fn twice(claim: Claim<ChangePassword>) -> (Grant<ChangePassword>, Grant<ChangePassword>) {
    (claim.assume_stored(), claim.assume_stored())
}

fn main() {}
