//! How much one body may have.

/// How deep objects and arrays may nest; the body itself is the first level.
pub const MAX_DEPTH: usize = 32;
/// How many keys may be open at once, over all objects that enclose a place.
///
/// Telling whether a key occurred before means remembering it; without a heap that
/// takes a bound.
pub const MAX_OPEN_KEYS: usize = 128;
