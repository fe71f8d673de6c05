//! Which keys an object has.

use super::scan::{behind_strings, string};
use crate::text::Text;

/// What the value of a key may be; `null` counts as no value, whatever it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything: what is made of it is for who reads the slot to say.
    Any,
    /// A string.
    Text,
    /// An object that has a table, or anything else.
    Maybe,
    /// An object that has a table.
    Object,
    /// A list of objects that mostly have the one key of their table, with strings in it, or
    /// anything else.
    List,
    /// A boolean.
    Flag,
}

impl Kind {
    #[inline]
    pub(super) const fn takes_a_string(self) -> bool {
        matches!(self, Self::Any | Self::Text | Self::Maybe | Self::List)
    }
}

/// One key. Eight bytes on every machine: microcontrollers have many of them.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// The first bytes of what stands for it in [`Table::text`].
    head: [u8; HEAD],
    /// Where that begins, and its length.
    at: u8,
    len: u8,
    pub(super) kind: Kind,
    /// Which of [`Table::below`] its value has.
    below: u8,
}

/// A word of the smallest machine; no name with what follows it is shorter.
const HEAD: usize = 4;
const WORD: usize = size_of::<usize>();
/// What follows a name in compact JSON.
const END: &str = "\":";

/// The keys of an object, in the order of their slots.
pub(crate) struct Table {
    /// Each key as it stands before its value in compact JSON, `name":`. So a known key
    /// need not be looked through for its end.
    text: &'static [u8],
    keys: &'static [Key],
    /// The slot of the first key.
    first: u8,
    /// The tables of the objects that are values here, in the order of their keys.
    below: &'static [&'static Self],
    /// A table whose keys the object has beside these.
    beside: Option<&'static Self>,
}

/// A key that a table has.
pub(super) struct Found<'t> {
    table: &'t Table,
    pub(super) key: &'t Key,
    pub(super) slot: usize,
}

impl<'t> Found<'t> {
    #[inline]
    fn new(table: &'t Table, index: usize, key: &'t Key) -> Self {
        Self { table, key, slot: index.wrapping_add(usize::from(table.first)) }
    }

    /// The table of an object that is its value.
    #[inline]
    pub(super) fn below(&self) -> Option<&'t Table> {
        self.table.below.get(usize::from(self.key.below)).copied()
    }
}

impl Table {
    /// For [`table!`], which says what is what.
    pub(crate) const fn new(
        first: usize,
        text: &'static str,
        keys: &'static [Key],
        below: &'static [&'static Self],
    ) -> Self {
        assert!(first <= u8::MAX as usize, "a slot is one byte");
        let text = text.as_bytes();
        Self { text, keys, first: first as u8, below, beside: None }
    }

    /// The same for an object that has the keys of another table too. A key of both is this
    /// table's.
    pub(crate) const fn beside(self, beside: &'static Self) -> Self {
        Self { beside: Some(beside), ..self }
    }

    /// The key that `rest` begins with, behind its quote and in the form it mostly has, and
    /// what follows its colon.
    #[inline]
    pub(super) fn find<'a>(&self, rest: &'a [u8]) -> Option<(Found<'_>, &'a [u8])> {
        let head = rest.first_chunk()?;
        let mut table = self;
        loop {
            for (index, key) in table.keys.iter().enumerate() {
                if key.head == *head
                    && let Some(written) = table.written(key)
                    && let Some((begin, value)) = rest.split_at_checked(written.len())
                    && equal_behind_head(begin, written)
                {
                    return Some((Found::new(table, index, key), value));
                }
            }
            table = table.beside?;
        }
    }

    /// The key called `name`, in whatever form that is written.
    pub(super) fn find_text(&self, name: Text<'_>) -> Option<Found<'_>> {
        let mut table = self;
        loop {
            for (index, key) in table.keys.iter().enumerate() {
                if table.name_of(key).is_some_and(|known| name == *known) {
                    return Some(Found::new(table, index, key));
                }
            }
            table = table.beside?;
        }
    }

    /// What follows a list of objects that all have the one key, with strings in it, if it is
    /// in the form it mostly has.
    pub(super) fn behind_list<'a>(&self, list: &'a [u8]) -> Option<&'a [u8]> {
        let [b'[', first @ ..] = list else { return None };
        let mut item = first;
        loop {
            let [b'{', b'"', key @ ..] = item else { return None };
            match behind_strings(key.strip_prefix(self.text)?, |name| Some(string(name, true).ok()?.2))? {
                [b'}', b',', next @ ..] => item = next,
                [b'}', b']', behind @ ..] => return Some(behind),
                _ => return None,
            }
        }
    }

    #[inline]
    fn written(&self, key: &Key) -> Option<&'static [u8]> {
        let at = usize::from(key.at);
        self.text.get(at..at.wrapping_add(usize::from(key.len)))
    }

    fn name_of(&self, key: &Key) -> Option<&'static str> {
        core::str::from_utf8(self.written(key)?).ok()?.strip_suffix(END)
    }

    /// The name of the key at `slot`.
    #[cfg(test)]
    pub(crate) fn name(&self, slot: usize) -> &'static str {
        let key = &self.keys[slot.checked_sub(usize::from(self.first)).unwrap()];
        self.name_of(key).unwrap()
    }

    /// The slot behind that of the last key.
    #[cfg(test)]
    pub(crate) fn end(&self) -> usize {
        self.keys.len().wrapping_add(usize::from(self.first))
    }
}

