//! The characters of ASCII, which take no table.

/// Whether it is white space. The vertical tab is, as in Unicode: `char::is_ascii_whitespace`
/// leaves it out.
pub(crate) const fn is_white_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// Whether it is a letter or a digit.
pub(crate) const fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// The character in lower case; what is not ASCII stays as it is.
pub(crate) fn lower(c: char) -> impl Iterator<Item = char> {
    core::iter::once(c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::unicode;
    use super::*;

    #[test]
    fn characters_of_ascii_are_what_unicode_says() {
        for c in '\0'..='\u{7f}' {
            assert_eq!(is_white_space(c), unicode::is_white_space(c), "{c:?}");
            assert_eq!(is_alphanumeric(c), unicode::is_alphanumeric(c), "{c:?}");
            assert!(lower(c).eq(unicode::lower(c)), "{c:?}");
        }
    }

    #[test]
    fn other_characters_are_none_of_it() {
        for c in ['\u{80}', '\u{85}', '\u{a0}', 'é', '\u{200b}', '\u{3000}', 'Ａ', '１', '\u{1F600}'] {
            let any = is_white_space(c) || is_alphanumeric(c);
            assert!(!any && lower(c).eq([c]), "{c:?}");
        }
    }
}
