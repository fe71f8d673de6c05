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
use super::scan::{after_space, plain_end, string};
use super::span::Span;
use super::table::{Found, Kind, Table};
use crate::wire::ParseError;

/// How deep tables nest below the first one.
const MAX_BELOW: usize = 2;

/// An object that was left for one below it, to go on with it behind that.
struct Above<'t> {
    table: &'t Table,
    /// The slot of the object below, and where it begins.
    slot: usize,
    start: usize,
    /// What was open before the object's own keys.
    frame: usize,
    room: usize,
}

impl<'a> Reader<'a> {
    /// An object by its table, or [`ParseError::NotAnObject`]. The slots of its keys have to
    /// be [`Span::NONE`] before; one without a value stays so, or is [`Span::NULL`].
    ///
    /// Written as a loop: a call for every object below would cost more than its keys do.
    pub(crate) fn walk(&mut self, table: &Table, slots: &mut [Span]) -> Result<(), ParseError> {
        let [b'{', inside @ ..] = self.rest() else { return Err(ParseError::NotAnObject) };
        let mut inside = inside;
        let mut table = table;
        let mut above = heapless::Vec::<Above<'_>, MAX_BELOW>::new();
        'object: loop {
            self.enter()?;
            let (mut frame, mut room) = (self.frame(), self.room());
            let mut after = after_space(inside);
            // Whether `rest` is behind the quote of a key; else `after` is behind a value, or
            // before the end of an object without keys.
            let (mut at_key, mut rest) = match after {
                [b'"', key @ ..] => (true, key),
                [b'}', ..] => (false, after),
                _ => return Err(ParseError::NotJson),
            };
            loop {
                if at_key {
                    after = 'value: {
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
                        let (span, after) = match value {
                            [b'"', text @ ..] if found.key.kind.takes_a_string() => self.string(text)?,
                            _ => {
                                let value = after_space(value);
                                if let ([b'{', text @ ..], Some(below)) = (value, found.below()) {
                                    let start = self.place_of(value);
                                    let left = Above { table, slot: found.slot, start, frame, room };
                                    above.push(left).map_err(|_| ParseError::TooDeep)?;
                                    (table, inside) = (below, text);
                                    continue 'object;
                                }
                                self.odd_value(value, found.key.kind)?
                            }
                        };
                        *slot = span;
                        after
                    };
                    if let [b',', b'"', key @ ..] = after {
                        rest = key;
                        continue;
                    }
                }
                after = after_space(after);
                (at_key, rest) = match after {
                    [b',', more @ ..] => match after_space(more) {
                        [b'"', key @ ..] => (true, key),
                        _ => return Err(ParseError::NotJson),
                    },
                    [b'}', behind @ ..] => {
                        self.forget(frame, room);
                        self.leave();
                        let Some(left) = above.pop() else {
                            self.go_on_with(after_space(behind));
                            return Ok(());
                        };
                        let len = self.place_of(behind).wrapping_sub(left.start);
                        if let Some(slot) = slots.get_mut(left.slot) {
                            *slot = Span::other(left.start, len);
                        }
                        (table, frame, room, after) = (left.table, left.frame, left.room, behind);
                        (false, behind)
                    }
                    _ => return Err(ParseError::NotJson),
                };
            }
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
        self.go_on_with(value);
        self.skip()?;
        Ok((None, self.rest()))
    }

    /// The string behind whose quote `text` begins, and what follows it.
    #[inline]
    fn string(&mut self, text: &'a [u8]) -> Result<(Span, &'a [u8]), ParseError> {
        let len = plain_end(text, 0);
        match text.get(len..) {
            Some([b'"', after @ ..]) => Ok((Span::string(self.place_of(text), len, false), after)),
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
        self.go_on_with(value);
        if let [b'"', text @ ..] = value
            && kind.takes_a_string()
        {
            return self.string(text);
        }
        if self.null()? {
            return Ok((Span::NULL, self.rest()));
        }
        match kind {
            Kind::Any | Kind::Maybe => self.skip()?,
            Kind::Flag => drop(self.boolean()?),
            Kind::Object => return Err(ParseError::NotAnObject),
            Kind::Text => return Err(ParseError::WrongType),
        }
        Ok((self.span_since(self.place_of(value)), self.rest()))
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
