use matrix_uia::endpoint::password::{self, ChangePasswordRequest};

fn handler(request: &ChangePasswordRequest<'_>) {
    let _ = password::change(request, None);
}

fn main() {}
