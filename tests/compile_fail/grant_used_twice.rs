use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::{BindingKey, Grant};

fn handler(grant: Grant<ChangePassword>, request: &Checked<ChangePasswordRequest<'_>>, key: &BindingKey) {
    let _ = request.plan(key, grant, None, Some("hash"));
    let _ = request.plan(key, grant, None, Some("hash"));
}

fn main() {}
