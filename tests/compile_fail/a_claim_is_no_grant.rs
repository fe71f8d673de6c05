use matrix_uia::operation::ChangePassword;
use matrix_uia::password::{self, ChangePasswordRequest};
use matrix_uia::session::Claim;

fn handler(claim: Claim<ChangePassword>, request: &ChangePasswordRequest<'_>) {
    let _ = password::change(claim, request, None);
}

fn main() {}
