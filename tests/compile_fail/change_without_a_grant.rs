use matrix_uia::password::{self, ChangePasswordRequest};

fn handler(request: &ChangePasswordRequest<'_>) {
    let _ = password::change(request, None);
}

fn main() {}
