//! A server's text, as a terminal may show it.

use core::fmt::{self, Write};

use crate::text::Text;

/// A text of anybody's with its control, format and direction characters escaped as JSON
/// escapes them: nothing moves the cursor, hides a part, or turns a line round.
///
/// ```
/// use matrix_uia::Text;
/// use matrix_uia::client::Printable;
/// let text = Text::new("a\u{1b}[2J\u{202e}b\u{e0041}é");
/// assert_eq!(Printable(text).to_string(), r"a\u001b[2J\u202eb\udb40\udc41é");
/// ```
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a way to show a text, and nothing more")]
pub struct Printable<'a>(pub Text<'a>);

impl Printable<'_> {
    /// Writes the text. On a microcontroller this takes 1.5 KiB of flash less than
    /// [`Display`](fmt::Display) does, which comes with the machinery of `format!`.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        self.0.chars().try_for_each(|c| write(out, c))
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

fn write(out: &mut impl Write, c: char) -> fmt::Result {
    if !is_unseen(c) {
        return out.write_char(c);
    }
    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write_escape(out, *unit))
}

fn write_escape(out: &mut impl Write, unit: u16) -> fmt::Result {
    out.write_str("\\u")?;
    [12, 8, 4, 0].iter().try_for_each(|shift| {
        let digit = u32::from(unit.wrapping_shr(*shift) & 0xF);
        out.write_char(char::from_digit(digit, 16).unwrap_or('0'))
    })
}

/// The general categories Cc, Cf, Zl and Zp of Unicode 16, and the characters that
/// default to nothing at all.
fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        c,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString as _};

    use super::*;

    #[test]
    fn nothing_unseen_is_shown_as_it_is() {
        let unseen = "\0\t\n\r\u{7f}\u{9b}\u{200b}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{2028}\u{2029}";
        for c in unseen.chars() {
            let shown = Printable(Text::new(c.encode_utf8(&mut [0; 4]))).to_string();
            assert_eq!(shown, std::format!("\\u{:04x}", u32::from(c)));
        }
        let seen: String = "aé漢🦀 ~\u{a0}".into();
        assert_eq!(Printable(Text::new(&seen)).to_string(), seen);
    }
}