/// Whether two keys with the same first bytes are the same. The last word tells for most.
#[inline]
fn equal_behind_head(one: &[u8], other: &[u8]) -> bool {
    // By words: a call to compare as many bytes would cost more.
    if one.len() < WORD {
        return last::<HEAD>(one) == last::<HEAD>(other);
    }
    last::<WORD>(one) == last::<WORD>(other)
        && (one.len() <= HEAD.wrapping_add(WORD)
            || one
                .as_chunks::<WORD>()
                .0
                .iter()
                .zip(other.as_chunks::<WORD>().0)
                .all(|(one, other)| one == other))
}

/// The last bytes; zeros of what has fewer.
#[inline]
fn last<const N: usize>(text: &[u8]) -> [u8; N] {
    let from = text.len().wrapping_sub(N);
    text.get(from..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

impl Key {
    /// The keys whose names stand in `text`, of these kinds.
    #[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "the compiler evaluates it")]
    pub(crate) const fn all<const N: usize>(text: &str, kinds: [Kind; N]) -> [Self; N] {
        let text = text.as_bytes();
        let mut keys = [Self { head: [0; HEAD], at: 0, len: 0, kind: Kind::Any, below: u8::MAX }; N];
        let (mut index, mut at, mut below) = (0, 0, 0);
        while index < N {
            let mut end = at;
            while text[end] != b':' {
                end += 1;
            }
            end += 1;
            assert!(end - at >= HEAD && end <= u8::MAX as usize, "a place in the text is one byte");
            let key = &mut keys[index];
            key.head = [text[at], text[at + 1], text[at + 2], text[at + 3]];
            (key.at, key.len, key.kind) = (at as u8, (end - at) as u8, kinds[index]);
            if matches!(kinds[index], Kind::Object | Kind::Maybe | Kind::List) {
                key.below = below;
                below += 1;
            }
            (index, at) = (index + 1, end);
        }
        assert!(at == text.len(), "a name has no colon");
        keys
    }
}

/// A [`Table`]: the slot of the first key, then each key with what it may hold, which for an
/// object is the table of its own keys.
macro_rules! table {
    ($first:expr; $($name:literal: $kind:ident $(($below:expr))?),+ $(,)?) => {{
        use $crate::wire::json::{Key, Kind, Table};
        const TEXT: &str = concat!($($name, "\":"),+);
        const KINDS: [Kind; [$($name),+].len()] = [$(Kind::$kind),+];
        static KEYS: [Key; KINDS.len()] = Key::all(TEXT, KINDS);
        Table::new($first, TEXT, &KEYS, &[$($(&$below,)?)+])
    }};
}
pub(crate) use table;
