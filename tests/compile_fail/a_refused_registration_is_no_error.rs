// Rule U14: a registration that is refused for its parameters may belong to a session, which goes on with others. Only
// the exchange makes an answer of it: a handler that answers the error itself does not compile.

use matrix_uia::MatrixError;
use matrix_uia::endpoint::password::PasswordStrength;
use matrix_uia::endpoint::register::RegisterRequest;

fn handler(body: &[u8]) -> Result<(), MatrixError> {
    let checked = RegisterRequest::parse(body)?.check(&PasswordStrength::default(), "example.org")?;
    drop(checked);
    Ok(())
}

fn main() {}
