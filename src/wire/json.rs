//! The one JSON codec of the crate: a pull reader that borrows, and a writer over
//! [`fmt::Write`].
//!
//! The same code serves with and without a heap, so the two cannot differ. It is
//! stricter than most: duplicate keys, lone surrogates, trailing bytes and nesting
//! deeper than [`MAX_DEPTH`] are refused, because two readers that disagree about a
//! body are how a request authorised as one thing is carried out as another.

use core::fmt::{self, Write};

use super::ParseError;
use crate::text::hex4;
use crate::{Secret, Text};

/// How deep objects and arrays may nest; the body itself is the first level.
pub const MAX_DEPTH: usize = 32;
/// How many keys may be open at once, over all objects that enclose a place.
///
/// Telling whether a key occurred before means remembering it; without a heap that
/// takes a bound.
pub const MAX_OPEN_KEYS: usize = 128;

/// A JSON value of the request, checked and kept as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// `{}`
    pub(crate) const EMPTY: Self = Self("{}");

    /// Checks that `json` is one JSON value, by the rules of [`wire`](super).
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](super) lists.
    pub fn parse(json: &'a str) -> Result<Self, ParseError> {
        read(json.as_bytes(), |reader| reader.raw())
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

/// Reads one whole body with `parse`.
///
/// A refusal is only [`ParseError`] of the kind «bad JSON» if the whole body is JSON
/// at all; else it is [`ParseError::NotJson`], whatever came first.
pub(crate) fn read<'a, T>(
    body: &'a [u8],
    parse: impl FnOnce(&mut Reader<'a>) -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let text = core::str::from_utf8(body).map_err(|_| ParseError::NotJson)?;
    let mut reader = Reader::over(text, true);
    let outcome = parse(&mut reader).and_then(|value| reader.end().map(|()| value));
    match outcome {
        Ok(value) => Ok(value),
        Err(ParseError::NotJson) => Err(ParseError::NotJson),
        Err(refusal) => {
            let mut lenient = Reader::over(text, false);
            match lenient.skip().and_then(|()| lenient.end()) {
                Err(ParseError::NotJson) => Err(ParseError::NotJson),
                _ => Err(refusal),
            }
        }
    }
}

/// Reads one whole body that has to be an object, calling `field` for each key.
pub(crate) fn read_object<'a>(
    body: &'a [u8],
    field: impl FnMut(&mut Reader<'a>, &str) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    read(body, |reader| reader.fields(field))
}

/// Where a string stands in the body, in one machine word: half the length's bits are
/// enough for a body that fits the other half. No string starts at
/// 0, where its quote would have to be; that leaves room for marks.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    /// The length, and [`ESCAPED`](Self::ESCAPED).
    len: u32,
}

impl Span {
    const ESCAPED: u32 = 0x8000_0000;
    /// No string: none starts before the first byte's quote.
    pub(crate) const NONE: Self = Self { start: 0, len: 0 };
    /// Something else than a string.
    pub(crate) const OTHER: Self = Self { start: 0, len: 1 };

    fn new(start: usize, end: usize, escaped: bool) -> Result<Self, ParseError> {
        let len = u32::try_from(end.wrapping_sub(start)).ok().filter(|len| *len < Self::ESCAPED);
        match (u32::try_from(start), len) {
            (Ok(start), Some(len)) => {
                Ok(Self { start, len: if escaped { len | Self::ESCAPED } else { len } })
            }
            _ => Err(ParseError::TooLong),
        }
    }

    const fn is_escaped(self) -> bool {
        self.len & Self::ESCAPED != 0
    }

    #[inline]
    const fn range(self) -> core::ops::Range<usize> {
        let start = self.start as usize;
        start..start.saturating_add((self.len & !Self::ESCAPED) as usize)
    }
}

/// The cursor. Methods leave it behind the value they read, white space skipped.
///
/// The hot ones copy the position into a local, go on with that, and put it back once:
/// a position in memory would make every byte wait for the store of the one before.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Lenient reading answers only «is it JSON»: the slow path of an error.
    strict: bool,
    keys: heapless::Vec<Span, MAX_OPEN_KEYS>,
}

#[inline]
fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
        at = at.wrapping_add(1);
    }
    at
}

/// Behind `byte` and the white space after it.
#[inline]
fn token(bytes: &[u8], at: usize, byte: u8) -> Result<usize, ParseError> {
    if bytes.get(at) == Some(&byte) { Ok(space(bytes, at.wrapping_add(1))) } else { Err(ParseError::NotJson) }
}

