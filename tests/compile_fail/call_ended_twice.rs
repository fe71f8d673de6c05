use matrix_uia::server::exchange::Performing;
use matrix_uia::server::grant::{Outcome, Refusal};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::{MatrixError, Timestamp};

fn both_ways(call: Performing<'_, '_, ChangePassword>) {
    let _failed = call.refused(Refusal::new(MatrixError::unavailable()));
    let _succeeded = call.succeeded(Outcome::NOTHING, Timestamp::default());
}

fn main() {}
