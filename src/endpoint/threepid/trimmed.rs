//! The white space around an address.

use crate::characters::is_white_space;
use crate::text::Text;

/// The characters of `text` without the white space around it.
pub(super) fn trimmed(text: Text<'_>) -> impl Iterator<Item = char> + Clone + '_ {
    let last = text.chars().enumerate().filter(|(_, c)| !is_white_space(*c)).last();
    let end = last.map_or(0, |(index, _)| index.saturating_add(1));
    text.chars().take(end).skip_while(|c| is_white_space(*c))
}
