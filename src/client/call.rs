//! Which call a progress belongs to, and which request of it an answer.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::capacity::CapacityError;
use crate::wire::Fnv;
use crate::wire::json::Raw;

/// The longest name of a call, in bytes.
pub const MAX_CALL_NAME: usize = 96;

/// What the application calls one of its calls, such as `password of alice`: the same name
/// after a restart, and another for each call that is under way at the same time.
///
/// It is stored with the progress, so there should be no secret in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallName<'c>(&'c str);

impl<'c> CallName<'c> {
    /// The name.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if it has more than [`MAX_CALL_NAME`] bytes.
    pub const fn new(name: &'c str) -> Result<Self, CapacityError> {
        if name.len() > MAX_CALL_NAME {
            return Err(CapacityError::new("call name"));
        }
        Ok(Self(name))
    }

    /// As it was given.
    #[must_use]
    pub const fn as_str(&self) -> &'c str {
        self.0
    }
}

/// A call: its name and its body, which every request repeats.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    name: CallName<'c>,
    body: Raw<'c>,
}

impl<'c> Call<'c> {
    /// `body` is the call's own, a JSON object, `{}` for a call without one. An `auth` that
    /// it has is left out.
    ///
    /// # Errors
    ///
    /// As [`CallName::new`].
    pub const fn new(name: &'c str, body: Raw<'c>) -> Result<Self, CapacityError> {
        match CallName::new(name) {
            Ok(name) => Ok(Self { name, body }),
            Err(error) => Err(error),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> CallName<'c> {
        self.name
    }

    pub(super) const fn body(&self) -> Raw<'c> {
        self.body
    }
}

/// A body can have a new password in it.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, body: _ } = self;
        f.debug_struct("Call").field("name", name).finish_non_exhaustive()
    }
}

/// Whose tickets these are: those of a progress of this call. When the progress began is
/// in their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(u64);

impl Origin {
    const fn of(name: &str) -> Self {
        Self(Fnv::of(name.as_bytes()))
    }

    pub(super) const fn ticket(self, number: u32) -> Ticket {
        Ticket { origin: self, number }
    }
}

/// A progress' call, as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Owner {
    name: heapless::String<MAX_CALL_NAME>,
    origin: Origin,
}

impl Owner {
    pub(super) fn new(name: CallName<'_>) -> Self {
        let mut kept = heapless::String::new();
        // A name is never longer than that.
        let _ = kept.push_str(name.0);
        Self { name: kept, origin: Origin::of(name.0) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn origin(&self) -> Origin {
        self.origin
    }
}

impl Serialize for Owner {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = heapless::String::deserialize(deserializer)?;
        let origin = Origin::of(&name);
        Ok(Self { name, origin })
    }
}

/// Which request an answer belongs to: of one progress, and of its call. The answer to
/// another request, or to one of another progress, changes nothing.
///
/// Two progresses are told apart by their calls' names or, of one name, by the time of
/// their first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    origin: Origin,
    number: u32,
}

impl Ticket {
    pub(super) fn is(self, origin: Origin, number: u32) -> bool {
        self.origin == origin && self.number == number
    }
}
