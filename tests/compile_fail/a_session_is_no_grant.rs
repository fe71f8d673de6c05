use matrix_uia::Session;
use matrix_uia::endpoint::password::{self, ChangePasswordRequest};

fn handler(session: Session, request: &ChangePasswordRequest<'_>) {
    let _ = password::change(session, request, None);
}

fn main() {}
