use matrix_uia::server::operation::ChangePassword;
use matrix_uia::endpoint::password::{self, ChangePasswordRequest};
use matrix_uia::server::session::Claim;

fn handler(claim: Claim<ChangePassword>, request: &ChangePasswordRequest<'_>) {
    let _ = password::change(claim, request, None);
}

fn main() {}
