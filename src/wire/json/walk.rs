//! One pass over an object whose keys are known.
//!
//! A table says which keys an object has and what each may hold. One function reads every
//! body by its table, so that what differs from one body to the next is data, not code.
//!
//! ```text
//!  body ─► walk by a table ─► slots: where each key's value stands ─► typed values
//! ```
//!
//! A slot that is filled tells that its key was met before; so of an object's keys only
//! those that no table has are compared with one another.

use super::reader::Reader;
use super::scan::{after_plain, after_scalar, after_space, string};
use super::span::Span;
use super::table::{Found, Kind, Table};
use crate::wire::ParseError;

impl<'a> Reader<'a> {
    /// An object by its table, or [`ParseError::NotAnObject`]. The slots of its keys have to
    /// be [`Span::NONE`] before; one without a value stays so, or is [`Span::NULL`].
    pub(crate) fn walk(&mut self, table: &Table, slots: &mut [Span]) -> Result<(), ParseError> {
        let [b'{', inside @ ..] = self.rest() else { return Err(ParseError::NotAnObject) };
        let behind = self.walk_inside(inside, table, slots)?;
        self.go_on_with(after_space(behind));
        Ok(())
    }

    /// The object behind whose brace `inside` begins, and what follows it. It calls itself as
    /// often as tables nest.
    fn walk_inside(
        &mut self,
        inside: &'a [u8],
        table: &Table,
        slots: &mut [Span],
    ) -> Result<&'a [u8], ParseError> {
        self.enter()?;
        let (frame, room) = (self.frame(), self.room());
        let mut rest = match after_space(inside) {
            [b'"', key @ ..] => key,
            [b'}', behind @ ..] => {
                self.leave();
                return Ok(behind);
            }
            _ => return Err(ParseError::NotJson),
        };
        loop {
            let after = 'value: {
                let (found, value) = match table.find(rest) {
                    Some(known) => known,
                    None => match self.odd_key(rest, table, frame)? {
                        (Some(found), value) => (found, value),
                        (None, after) => break 'value after,
                    },
                };
                let Some(slot) = slots.get_mut(found.slot).filter(|slot| slot.is_new()) else {
                    return Err(ParseError::DuplicateKey);
                };
                self.count_key()?;
                if let [b'"', text @ ..] = value
                    && found.key.kind.takes_a_string()
                {
                    let (span, after) = self.string(text)?;
                    *slot = span;
                    break 'value after;
                }
                let value = after_space(value);
                let behind = match (value, found.below()) {
                    ([b'{', inside @ ..], Some(below)) if found.key.kind != Kind::List => {
                        Some(self.walk_inside(inside, below, slots)?)
                    }
                    // In each item, one key more is open.
                    ([b'[', ..], Some(below)) if cfg!(target_pointer_width = "64") && self.room() > 0 => {
                        below.behind_list(value)
                    }
                    _ => None,
                };
                let (span, after) = match behind {
                    Some(behind) => (self.other_span(value, behind), behind),
                    None => self.odd_value(value, found.key.kind)?,
                };
                if let Some(slot) = slots.get_mut(found.slot) {
                    *slot = span;
                }
                after
            };
            rest = match after.split_first_chunk() {
                Some((b",\"", key)) => key,
                _ => match after_space(after) {
                    [b',', more @ ..] => match after_space(more) {
                        [b'"', key @ ..] => key,
                        _ => return Err(ParseError::NotJson),
                    },
                    [b'}', behind @ ..] => {
                        self.forget(frame, room);
                        self.leave();
                        return Ok(behind);
                    }
                    _ => return Err(ParseError::NotJson),
                },
            };
        }
    }

    /// A key that is not written as it mostly is, or that no table has. With the former
    /// comes what follows its colon, of the latter what follows its value.
    #[inline(never)]
    fn odd_key<'t>(
        &mut self,
        rest: &'a [u8],
        table: &'t Table,
        frame: usize,
    ) -> Result<(Option<Found<'t>>, &'a [u8]), ParseError> {
        let (key, value) = self.name(rest)?;
        let found = table.find_text(self.text_at(key));
        if found.is_some() {
            return Ok((found, value));
        }
        self.remember(key, frame)?;
        Ok((None, self.behind_value(value)?))
    }

    /// The string behind whose quote `text` begins, and what follows it.
    #[inline]
    fn string(&mut self, text: &'a [u8]) -> Result<(Span, &'a [u8]), ParseError> {
        match after_plain(text) {
            [b'"', after @ ..] => {
                let (start, end) = (self.place_of(text), self.place_of(after).wrapping_sub(1));
                Ok((Span::string(start, end.wrapping_sub(start), false), after))
            }
            _ => self.odd_string(text),
        }
    }

    #[cold]
    #[inline(never)]
    fn odd_string(&mut self, text: &'a [u8]) -> Result<(Span, &'a [u8]), ParseError> {
        let (len, escaped, after) = string(text, true)?;
        Ok((Span::string(self.place_of(text), len, escaped), after))
    }

    /// A value that is no string where one may stand, and no object with a table; and what
    /// follows it.
    #[inline(never)]
    fn odd_value(&mut self, value: &'a [u8], kind: Kind) -> Result<(Span, &'a [u8]), ParseError> {
        let behind = match (value, kind) {
            ([b'"', text @ ..], _) if kind.takes_a_string() => return self.string(text),
            ([b'n', ..], _) => return Ok((Span::NULL, after_scalar(value)?)),
            (_, Kind::Any | Kind::Maybe | Kind::List) => self.behind_value(value)?,
            ([b't' | b'f', ..], Kind::Flag) => after_scalar(value)?,
            (_, Kind::Object) => return Err(ParseError::NotAnObject),
            (_, Kind::Flag | Kind::Text) => return Err(ParseError::WrongType),
        };
        Ok((self.other_span(value, behind), behind))
    }

    /// Where a value stands that is no string, by what follows its beginning and its end.
    #[inline]
    fn other_span(&self, value: &[u8], behind: &[u8]) -> Span {
        let (start, end) = (self.place_of(value), self.place_of(behind));
        Span::other(start, end.wrapping_sub(start))
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::super::{MAX_OPEN_KEYS, Table, table, walk};
    use super::*;

    static BELOW: Table = table![4; "flag": Flag, "any": Any];
    static BESIDE: Table = table![6; "text": Any, "beside": Text];
    static KEYS: Table = table![0;
        "text": Text,
        "a_long_name_of_a_key": Any,
        "a_long_name_of_another_key": Any,
        "object": Maybe(BELOW),
    ]
    .beside(&BESIDE);

    /// What stands in each slot: a string with quotes around it, any other value as it came.
    fn read(body: &str) -> Result<[String; 8], ParseError> {
        let mut slots = [Span::NONE; 8];
        let text = walk(body.as_bytes(), &KEYS, &mut slots)?;
        Ok(slots.map(|span| match (span.text(text), span.raw(text)) {
            (Some(string), _) => format!("'{string}'"),
            (None, Some(raw)) => raw.as_str().into(),
            (None, None) => String::new(),
        }))
    }

    #[test]
    fn every_value_goes_to_the_slot_of_its_key() {
        let object = r#"{"any" : [1, {"flag":2}] ,"flag":true}"#;
        for (body, slots) in [
            ("{}", ["", "", "", "", "", "", "", ""]),
            (r#"{"text":"a","beside":"b"}"#, ["'a'", "", "", "", "", "", "", "'b'"]),
            (
                r#"{"a_long_name_of_another_key":1e5 ,"a_long_name_of_a_key":"x","a_long_name_of_a_ke":2}"#,
                ["", "'x'", "1e5", "", "", "", "", ""],
            ),
            (
                r#" { "text" : null , "te\u0078t2":{"text":[]}, "beside" : "\"" } "#,
                ["", "", "", "", "", "", "", "'\"'"],
            ),
            (
                &format!(r#"{{"obj\u0065ct":{object},"t\u0065xt":"a"}}"#),
                ["'a'", "", "", object, "true", r#"[1, {"flag":2}]"#, "", ""],
            ),
            (r#"{"object":"none","beside":"b"}"#, ["", "", "", "'none'", "", "", "", "'b'"]),
            (r#"{"object":{ },"beside":"b"}"#, ["", "", "", "{ }", "", "", "", "'b'"]),
        ] {
            assert_eq!(read(body).unwrap(), slots, "{body}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_where_a_type_is_asked_for() {
        for (body, error) in [
            (r#"{"text":1}"#, ParseError::WrongType),
            (r#"{"text":{"flag":true}}"#, ParseError::WrongType),
            (r#"{"object":{"flag":"true"}}"#, ParseError::WrongType),
            (r#"{"object":{"flag":tru}}"#, ParseError::NotJson),
            (r#"[]"#, ParseError::NotAnObject),
            (r#"{"text":"a",}"#, ParseError::NotJson),
            (r#"{"text":"a" "beside":"b"}"#, ParseError::NotJson),
            (r#"{,"text":"a"}"#, ParseError::NotJson),
            (r#"{"object":{,}}"#, ParseError::NotJson),
            (r#"{"object":{}"#, ParseError::NotJson),
            (r#"{"text":"a"}}"#, ParseError::NotJson),
            (r#"{"text":"\ud800"}"#, ParseError::LoneSurrogate),
        ] {
            assert_eq!(read(body), Err(error), "{body}");
        }
    }

    #[test]
    fn a_key_twice_is_found_whatever_it_is_spelt_like_and_whoever_knows_it() {
        for twice in [
            r#"{"text":"a","text":"a"}"#,
            r#"{"text":null,"text":"a"}"#,
            r#"{"te\u0078t":"a","text":"a"}"#,
            r#"{"text":"a","x":1,"\u0074ext":"a"}"#,
            r#"{"object":{},"object":{}}"#,
            r#"{"object":{"any":1,"\u0061ny":2}}"#,
            r#"{"x":1,"text":"a","\u0078":2}"#,
            r#"{"object":{"x":1,"any":{},"x":2}}"#,
        ] {
            assert_eq!(read(twice), Err(ParseError::DuplicateKey), "{twice}");
        }
        assert!(read(r#"{"x":1,"object":{"x":1,"text":1,"any":{"x":1}},"text":"a"}"#).is_ok());
    }

    /// Keys of a table and others count alike, and those of an object that is left no more.
    #[test]
    fn the_number_of_open_keys_is_bounded_over_both_kinds() {
        let unknown = |count: usize| (0..count).map(|at| format!(r#""{at}":0,"#)).collect::<String>();
        let (most, last) = (unknown(MAX_OPEN_KEYS - 1), r#""text":"a""#);
        assert!(read(&format!("{{{most}{last}}}")).is_ok());
        assert_eq!(read(&format!(r#"{{{most}"x":1,{last}}}"#)), Err(ParseError::TooManyKeys));
        assert_eq!(read(&format!(r#"{{{most}{last},"x":1}}"#)), Err(ParseError::TooManyKeys));
        assert_eq!(read(&format!(r#"{{{most}"object":{{"any":1}}}}"#)), Err(ParseError::TooManyKeys));
        let inside = unknown(MAX_OPEN_KEYS - 2);
        assert!(read(&format!(r#"{{"object":{{{inside}"any":1}},{inside}{last}}}"#)).is_ok());
        assert_eq!(
            read(&format!(r#"{{"object":{{{inside}"any":1,"flag":true}}}}"#)),
            Err(ParseError::TooManyKeys)
        );
    }
}
