//! A body as `serde_json` understands it, with what a map would lose: order, duplicate
//! keys, and every reason for which the codec has to refuse it.

use std::fmt;

use matrix_uia::wire::error::ErrorCode;
use matrix_uia::wire::{MAX_DEPTH, MAX_OPEN_KEYS, ParseError};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

const SPACE: [char; 4] = [' ', '\n', '\t', '\r'];

/// A JSON value. A number is its text: how large it is, is nobody's business here.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value of `key`; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
            .filter(|v| **v != Self::Null)
    }

    pub fn entries(&self) -> &[(String, Self)] {
        if let Self::Object(entries) = self { entries } else { &[] }
    }

    pub fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    pub fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { Some(text.clone()) } else { None }
    }

    pub fn boolean(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The text of `key`, if it has one of that type.
    pub fn text_of(&self, key: &str) -> Option<String> {
        self.get(key).and_then(Self::text)
    }

    pub fn boolean_of(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(Self::boolean)
    }
}

/// A body that is JSON, and what the codec must refuse it for.
#[derive(Debug)]
pub struct Reading {
    pub root: Node,
    pub defects: Vec<ParseError>,
}

/// `None` if `serde_json` says that `body` is no JSON text at all.
///
/// `IgnoredAny` is asked, not `Value`: it has no limit on depth or on the size of a
/// number and lets half a surrogate pair through, none of which makes a text less JSON.
pub fn read(body: &[u8]) -> Option<Reading> {
    let text = std::str::from_utf8(body).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut defects = Vec::new();
    let root = node(text.trim_matches(SPACE), 0, 0, &mut defects);
    Some(Reading { root, defects })
}

/// Reads again what the crate has written: it has to be JSON without any defect, but
/// for too many open keys if that is said.
pub fn reread(written: &str) -> Reading {
    read(written.as_bytes()).unwrap_or_else(|| panic!("not JSON was written: {written}"))
}

/// What `parse` made of `body`, held against what `serde_json` makes of it. `schema`
/// adds the defects of this type of body. Returns the body if it was accepted.
pub fn judge<T>(
    body: &[u8],
    parsed: &Result<T, ParseError>,
    schema: impl FnOnce(&Node, &mut Vec<ParseError>),
) -> Option<Node> {
    let error = parsed.as_ref().err().copied();
    let Some(Reading { root, mut defects }) = read(body) else {
        assert!(
            error == Some(ParseError::NotJson) || (too_deep(body) && error.is_some()),
            "{error:?} for what is not JSON"
        );
        return None;
    };
    schema(&root, &mut defects);
    match error {
        None => assert!(defects.is_empty(), "accepted in spite of {defects:?}"),
        Some(error) => assert!(defects.contains(&error), "refused as {error:?}, but has {defects:?}"),
    }
    error.is_none().then_some(root)
}

/// The body as `serde_json` reads it, where all that is known of the crate's reading is
/// the code it was refused with, if it was.
pub fn judge_code(body: &[u8], code: Option<ErrorCode>) -> Option<Reading> {
    let reading = read(body);
    let not_json = code == Some(ErrorCode::NotJson);
    let as_it_is = not_json == reading.is_none();
    assert!(as_it_is || (code == Some(ErrorCode::BadJson) && too_deep(body)), "{code:?}");
    reading
}

/// Where the text nests too deeply, nobody looks what comes after.
fn too_deep(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok() && nesting(body) > MAX_DEPTH
}

/// How deep a text nests that need not be JSON; right up to where it stops being so.
fn nesting(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The defect of an entry whose value has to satisfy `fits` or be `null`.
pub fn typed(root: &Node, key: &str, fits: impl Fn(&Node) -> bool, defects: &mut Vec<ParseError>) {
    // Every occurrence: which of two is looked at first is not said.
    for (name, value) in root.entries() {
        if name == key && *value != Node::Null && !fits(value) {
            defects.push(ParseError::WrongType);
        }
    }
}

fn node(text: &str, depth: usize, open: usize, defects: &mut Vec<ParseError>) -> Node {
    match text.as_bytes().first() {
        Some(b'{' | b'[') if depth >= MAX_DEPTH => {
            defects.push(ParseError::TooDeep);
            Node::Null
        }
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text).expect("checked before");
            let mut seen: Vec<(String, Node)> = Vec::new();
            for (index, (key, value)) in entries.into_iter().enumerate() {
                let key = string(key.get(), defects);
                if seen.iter().any(|(other, _)| *other == key) {
                    defects.push(ParseError::DuplicateKey);
                }
                let open = open + index + 1;
                if open > MAX_OPEN_KEYS {
                    defects.push(ParseError::TooManyKeys);
                }
                let value = node(value.get(), depth + 1, open, defects);
                seen.push((key, value));
            }
            Node::Object(seen)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).expect("checked before");
            Node::Array(items.into_iter().map(|item| node(item.get(), depth + 1, open, defects)).collect())
        }
        Some(b'"') => Node::Text(string(text, defects)),
        Some(b't') => Node::Bool(true),
        Some(b'f') => Node::Bool(false),
        Some(b'n') => Node::Null,
        _ => Node::Number(text.to_owned()),
    }
}

fn string(json: &str, defects: &mut Vec<ParseError>) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| {
        defects.push(ParseError::LoneSurrogate);
        // Some name that no key of ours has.
        format!("\0{json}")
    })
}

/// The entries of one object, in order, duplicates and all.
struct Entries<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