/// Where the string ends (at its quote) whose first character stands at `at`, and
/// whether it has escapes.
#[inline]
fn string_end(bytes: &[u8], at: usize, strict: bool) -> Result<(usize, bool), ParseError> {
    let end = plain_end(bytes, at);
    if bytes.get(end) == Some(&b'"') { Ok((end, false)) } else { escaped_end(bytes, end, strict) }
}

#[cold]
fn escaped_end(bytes: &[u8], mut at: usize, strict: bool) -> Result<(usize, bool), ParseError> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((at, true)),
            Some(b'\\') => at = escape_end(bytes, at, strict)?,
            _ => return Err(ParseError::NotJson),
        }
        at = plain_end(bytes, at);
    }
}

fn escape_end(bytes: &[u8], at: usize, strict: bool) -> Result<usize, ParseError> {
    let unit_at = |at: usize| bytes.get(at..).and_then(hex4).ok_or(ParseError::NotJson);
    let after = at.wrapping_add(2);
    match bytes.get(at.wrapping_add(1)) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(after),
        Some(b'u') => {
            let unit = unit_at(after)?;
            let after = after.wrapping_add(4);
            if !(0xD800..0xE000).contains(&unit) || !strict {
                return Ok(after);
            }
            let pair = unit < 0xDC00 && bytes.get(after..).is_some_and(|rest| rest.starts_with(b"\\u"));
            if !pair {
                return Err(ParseError::LoneSurrogate);
            }
            let low = unit_at(after.wrapping_add(2))?;
            if (0xDC00..0xE000).contains(&low) {
                Ok(after.wrapping_add(6))
            } else {
                Err(ParseError::LoneSurrogate)
            }
        }
        _ => Err(ParseError::NotJson),
    }
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn over(text: &'a str, strict: bool) -> Self {
        let at = space(text.as_bytes(), 0);
        Self { text, at, depth: 0, strict, keys: heapless::Vec::new() }
    }

    #[inline]
    const fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        self.at = token(self.bytes(), self.at, byte)?;
        Ok(())
    }

    /// Takes `byte` if it stands here.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        match token(self.bytes(), self.at, byte) {
            Ok(at) => {
                self.at = at;
                true
            }
            Err(_) => false,
        }
    }

    #[inline]
    pub(crate) const fn end(&self) -> Result<(), ParseError> {
        if self.at >= self.text.len() { Ok(()) } else { Err(ParseError::NotJson) }
    }

    #[inline]
    const fn enter(&mut self) -> Result<(), ParseError> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH { Err(ParseError::TooDeep) } else { Ok(()) }
    }

    #[inline]
    const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// An object, or [`ParseError::NotAnObject`]. `field` has to read the value.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, Text<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.object_spans(|reader, key| field(reader, reader.at_span(key)))
    }

    #[inline]
    fn object_spans(
        &mut self,
        mut field: impl FnMut(&mut Self, Span) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        if !self.take(b'{') {
            return Err(ParseError::NotAnObject);
        }
        self.enter()?;
        let frame = self.keys.len();
        if !self.take(b'}') {
            loop {
                let key = self.key(frame)?;
                field(self, key)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
            self.keys.truncate(frame);
        }
        self.leave();
        Ok(())
    }

    /// [`object`](Self::object) with each key as plain text: what escapes it was
    /// written with make no difference. A longer one than any of ours comes as "".
    #[inline]
    pub(crate) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, &str) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.object_spans(|reader, span| {
            let mut scratch = [0; 48];
            let key = reader.at_span(span);
            let name = match key.as_str() {
                Some(plain) => plain,
                None => decoded(key, &mut scratch),
            };
            field(reader, name)
        })
    }

    /// Where a value begins, for [`since`](Self::since).
    pub(crate) const fn mark(&self) -> usize {
        self.at
    }

    /// The value read since `mark`.
    pub(crate) fn since(&self, mark: usize) -> Raw<'a> {
        Raw(self.text.get(mark..self.at).unwrap_or_default().trim_end_matches([' ', '\n', '\t', '\r']))
    }

    /// An array, or [`ParseError::WrongType`]. `item` has to read the value.
    pub(crate) fn array(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        if !self.take(b'[') {
            return Err(ParseError::WrongType);
        }
        self.enter()?;
        if !self.take(b']') {
            loop {
                item(self)?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b']')?;
        }
        self.leave();
        Ok(())
    }

    /// A key and its colon, refused if the object that began at `frame` has it already.
    #[inline]
    fn key(&mut self, frame: usize) -> Result<Span, ParseError> {
        let bytes = self.bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return Err(ParseError::NotJson);
        }
        let start = self.at.wrapping_add(1);
        let (end, escaped) = string_end(bytes, start, self.strict)?;
        self.at = token(bytes, space(bytes, end.wrapping_add(1)), b':')?;
        let key = Span::new(start, end, escaped)?;
        if self.strict {
            for old in self.keys.get(frame..).unwrap_or_default() {
                if (old.len == key.len || old.is_escaped() || escaped)
                    && self.at_span(*old) == self.at_span(key)
                {
                    return Err(ParseError::DuplicateKey);
                }
            }
            self.keys.push(key).map_err(|_| ParseError::TooManyKeys)?;
        }
        Ok(key)
    }

    /// The string that stands at `span`.
    #[inline]
    pub(crate) fn at_span(&self, span: Span) -> Text<'a> {
        Text::from_json(self.text.get(span.range()).unwrap_or_default(), span.is_escaped())
    }

    /// A string, or [`ParseError::WrongType`].
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>, ParseError> {
        self.span().map(|span| self.at_span(span))
    }

    /// Where a string stands, or [`ParseError::WrongType`].
    #[inline]
    pub(crate) fn span(&mut self) -> Result<Span, ParseError> {
        let bytes = self.bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return Err(ParseError::WrongType);
        }
        let start = self.at.wrapping_add(1);
        let (end, escaped) = string_end(bytes, start, self.strict)?;
        self.at = space(bytes, end.wrapping_add(1));
        Span::new(start, end, escaped)
    }

    /// Whether a `null` stands here; if so it is taken.
    #[inline]
    pub(crate) fn null(&mut self) -> Result<bool, ParseError> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word(b"null")?;
        Ok(true)
    }

    fn word(&mut self, word: &[u8]) -> Result<(), ParseError> {
        if !self.bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(ParseError::NotJson);
        }
        self.at = space(self.bytes(), self.at.saturating_add(word.len()));
        Ok(())
    }

    /// A boolean, or [`ParseError::WrongType`].
    pub(crate) fn boolean(&mut self) -> Result<bool, ParseError> {
        match self.peek() {
            Some(b't') => self.word(b"true").map(|()| true),
            Some(b'f') => self.word(b"false").map(|()| false),
            _ => Err(ParseError::WrongType),
        }
    }

    /// A whole number that 64 bits have room for, written without fraction and exponent,
    /// or [`ParseError::WrongType`].
    pub(crate) fn integer(&mut self) -> Result<i64, ParseError> {
        if !self.peek().is_some_and(|byte| byte == b'-' || byte.is_ascii_digit()) {
            return Err(ParseError::WrongType);
        }
        let number = self.raw()?;
        number.as_str().parse().map_err(|_| ParseError::WrongType)
    }

    fn scalar(&mut self) -> Result<(), ParseError> {
        match self.peek() {
            Some(b'"') => self.span().map(|_| ()),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => {
                self.at = space(self.bytes(), number_end(self.bytes(), self.at)?);
                Ok(())
            }
        }
    }

    /// Any value, as it stands.
    pub(crate) fn raw(&mut self) -> Result<Raw<'a>, ParseError> {
        let mark = self.mark();
        self.skip()?;
        Ok(self.since(mark))
    }

    /// Passes over any value, checking it whole.
    ///
    /// Written as a loop: a value's nesting must not become the stack's.
    pub(crate) fn skip(&mut self) -> Result<(), ParseError> {
        if !matches!(self.peek(), Some(b'{' | b'[')) {
            return self.scalar();
        }
        // One bit a level: set for an object. And where each object's keys begin.
        let mut objects = 0_u64;
        let mut frames = [0_u8; MAX_DEPTH];
        let outside = self.depth;
        loop {
            // At a value.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.enter()?;
                    self.expect(open)?;
                    objects = objects.wrapping_shl(1) | u64::from(open == b'{');
                    let frame = u8::try_from(self.keys.len()).unwrap_or(u8::MAX);
                    if let Some(slot) = frames.get_mut(self.depth.wrapping_sub(1)) {
                        *slot = frame;
                    }
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.peek() != Some(close) {
                        if open == b'{' {
                            self.key(usize::from(frame))?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // Behind a value, or before the end of an empty container.
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                let frame = frames.get(self.depth.wrapping_sub(1)).copied().map_or(0, usize::from);
                if self.peek() == Some(b',') {
                    self.expect(b',')?;
                    if object {
                        self.key(frame)?;
                    }
                    break;
                }
                self.expect(if object { b'}' } else { b']' })?;
                self.keys.truncate(frame);
                objects = objects.wrapping_shr(1);
                self.leave();
            }
        }
    }

    /// `null` as `None`, else what `parse` reads.
    #[inline]
    pub(crate) fn optional<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Option<T>, ParseError> {
        if self.null()? { Ok(None) } else { parse(self).map(Some) }
    }

    /// A secret string, or `None` for `null`.
    pub(crate) fn secret(&mut self) -> Result<Option<Secret<'a>>, ParseError> {
        Ok(self.optional(Self::text)?.map(Secret::from_text))
    }
}

