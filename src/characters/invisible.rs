//! Characters that nobody sees.

/// Characters that have no shape of their own: the format characters (general category Cf),
/// what is ignored where it can't be shown (`Default_Ignorable_Code_Point`), fillers, and
/// the replacement for what could not be read. As of Unicode 16; ranges in order.
///
/// `core` has no table for these. White space and control characters it tells itself.
const INVISIBLE: [(char, char); 28] = [
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{600}', '\u{605}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{6DD}', '\u{6DD}'),
    ('\u{70F}', '\u{70F}'),
    ('\u{890}', '\u{891}'),
    ('\u{8E2}', '\u{8E2}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{2028}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{FFF0}', '\u{FFFF}'),
    ('\u{110BD}', '\u{110BD}'),
    ('\u{110CD}', '\u{110CD}'),
    ('\u{13430}', '\u{1343F}'),
    ('\u{16FE4}', '\u{16FE4}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D159}', '\u{1D159}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// Whether nobody sees `c`.
pub(super) fn is_invisible(c: char) -> bool {
    // Most addresses are ASCII.
    !c.is_ascii() && INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_in_order_and_both_their_ends_are_invisible() {
        for (first, last) in INVISIBLE {
            assert!(first <= last && is_invisible(first) && is_invisible(last), "{first:?}");
        }
        assert!(INVISIBLE.windows(2).all(|pair| pair[0].1 < pair[1].0));
        for seen in ['a', '\u{ac}', '\u{ae}', 'é', '\u{300}', 'ш', '中', '\u{1F600}'] {
            assert!(!is_invisible(seen), "{seen:?}");
        }
    }
}
