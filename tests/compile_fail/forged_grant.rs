use matrix_uia::Grant;
use matrix_uia::server::operation::ChangePassword;

fn another(grant: Grant<ChangePassword>) -> Grant<ChangePassword> {
    Grant { ..grant }
}

fn main() {}
