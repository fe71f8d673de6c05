//! Reads a value that has been kept as it came.

use super::raw::Raw;
use super::reader::Reader;
use super::scan::{behind_strings, string};
use crate::text::Text;
use crate::wire::ParseError;

/// The items of a JSON array that has been checked before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    /// Begins with the next item; empty behind the last one.
    rest: &'a str,
}

impl<'a> Items<'a> {
    pub(crate) const NONE: Self = Self { rest: "" };

    pub(crate) fn of(array: Option<Raw<'a>>) -> Self {
        Self::between('[', ']', array)
    }

    #[inline]
    fn between(open: char, close: char, value: Option<Raw<'a>>) -> Self {
        let inside = value.and_then(|raw| raw.as_str().strip_prefix(open));
        let inside = inside.unwrap_or_default().trim_ascii_start();
        Self { rest: if inside.starts_with(close) { "" } else { inside } }
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What `read` makes of the next item, which it has to read whole.
    #[inline]
    pub(crate) fn next_with<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, ParseError>,
    ) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let mut reader = Reader::over(self.rest, false);
        let item = read(&mut reader).ok()?;
        self.go_behind(reader.mark())?;
        Some(item)
    }

    /// The next item, if it is a string; any other is passed over.
    pub(crate) fn next_text(&mut self) -> Option<Text<'a>> {
        loop {
            let Some(inside) = self.rest.strip_prefix('"') else {
                self.next_with(Reader::skip)?;
                continue;
            };
            let (text, behind) = text_of(inside)?;
            self.go_behind(self.rest.len().checked_sub(behind.len())?)?;
            return Some(text);
        }
    }

    /// The array that the next item has under its only key, if all of it is strings and the
    /// item is written as it mostly is; `begin` is what stands before the array then. `known`
    /// may tell by the inside of a string, and the rest, what follows its closing quote.
    pub(crate) fn next_names(
        &mut self,
        begin: &str,
        mut known: impl FnMut(&'a [u8]) -> Option<&'a [u8]>,
    ) -> Option<Raw<'a>> {
        let array = self.rest.strip_prefix(begin)?;
        let name = |name| known(name).or_else(|| Some(string(name, false).ok()?.2));
        let [b'}', behind @ ..] = behind_strings(array.as_bytes(), name)? else { return None };
        self.go_behind(self.rest.len().checked_sub(behind.len())?)?;
        let (array, _) = array.split_at_checked(array.len().checked_sub(behind.len())?)?;
        array.strip_suffix('}').map(Raw::trusted)
    }

    /// Goes on behind an item of that length.
    #[inline]
    fn go_behind(&mut self, len: usize) -> Option<()> {
        let behind = self.rest.get(len..)?.trim_ascii_start();
        self.rest = behind.strip_prefix(',').map_or("", str::trim_ascii_start);
        Some(())
    }
}

/// The string whose first character `inside` begins with, and what follows its closing quote.
#[inline]
fn text_of(inside: &str) -> Option<(Text<'_>, &[u8])> {
    let (len, escaped, behind) = string(inside.as_bytes(), false).ok()?;
    Some((Text::from_json(inside.get(..len)?, escaped), behind))
}

impl<'a> Raw<'a> {
    /// The text, if the value is a string.
    pub(crate) fn text(&self) -> Option<Text<'a>> {
        text_of(self.as_str().strip_prefix('"')?).map(|(text, _)| text)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.next_with(Reader::raw)
    }
}

/// The members of a JSON object that has been checked before; what is no object has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'a>(Items<'a>);

impl<'a> Members<'a> {
    pub(crate) fn of(object: Raw<'a>) -> Self {
        Self(Items::between('{', '}', Some(object)))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Text<'a>, Raw<'a>);

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn next(&mut self) -> Option<(Text<'a>, Raw<'a>)> {
        self.0.next_with(|reader| {
            let key = reader.text()?;
            reader.expect(b':')?;
            Ok((key, reader.raw()?))
        })
    }
}
