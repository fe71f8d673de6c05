use matrix_uia::endpoint::Checked;
use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::{BindingKey, Session};

fn handler(session: Session, request: &Checked<ChangePasswordRequest<'_>>, key: &BindingKey) {
    let _ = request.plan(key, session, None, Some("hash"));
}

fn main() {}
