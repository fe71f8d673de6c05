use matrix_uia::Grant;
use matrix_uia::deactivation::{self, DeactivateRequest};
use matrix_uia::operation::ChangePassword;

fn handler(grant: Grant<ChangePassword>, request: &DeactivateRequest<'_>) {
    let _ = deactivation::begin(grant, request, None);
}

fn main() {}