/// The items of a JSON array that has been checked before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    rest: &'a str,
}

impl<'a> Items<'a> {
    pub(crate) fn of(array: Option<Raw<'a>>) -> Self {
        let inside = array.and_then(|raw| raw.as_str().strip_prefix('['));
        Self { rest: inside.unwrap_or_default() }
    }
}

impl<'a> Items<'a> {
    /// What `read` makes of the next item, which it has to read whole.
    #[inline]
    pub(crate) fn next_with<T>(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, ParseError>,
    ) -> Option<T> {
        let mut reader = Reader::over(self.rest, false);
        if reader.peek() == Some(b',') {
            reader.expect(b',').ok()?;
        }
        let item = read(&mut reader).ok()?;
        self.rest = self.rest.get(reader.mark()..)?;
        Some(item)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.next_with(Reader::raw)
    }
}

#[cold]
fn decoded<'b>(key: Text<'_>, scratch: &'b mut [u8]) -> &'b str {
    key.copy_to(scratch).unwrap_or_default()
}

fn number_end(bytes: &[u8], mut at: usize) -> Result<usize, ParseError> {
    let digits = |mut at: usize| {
        let first = bytes.get(at).filter(|byte| byte.is_ascii_digit());
        first.ok_or(ParseError::NotJson)?;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at = at.wrapping_add(1);
        }
        Ok(at)
    };
    if bytes.get(at) == Some(&b'-') {
        at = at.wrapping_add(1);
    }
    at = if bytes.get(at) == Some(&b'0') { at.wrapping_add(1) } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at.wrapping_add(1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at = at.wrapping_add(1);
        if let Some(b'+' | b'-') = bytes.get(at) {
            at = at.wrapping_add(1);
        }
        at = digits(at)?;
    }
    Ok(at)
}

