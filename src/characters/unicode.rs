//! Every character, by the tables of Unicode.

use super::invisible::is_invisible;

/// Whether it is white space.
pub(crate) fn is_white_space(c: char) -> bool {
    c.is_whitespace()
}

/// Whether it is a letter or a digit.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    c.is_alphanumeric()
}

/// Whether it can be seen: it is no control character, no white space, and has a shape.
pub(crate) fn is_visible(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !is_invisible(c)
}

/// The character in lower case.
pub(crate) fn lower(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase()
}

/// Unicode's full case folding of one character.
///
/// It is the lower case of the upper case but for three things: the dotless ı folds to
/// itself (as `i` it would be somebody else's address), the capital ẞ to `ss` like the
/// small one, and Cherokee to its capitals, which are the older letters.
pub(crate) fn fold(c: char) -> impl Iterator<Item = char> {
    let c = if c == 'ẞ' { 'ß' } else { c };
    let cherokee = matches!(c, '\u{13A0}'..='\u{13FD}' | '\u{AB70}'..='\u{ABBF}');
    let itself = (c == 'ı').then_some(c);
    let capitals = (cherokee && itself.is_none()).then(|| c.to_uppercase());
    let small = (!cherokee && itself.is_none()).then(|| c.to_uppercase().flat_map(char::to_lowercase));
    itself.into_iter().chain(capitals.into_iter().flatten()).chain(small.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn characters_that_nobody_sees_are_told() {
        for seen in ['a', '~', 'é', '中', '\u{1F600}'] {
            assert!(is_visible(seen), "{seen:?}");
        }
        for hidden in ['\0', ' ', '\u{7f}', '\u{a0}', '\u{ad}', '\u{200b}', '\u{3000}', '\u{e0061}'] {
            assert!(!is_visible(hidden), "{hidden:?}");
        }
    }

    #[test]
    fn folding_twice_is_folding_once() {
        for c in '\0'..=char::MAX {
            let once: String = fold(c).collect();
            let twice: String = once.chars().flat_map(fold).collect();
            assert_eq!(once, twice, "{c:?}");
        }
    }
}
