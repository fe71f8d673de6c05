//! Values that have been checked, and are kept as they came.

use core::fmt;

use super::read;
use super::reader::Reader;
use super::scan::{behind_strings, string};
use crate::Text;
use crate::wire::ParseError;

/// A JSON value of the request, checked and kept as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// `{}`
    pub(crate) const EMPTY: Self = Self("{}");

    /// Checks that `json` is one JSON value, by the rules of [`wire`](crate::wire).
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(json: &'a str) -> Result<Self, ParseError> {
        read(json.as_bytes(), |reader| reader.raw())
    }

    /// A value that has been checked before, with white space around it.
    pub(crate) const fn spaced(json: &'a str) -> Self {
        Self(json.trim_ascii())
    }

    /// A value that has been checked before.
    pub(crate) const fn trusted(json: &'a str) -> Self {
        Self(json)
    }

    /// The value's text, white space inside it as it came.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether the value is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::over(self.0, true)
    }
}

/// What a client sends can be a credential: never shown.
impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw([redacted])")
    }
}

/// The items of a JSON array that has been checked before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    /// Begins with the next item; empty behind the last one.
    rest: &'a str,
}

impl<'a> Items<'a> {
    pub(crate) const NONE: Self = Self { rest: "" };

    pub(crate) fn of(array: Option<Raw<'a>>) -> Self {
        let inside = array.and_then(|raw| raw.as_str().strip_prefix('['));
        let inside = inside.unwrap_or_default().trim_ascii_start();
        Self { rest: if inside.starts_with(']') { "" } else { inside } }
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
            let (len, escaped, behind) = string(inside.as_bytes(), false).ok()?;
            self.go_behind(self.rest.len().checked_sub(behind.len())?)?;
            return Some(Text::from_json(inside.get(..len)?, escaped));
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

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.next_with(Reader::raw)
    }
}
