//! Which of several languages somebody prefers.

use crate::text::Text;

/// A list of languages in the form of an [`Accept-Language`] header: `de-AT, de;q=0.8`.
///
/// What of it can't be read is passed over.
///
/// ```
/// use matrix_uia::pages::Languages;
/// let languages = Languages::parse("fr;q=0.5, de-AT");
/// assert!(languages.preference("de".into()) > languages.preference("fr".into()));
/// assert_eq!(languages.preference("it".into()), 0);
/// ```
///
/// [`Accept-Language`]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4
#[derive(Clone, Copy, Debug, Default)]
pub struct Languages<'a>(&'a str);

/// Most languages of a list that are looked at.
const MAX_LANGUAGES: usize = 32;

impl<'a> Languages<'a> {
    /// The list that a header says.
    #[must_use]
    pub const fn parse(header: &'a str) -> Self {
        Self(header)
    }

    /// How much the language `tag` is wanted: 0 is not at all.
    ///
    /// A list's `de` wants `de-AT` too, and its `de-AT` takes `de`; an underscore is as
    /// good as a hyphen.
    #[must_use]
    pub fn preference(&self, tag: Text<'_>) -> u32 {
        let ranges = self.0.split(',').take(MAX_LANGUAGES);
        ranges.filter_map(|range| Self::range(range, tag)).max().unwrap_or(0)
    }

    fn range(range: &str, tag: Text<'_>) -> Option<u32> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?;
        let quality = match parts.next() {
            Some(part) => thousandths(part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))?)?,
            None => 1_000,
        };
        let fit = if name == "*" { Some(0) } else { fit(name, tag) };
        // Of two that are wanted alike the closer one.
        fit.filter(|_| quality > 0).map(|fit| quality.saturating_mul(4).saturating_add(fit))
    }
}

/// How close a range is to a tag: 3 the same, 2 and 1 where one is the beginning of the
/// other.
fn fit(range: &str, tag: Text<'_>) -> Option<u32> {
    let mut wanted = range.chars().map(folded);
    let mut there = tag.chars().map(folded);
    loop {
        match (wanted.next(), there.next()) {
            (None, None) => return Some(3),
            (Some(a), Some(b)) if a == b => {}
            (None, Some('-')) if !range.is_empty() => return Some(2),
            (Some('-'), None) if !tag.is_empty() => return Some(1),
            _ => return None,
        }
    }
}

const fn folded(c: char) -> char {
    if c == '_' { '-' } else { c.to_ascii_lowercase() }
}

/// `0.8` as 800.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut value: u32 = match whole {
        "0" => 0,
        "1" => 1,
        _ => return None,
    };
    let mut digits = part.chars();
    for _ in 0..3 {
        let digit = digits.next().map_or(Some(0), |c| c.to_digit(10))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    (digits.next().is_none() && value <= 1_000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers(header: &'static str, tags: &[&'static str]) -> Option<&'static str> {
        let languages = Languages::parse(header);
        let wanted = tags.iter().filter(|tag| languages.preference(Text::new(tag)) > 0);
        wanted.max_by_key(|tag| languages.preference(Text::new(tag))).copied()
    }

    #[test]
    fn the_language_that_is_wanted_most_is_found() {
        assert_eq!(prefers("de-AT, de;q=0.8, en;q=0.5", &["en", "de"]), Some("de"));
        assert_eq!(prefers("en;q=0.5, fr", &["en", "fr"]), Some("fr"));
        assert_eq!(prefers("EN-us", &["de", "en_US", "en"]), Some("en_US"));
        assert_eq!(prefers("en", &["de", "en_GB"]), Some("en_GB"));
        assert_eq!(prefers("*;q=0.1, de", &["fr"]), Some("fr"));
        assert_eq!(prefers("e", &["en"]), None, "a language, not a beginning of its name");
        assert_eq!(prefers("en;q=0", &["en"]), None);
    }

    #[test]
    fn what_cant_be_read_is_passed_over() {
        for header in ["", ",", ";", "en;q=2", "en;q=0.1234", "en;level=1", "en;q=", "-", "\u{e9}"] {
            assert_eq!(prefers(header, &["en"]), None, "{header}");
        }
        assert_eq!(prefers("x;q=z, en;q=0.001", &["en"]), Some("en"));
    }
}
