use matrix_uia::Grant;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::endpoint::password::{self, ChangePasswordRequest};

fn handler(grant: Grant<ChangePassword>, request: &ChangePasswordRequest<'_>) {
    let _ = password::change(grant, request, None);
    let _ = password::change(grant, request, None);
}

fn main() {}
