use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::deactivate::DeactivateRequest;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::{BindingKey, Grant};

fn handler(grant: Grant<ChangePassword>, request: &Checked<DeactivateRequest<'_>>, key: &BindingKey) {
    let _ = request.plan(key, grant, None, Some("hash"));
}

fn main() {}
