//! What a value has to look like where it stands: a type for each position of a page.
//!
//! ```text
//!  <p>InText</p>   <input value="InAttribute">   <a href="InLink">   <script …>InScript</script>
//! ```
//!
//! A template names the position by the type it wraps a value in. Nothing that came from
//! anybody is written to a page in any other way.

use core::fmt::{self, Write};

use crate::text::Text;
use crate::wire::{WebUrl, turns_around};

/// A value between tags.
pub(super) struct InText<T>(pub(super) T);

/// A value between the double quotes of an attribute.
pub(super) struct InAttribute<T>(pub(super) T);

/// A link between the double quotes of an attribute: nowhere but to the web.
pub(super) struct InLink<'a>(pub(super) WebUrl<'a>);

/// A string of JSON, quotes included, inside a script element.
pub(super) struct InScript<'a>(pub(super) Text<'a>);

impl<T: fmt::Display> fmt::Display for InText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Display for InAttribute<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(f), "{}", self.0)
    }
}

/// Writes what has a meaning in HTML as a reference: in text and in a quoted attribute
/// alike, so that a value moved from one to the other stays a value.
struct Escaper<'f, 'w>(&'f mut fmt::Formatter<'w>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                // What turns the direction of the text around makes a name look like another.
                c if turns_around(c) => self.0.write_char('\u{FFFD}')?,
                '\n' | '\t' => self.0.write_char(c)?,
                c if c.is_control() => self.0.write_char('\u{FFFD}')?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for InScript<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' | '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}' => {
                    write!(f, "\\u{:04x}", u32::from(c))?;
                }
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

impl fmt::Display for InLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InAttribute(self.0.text()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn nothing_in_text_or_attribute_ends_either() {
        let nasty = "a<b>c&d\"e'f\u{0}g\u{202E}h\u{1b}";
        let shown = "a&lt;b&gt;c&amp;d&quot;e&#39;f\u{FFFD}g\u{FFFD}h\u{FFFD}";
        assert_eq!(InText(nasty).to_string(), shown);
        assert_eq!(InAttribute(nasty).to_string(), shown);
    }

    #[test]
    fn nothing_in_a_script_ends_it_and_it_is_read_back() {
        let nasty = "</script><!--\"\\\u{2028}\n'&é😀";
        let written = InScript(Text::new(nasty)).to_string();
        assert!(!written.contains(['<', '>', '&', '\n', '\u{2028}']), "{written}");
        assert_eq!(serde_json::from_str::<std::string::String>(&written).unwrap(), nasty);
    }
}
