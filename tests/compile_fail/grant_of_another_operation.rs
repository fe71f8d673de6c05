use matrix_uia::Grant;
use matrix_uia::endpoint::deactivate::{self, DeactivateRequest};
use matrix_uia::server::operation::ChangePassword;

fn handler(grant: Grant<ChangePassword>, request: &DeactivateRequest<'_>) {
    let _ = deactivation::begin(grant, request, None);
}

fn main() {}
