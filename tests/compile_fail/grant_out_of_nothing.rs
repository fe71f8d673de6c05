use matrix_uia::Grant;
use matrix_uia::server::operation::ChangePassword;

fn handler() -> Grant<ChangePassword> {
    Grant::default()
}

fn main() {}
