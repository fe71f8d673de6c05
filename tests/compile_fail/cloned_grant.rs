use matrix_uia::Grant;
use matrix_uia::server::operation::ChangePassword;

fn twice(grant: Grant<ChangePassword>) -> (Grant<ChangePassword>, Grant<ChangePassword>) {
    (grant.clone(), grant)
}

fn main() {}