/// Index of the first byte from `at` on that ends or interrupts a string's plain
/// run: a quote, a backslash, a control character, or the end of the input.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zero_byte = |x: u64| x.wrapping_sub(ONES) & !x;
        let quote = zero_byte(word ^ (ONES.wrapping_mul(0x22)));
        let slash = zero_byte(word ^ (ONES.wrapping_mul(0x5C)));
        let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
        let hits = (quote | slash | control) & HIGH;
        if hits != 0 {
            // A borrow can only mark bytes above a true hit, so the lowest is true.
            return at.wrapping_add((hits.trailing_zeros() / 8) as usize);
        }
        at = at.wrapping_add(8);
    }
    while bytes.get(at).is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..=0x1F)) {
        at = at.wrapping_add(1);
    }
    at
}

/// Writes `text` as a JSON string, quotes included.
///
/// # Errors
///
/// The sink's own: it is full.
pub(crate) fn write_text(out: &mut impl Write, text: Text<'_>) -> fmt::Result {
    out.write_char('"')?;
    match text.as_str() {
        Some(plain) => write_escaped(out, plain)?,
        None => {
            for c in text.chars() {
                write_escaped(out, c.encode_utf8(&mut [0; 4]))?;
            }
        }
    }
    out.write_char('"')
}

fn write_escaped(out: &mut impl Write, plain: &str) -> fmt::Result {
    let mut rest = plain;
    loop {
        let (run, special) = match rest.split_at_checked(plain_end(rest.as_bytes(), 0)) {
            Some(split) => split,
            None => (rest, ""),
        };
        out.write_str(run)?;
        let Some(c) = special.chars().next() else { return Ok(()) };
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            // Below 0x20: the first of two digits is 0 or 1. Not `write!`: the formatting
            // machinery is 2 KiB of flash, and nothing else needs it.
            control => {
                out.write_str(if u32::from(control) < 0x10 { "\\u000" } else { "\\u001" })?;
                out.write_char(char::from_digit(u32::from(control) & 0xF, 16).unwrap_or('0'))?;
            }
        }
        rest = special.get(c.len_utf8()..).unwrap_or_default();
    }
}

