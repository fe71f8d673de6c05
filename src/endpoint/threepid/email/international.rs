//! Addresses in any letters, by the tables of Unicode.

use super::form::{Address, INVALID, is_special};
use crate::characters::{fold, is_visible};
use crate::endpoint::threepid::domain::Domain;
use crate::endpoint::threepid::trimmed::trimmed;
use crate::text::Text;
use crate::wire::error::MatrixError;

/// The canonical form of an address whose domain is ASCII, or becomes it by `to_ascii`.
pub(super) fn canonical(
    address: Text<'_>,
    to_ascii: impl FnOnce(&str) -> Option<Domain>,
) -> Result<Address, MatrixError> {
    let chars = trimmed(address);
    let local = chars.clone().take_while(|c| *c != '@');
    let domain = chars.skip_while(|c| *c != '@').skip(1);
    let mapped = match Domain::from_chars(domain.clone()) {
        Ok(domain) => domain,
        Err(error) if error == Domain::not_ascii() => {
            let mut unmapped = Address::new();
            for c in domain {
                // A library may drop what is invisible; then it was no address of that form.
                let visible = is_visible(c) && c != '@';
                visible.then(|| unmapped.push(c).ok()).flatten().ok_or(INVALID)?;
            }
            to_ascii(&unmapped).ok_or(error)?
        }
        Err(_) => return Err(INVALID),
    };
    join(local, &mapped)
}

/// The address of a local part and a domain.
pub(super) fn join(local: impl Iterator<Item = char>, domain: &Domain) -> Result<Address, MatrixError> {
    let mut address = Address::new();
    for c in local.flat_map(fold) {
        is_plain(c).then(|| address.push(c).ok()).flatten().ok_or(INVALID)?;
    }
    if address.is_empty() {
        return Err(INVALID);
    }
    address.push('@').and_then(|()| address.push_str(domain.as_str())).map_err(|_| INVALID)?;
    Ok(address)
}

/// Whether a character can't make another address, or a list of them.
///
/// The full-width and small forms of the specials count as those: some mail servers read them as
/// the characters they look like, and with them all the other forms of ASCII characters.
fn is_plain(c: char) -> bool {
    let looks_like_ascii = matches!(c, '\u{FE50}'..='\u{FE6F}' | '\u{FF01}'..='\u{FF5E}');
    is_visible(c) && !looks_like_ascii && !is_special(c)
}
