//! The pull reader.

use super::scan::{number_end, space, string_end, token};
use super::{MAX_DEPTH, MAX_OPEN_KEYS, Raw};
use crate::wire::ParseError;
use crate::{Millis, Secret, Text};

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
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
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
        Raw::trusted(
            self.text.get(mark..self.at).unwrap_or_default().trim_end_matches([' ', '\n', '\t', '\r']),
        )
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

    /// A number of milliseconds; any other value counts as none. For answers, where a time
    /// that can't be read is no reason to lose the token beside it.
    pub(crate) fn lenient_millis(&mut self) -> Result<Option<Millis>, ParseError> {
        Ok(self.raw()?.as_str().parse().ok().map(Millis::new))
    }
}

#[cold]
fn decoded<'b>(key: Text<'_>, scratch: &'b mut [u8]) -> &'b str {
    key.copy_to(scratch).unwrap_or_default()
}