/// Every power of ten that a `u64` can have, the largest first.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = powers.len() - 1;
    while at > 0 {
        powers[at - 1] = powers[at] * 10;
        at -= 1;
    }
    powers
};

/// Writes `value` in decimal digits, by subtraction: a 64-bit division is a kilobyte on a
/// processor that has none.
fn write_integer(out: &mut impl Write, mut value: u64) -> fmt::Result {
    let mut begun = false;
    for power in POWERS {
        let mut digit = b'0';
        while value >= power {
            value = value.wrapping_sub(power);
            digit = digit.wrapping_add(1);
        }
        begun |= digit != b'0' || power == 1;
        if begun {
            out.write_char(char::from(digit))?;
        }
    }
    Ok(())
}

/// Writes the keys of `object` and their values behind others, each with a comma before
/// it, but none of `ours`. What is no object has no keys.
///
/// # Errors
///
/// The sink's own: it is full.
pub(crate) fn write_others(out: &mut impl Write, object: Raw<'_>, ours: &[&str]) -> fmt::Result {
    write_members(out, object, ours, false)
}

/// The same, where nothing stands before the first if `first`.
pub(crate) fn write_members(
    out: &mut impl Write,
    object: Raw<'_>,
    ours: &[&str],
    mut first: bool,
) -> fmt::Result {
    let mut result = Ok(());
    let _checked_before = object.reader().object(|reader, key| {
        let value = reader.raw()?;
        if result.is_ok() && ours.iter().all(|ours| key != *ours) {
            let comma = if core::mem::take(&mut first) { "" } else { "," };
            result = out
                .write_str(comma)
                .and_then(|()| write_text(out, key))
                .and_then(|()| out.write_char(':'))
                .and_then(|()| out.write_str(value.as_str()));
        }
        Ok(())
    });
    result
}

/// Writes an object key by key; the comma and the colon are its business.
pub(crate) struct ObjectWriter<'w, W: Write> {
    out: &'w mut W,
    first: bool,
}

impl<'w, W: Write> ObjectWriter<'w, W> {
    pub(crate) fn begin(out: &'w mut W) -> Result<Self, fmt::Error> {
        out.write_char('{')?;
        Ok(Self { out, first: true })
    }

    /// Writes `key` (which needs no escape) and gives the sink for its value.
    pub(crate) fn key(&mut self, key: &str) -> Result<&mut W, fmt::Error> {
        if !core::mem::take(&mut self.first) {
            self.out.write_char(',')?;
        }
        self.out.write_char('"')?;
        self.out.write_str(key)?;
        self.out.write_str("\":")?;
        Ok(self.out)
    }

    pub(crate) fn text(&mut self, key: &str, value: Text<'_>) -> fmt::Result {
        write_text(self.key(key)?, value)
    }

    pub(crate) fn text_if(&mut self, key: &str, value: Option<Text<'_>>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.text(key, value))
    }

    pub(crate) fn secret_if(&mut self, key: &str, value: Option<Secret<'_>>) -> fmt::Result {
        self.text_if(key, value.map(|secret| secret.expose()))
    }

    pub(crate) fn boolean(&mut self, key: &str, value: bool) -> fmt::Result {
        self.key(key)?.write_str(if value { "true" } else { "false" })
    }

    pub(crate) fn boolean_if(&mut self, key: &str, value: Option<bool>) -> fmt::Result {
        value.map_or(Ok(()), |value| self.boolean(key, value))
    }

    pub(crate) fn integer(&mut self, key: &str, value: u64) -> fmt::Result {
        write_integer(self.key(key)?, value)
    }

    pub(crate) fn end(self) -> fmt::Result {
        self.out.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

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
                assert_eq!(plain_end(text.as_bytes(), 0), text.find(special).unwrap());
            }
        }
        assert_eq!(plain_end("\u{7f}\u{80}ÿ!#[]".as_bytes(), 0), "\u{7f}\u{80}ÿ!#[]".len());
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
