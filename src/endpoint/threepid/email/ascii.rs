//! Addresses in ASCII, character by character.

use super::form::{Address, INVALID, NOT_ASCII, is_special};
use crate::characters::is_white_space;
use crate::wire::error::MatrixError;

/// The canonical form of an address in ASCII: white space around it is taken off, and letters are
/// put in lower case.
pub(super) fn canonical(address: impl Iterator<Item = char>) -> Result<Address, MatrixError> {
    let mut canonical = Address::new();
    let (mut in_domain, mut ended, mut valid) = (false, false, true);
    // Where a label of the domain has to begin.
    let mut begins = true;
    for c in address {
        if !c.is_ascii() {
            return Err(NOT_ASCII);
        }
        if is_white_space(c) {
            ended = !canonical.is_empty();
            continue;
        }
        let fits = match c {
            '@' => !in_domain && !canonical.is_empty(),
            _ if !in_domain => c.is_ascii_graphic() && !is_special(c),
            '.' => !begins,
            _ => c.is_ascii_alphanumeric() || c == '-' || c == '_',
        };
        in_domain |= c == '@';
        begins = !in_domain || c == '@' || c == '.';
        valid &= fits && !ended && canonical.push(c.to_ascii_lowercase()).is_ok();
    }
    if valid && !begins { Ok(canonical) } else { Err(INVALID) }
}
