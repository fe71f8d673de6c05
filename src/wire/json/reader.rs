//! The pull reader.

use super::limits::{MAX_DEPTH, MAX_OPEN_KEYS};
use super::raw::Raw;
use super::scan::{after_scalar, after_space, string, token};
use super::span::Span;
use crate::text::Text;
use crate::wire::ParseError;

/// The cursor. Methods leave it behind the value they read, white space skipped.
///
/// The hot ones go on with a copy of what is left and put it back once: a position in
/// memory would make every byte wait for the store of the one before.
pub(crate) struct Reader<'a> {
    text: &'a str,
    rest: &'a [u8],
    depth: usize,
    /// Lenient reading answers only whether it is JSON: the slow path of an error.
    strict: bool,
    /// The open keys that no table has told apart.
    keys: heapless::Vec<Span, MAX_OPEN_KEYS>,
    /// How many more keys may be open, those that a table has included.
    room: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn over(text: &'a str, strict: bool) -> Self {
        let rest = after_space(text.as_bytes());
        Self { text, rest, depth: 0, strict, keys: heapless::Vec::new(), room: MAX_OPEN_KEYS }
    }

    #[inline]
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(super) const fn go_on_with(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Where `rest` begins.
    #[inline]
    pub(super) const fn place_of(&self, rest: &[u8]) -> usize {
        self.text.len().wrapping_sub(rest.len())
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        self.rest = token(self.rest, byte)?;
        Ok(())
    }

    /// Takes `byte` if it stands here.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        self.expect(byte).is_ok()
    }

    #[inline]
    pub(crate) const fn end(&self) -> Result<(), ParseError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ParseError::NotJson) }
    }

    #[inline]
    pub(super) const fn enter(&mut self) -> Result<(), ParseError> {
        self.depth = self.depth.wrapping_add(1);
        if self.depth > MAX_DEPTH { Err(ParseError::TooDeep) } else { Ok(()) }
    }

    #[inline]
    pub(super) const fn leave(&mut self) {
        self.depth = self.depth.wrapping_sub(1);
    }

    /// An object, or [`ParseError::NotAnObject`]. `field` has to read the value.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, Text<'a>) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        if !self.take(b'{') {
            return Err(ParseError::NotAnObject);
        }
        self.enter()?;
        let frame = self.frame();
        if !self.take(b'}') {
            loop {
                let (key, rest) = self.key(self.rest, frame)?;
                self.rest = rest;
                field(self, key.known_text(self.text))?;
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
            self.forget_remembered(frame);
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
        self.object(|reader, key| {
            let mut scratch = [0; 48];
            let name = match key.as_str() {
                Some(plain) => plain,
                None => decoded(key, &mut scratch),
            };
            field(reader, name)
        })
    }

    /// Where a value begins, for [`since`](Self::since).
    pub(crate) const fn mark(&self) -> usize {
        self.place_of(self.rest)
    }

    /// The value read since `mark`.
    pub(crate) fn since(&self, mark: usize) -> Raw<'a> {
        Raw::spaced(self.text.get(mark..self.mark()).unwrap_or_default())
    }

    /// The same as a place in [`source`](Self::source).
    pub(crate) fn span_since(&self, mark: usize) -> Span {
        Span::other(mark, self.since(mark).as_str().len())
    }

    /// All of the text that is read.
    pub(crate) const fn source(&self) -> &'a str {
        self.text
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

    /// The key that `rest` begins with, refused if the object that began at `frame` has it
    /// already; and what follows its colon.
    #[inline(never)]
    pub(super) fn key(&mut self, rest: &'a [u8], frame: usize) -> Result<(Span, &'a [u8]), ParseError> {
        let [b'"', name @ ..] = rest else { return Err(ParseError::NotJson) };
        let (key, rest) = self.name(name)?;
        self.remember(key, frame)?;
        Ok((key, rest))
    }

    /// The key behind whose quote `rest` begins, and what follows its colon.
    // Inlined where flash is no concern.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn name(&self, rest: &'a [u8]) -> Result<(Span, &'a [u8]), ParseError> {
        let (len, escaped, after) = string(rest, self.strict)?;
        let after = token(after_space(after), b':')?;
        Ok((Span::string(self.place_of(rest), len, escaped), after))
    }

    /// Refuses a key that the object that began at `frame` has already, and one too many.
    #[inline]
    pub(super) fn remember(&mut self, key: Span, frame: usize) -> Result<(), ParseError> {
        if !self.strict {
            return Ok(());
        }
        for old in self.keys.get(frame..).unwrap_or_default() {
            if old.may_equal(key) && self.equal(*old, key) {
                return Err(ParseError::DuplicateKey);
            }
        }
        self.count_key()?;
        self.keys.push(key).map_err(|_| ParseError::TooManyKeys)
    }

    #[inline(never)]
    fn equal(&self, one: Span, other: Span) -> bool {
        one.known_text(self.text) == other.known_text(self.text)
    }

    /// Counts one more key that is open.
    #[inline]
    pub(super) fn count_key(&mut self) -> Result<(), ParseError> {
        let (room, none) = self.room.overflowing_sub(1);
        self.room = room;
        if none { Err(ParseError::TooManyKeys) } else { Ok(()) }
    }

    /// Where the keys of an object begin that begins here.
    #[inline]
    pub(super) fn frame(&self) -> usize {
        self.keys.len()
    }

    /// How many more keys may be open.
    #[inline]
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// Leaves the object whose keys began at `frame`, before which there was that `room`.
    #[inline]
    pub(super) fn forget(&mut self, frame: usize, room: usize) {
        self.keys.truncate(frame);
        self.room = room;
    }

    /// The same for an object of which no table has any key.
    #[inline]
    fn forget_remembered(&mut self, frame: usize) {
        self.forget(frame, self.room.wrapping_add(self.keys.len().wrapping_sub(frame)));
    }

    /// The string that stands at `span`.
    #[inline]
    pub(super) fn text_at(&self, span: Span) -> Text<'a> {
        span.known_text(self.text)
    }

    /// A string, or [`ParseError::WrongType`].
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Text<'a>, ParseError> {
        self.span().map(|span| self.text_at(span))
    }

    /// Where a string stands, or [`ParseError::WrongType`].
    pub(super) fn span(&mut self) -> Result<Span, ParseError> {
        let [b'"', rest @ ..] = self.rest else { return Err(ParseError::WrongType) };
        let (len, escaped, after) = string(rest, self.strict)?;
        self.rest = after_space(after);
        Ok(Span::string(self.place_of(rest), len, escaped))
    }

    /// Whether a `null` stands here; if so it is taken.
    #[inline]
    pub(crate) fn null(&mut self) -> Result<bool, ParseError> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.rest = after_space(after_scalar(self.rest)?);
        Ok(true)
    }

    /// Any value, as it stands.
    pub(crate) fn raw(&mut self) -> Result<Raw<'a>, ParseError> {
        let start = self.mark();
        let behind = self.behind_value(self.rest)?;
        self.rest = after_space(behind);
        Ok(Raw::trusted(self.text.get(start..self.place_of(behind)).unwrap_or_default()))
    }

    /// Passes over any value, checking it whole.
    pub(crate) fn skip(&mut self) -> Result<(), ParseError> {
        self.rest = after_space(self.behind_value(self.rest)?);
        Ok(())
    }

    /// What stands right behind the value that `rest` begins with, which is checked whole.
    ///
    /// Written as a loop: a value's nesting must not become the stack's.
    pub(super) fn behind_value(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], ParseError> {
        // One bit a level: set for an object. And where the keys of each began.
        let (mut level, mut objects) = (0_usize, 0_u64);
        let mut frames = [0_u8; MAX_DEPTH];
        let deepest = MAX_DEPTH.saturating_sub(self.depth);
        let mut frame = self.frame();
        loop {
            // At a value, or at the key before it.
            if objects & 1 == 1 {
                rest = self.key(rest, frame)?.1;
            }
            let mut after = match rest {
                [b'"', inside @ ..] => string(inside, self.strict)?.2,
                [open @ (b'{' | b'['), inside @ ..] => {
                    let Some(slot) = frames.get_mut(level).filter(|_| level < deepest) else {
                        return Err(ParseError::TooDeep);
                    };
                    *slot = u8::try_from(frame).unwrap_or(u8::MAX);
                    frame = self.frame();
                    level = level.wrapping_add(1);
                    let object = *open == b'{';
                    objects = objects.wrapping_shl(1) | u64::from(object);
                    rest = after_space(inside);
                    match (rest, object) {
                        ([b'}', ..], true) | ([b']', ..], false) => rest,
                        _ => continue,
                    }
                }
                _ => after_scalar(rest)?,
            };
            // Behind a value, or before the end of an empty container.
            loop {
                if level == 0 {
                    return Ok(after);
                }
                after = match (after_space(after), objects & 1 == 1) {
                    ([b',', more @ ..], _) => {
                        rest = after_space(more);
                        break;
                    }
                    ([b'}', behind @ ..], true) => {
                        self.forget_remembered(frame);
                        behind
                    }
                    ([b']', behind @ ..], false) => behind,
                    _ => return Err(ParseError::NotJson),
                };
                objects = objects.wrapping_shr(1);
                level = level.wrapping_sub(1);
                frame = frames.get(level).copied().map_or(0, usize::from);
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
}

#[cold]
fn decoded<'b>(key: Text<'_>, scratch: &'b mut [u8]) -> &'b str {
    key.copy_to(scratch).unwrap_or_default()
}
