//! Reads a body as a whole.

use super::raw::Raw;
use super::reader::Reader;
use super::span::Span;
use super::table::Table;
use crate::wire::ParseError;

/// Reads one whole body with `parse`.
///
/// A body that is no JSON text is refused with [`ParseError::NotJson`], whatever else is
/// wrong with it and came first.
pub(crate) fn read<'a, T>(
    body: &'a [u8],
    parse: impl FnOnce(&mut Reader<'a>) -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let text = text_of(body)?;
    let mut reader = Reader::over(text, true);
    let outcome = parse(&mut reader).and_then(|value| reader.end().map(|()| value));
    outcome.map_err(|refusal| refusal_of(text, refusal))
}

/// Reads one whole body that has to be an object, by its table: each key's value stands
/// where its slot says in the text returned.
#[inline(never)]
pub(crate) fn walk<'a>(body: &'a [u8], table: &Table, slots: &mut [Span]) -> Result<&'a str, ParseError> {
    let text = text_of(body)?;
    let mut reader = Reader::over(text, true);
    match reader.walk(table, slots).and_then(|()| reader.end()) {
        Ok(()) => Ok(text),
        Err(refusal) => Err(refusal_of(text, refusal)),
    }
}

impl<'a> Raw<'a> {
    /// Checks that `json` is one JSON value, by the rules of [`wire`](crate::wire).
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(json: &'a str) -> Result<Self, ParseError> {
        read(json.as_bytes(), |reader| reader.raw())
    }

    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::over(self.as_str(), true)
    }
}

#[inline]
fn text_of(body: &[u8]) -> Result<&str, ParseError> {
    let text = core::str::from_utf8(body).map_err(|_| ParseError::NotJson)?;
    if text.len() > Span::MAX_BODY_LEN {
        return Err(refusal_of(text, ParseError::TooLong));
    }
    Ok(text)
}

/// What is said of a body that is refused: first of all whether it is JSON at all.
#[cold]
#[inline(never)]
fn refusal_of(text: &str, refusal: ParseError) -> ParseError {
    if refusal == ParseError::NotJson {
        return refusal;
    }
    let mut lenient = Reader::over(text, false);
    match lenient.skip().and_then(|()| lenient.end()) {
        Err(ParseError::NotJson) => ParseError::NotJson,
        _ => refusal,
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::text::Text;
    use crate::wire::json::limits::{MAX_DEPTH, MAX_OPEN_KEYS};
    use crate::wire::json::scan::after_plain;
    use crate::wire::json::write::write_text;

    fn check(json: &str) -> Result<(), ParseError> {
        Raw::parse(json).map(|_| ())
    }

    #[test]
    fn json_is_told_from_what_is_not() {
        for good in
            ["{}", " [1, -0, 0.5, 1e9, 2E-3, true, false, null, \"x\"] ", "{\"a\":{\"a\":[]}}", "\"\\u00e9\""]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "{",
            "{}x",
            "{'a':1}",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            "+1",
            "nul",
            "\"\n\"",
            "\"\\x\"",
            "\"a",
            "[}",
            "{]",
            "{\"a\" 1}",
            "{1:2}",
            "\u{feff}{}",
        ] {
            assert_eq!(check(bad), Err(ParseError::NotJson), "{bad}");
        }
        assert_eq!(read(b"\"\xff\"", |r| r.raw()), Err(ParseError::NotJson));
    }

    #[test]
    fn a_duplicate_key_is_found_at_every_level_and_through_escapes() {
        for twice in [r#"{"a":1,"a":2}"#, r#"{"x":{"a":1,"b":[{}],"a":2}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            assert_eq!(check(twice), Err(ParseError::DuplicateKey), "{twice}");
        }
        assert_eq!(check(r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#), Ok(()));
    }

    #[test]
    fn the_depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(ParseError::TooDeep));
        let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(check(&objects(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&objects(MAX_DEPTH + 1)), Err(ParseError::TooDeep));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let keys = |n: usize| {
            let keys: Vec<String> = (0..n).map(|i| format!("\"{i}\":0")).collect();
            format!("{{{}}}", keys.join(","))
        };
        assert_eq!(check(&keys(MAX_OPEN_KEYS)), Ok(()));
        assert_eq!(check(&keys(MAX_OPEN_KEYS + 1)), Err(ParseError::TooManyKeys));
    }

    #[test]
    fn a_lone_surrogate_is_refused() {
        for lone in [r#""\ud800""#, r#""\udc00""#, r#""\ud800x""#, r#""\ud800\u0041""#] {
            assert_eq!(check(lone), Err(ParseError::LoneSurrogate), "{lone}");
        }
        assert_eq!(check(r#""\ud83d\ude00""#), Ok(()));
    }

    #[test]
    fn what_is_not_json_is_so_whatever_else_is_wrong_with_it() {
        assert_eq!(check(r#"{"a":1,"a":2"#), Err(ParseError::NotJson));
        assert_eq!(check(r#"["\ud800", }"#), Err(ParseError::NotJson));
    }

    #[test]
    fn a_plain_run_ends_at_the_first_special_byte() {
        for length in 0..40 {
            for special in ['"', '\\', '\n', '\u{1f}'] {
                let text = format!("{}{special}{}", "é~ ".repeat(length), "x".repeat(20));
                let left = text.len() - text.find(special).unwrap();
                assert_eq!(after_plain(text.as_bytes()).len(), left);
            }
        }
        assert_eq!(after_plain("\u{7f}\u{80}ÿ!#[]".as_bytes()), b"");
    }

    #[test]
    fn written_strings_are_read_back() {
        let odd = "q\"b\\n\n\u{1}\u{7f}é😀/";
        let mut out = String::new();
        write_text(&mut out, Text::new(odd)).unwrap();
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), odd);
        let text = read(out.as_bytes(), |r| r.text()).unwrap();
        assert_eq!(text, odd);
        let mut again = String::new();
        write_text(&mut again, text).unwrap();
        assert_eq!(again, out);
    }
}
