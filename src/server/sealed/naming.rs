//! How the sessions of a host are named: by an ID alone, or by one that holds them.

use core::fmt;

use super::name::{SealedName, SessionName};
use super::{Keys, Tail, open, seal};
use crate::server::call::Params;
use crate::server::session::{Session, SessionId};
use crate::text::Text;

/// What a host seals its session IDs with, if it does.
#[derive(Clone, Copy)]
pub(crate) struct Sealing<'k>(Option<Keys<'k>>);

impl<'k> Sealing<'k> {
    /// It does not.
    pub(crate) const NONE: Self = Self(None);

    #[cfg(feature = "sealed")]
    pub(crate) const fn with(keys: Keys<'k>) -> Self {
        Self(Some(keys))
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The session that `text` names; `None` if no session can have that name.
    pub(crate) fn name<'t>(&self, text: Text<'t>) -> Option<SessionName<'t>> {
        match self.0 {
            None => SessionId::parse(text).map(SessionName::from),
            Some(keys) => {
                let (id, untouched) = open(keys, text)?;
                Some(SessionName::sealed(id, SealedName { text, untouched }))
            }
        }
    }
}

/// How the sessions of one request are spelled: the one it names, and the one that begins.
#[derive(Clone, Copy)]
pub(crate) struct Naming<'r> {
    sealing: Sealing<'r>,
    /// The one it names, where its name is more than its ID.
    named: Option<SealedName<'r>>,
}

impl<'r> Naming<'r> {
    /// Of a request that names a session by `text`, and what it names: `Some(None)` is what no
    /// session can be called.
    pub(crate) fn of(sealing: Sealing<'r>, text: Text<'r>) -> (Self, Option<SessionId>) {
        let name = sealing.name(text);
        (Self { sealing, named: name.and_then(|name| name.sealed_name()) }, name.map(|name| name.id()))
    }

    /// Of a request that names none.
    pub(crate) const fn of_none(sealing: Sealing<'r>) -> Self {
        Self { sealing, named: None }
    }

    /// Of a page, whose session was named so.
    pub(crate) fn of_page(name: &SessionName<'r>) -> Self {
        Self { sealing: Sealing::NONE, named: name.sealed_name() }
    }

    /// Whether a session that begins is not stored yet.
    pub(crate) const fn is_sealed(&self) -> bool {
        self.sealing.is_on()
    }

    /// The named session as it began, if its name holds it.
    pub(crate) fn session(&self) -> Option<Session> {
        self.named.map(|named| named.session())
    }

    /// How the session `id` is spelled; `named` says whether the request has named it. `None`:
    /// it can't be sealed, since the host's clock is out of range.
    pub(crate) fn spelling(
        &self,
        id: SessionId,
        session: &Session,
        named: bool,
        params: &Params,
    ) -> Option<Spelling<'r>> {
        let behind = match (self.sealing.0, self.named) {
            (_, Some(name)) if named => Behind::Same(name),
            (Some(keys), _) => Behind::Tail(seal(keys, &id, session, params.slots.map(|param| param.free))?),
            (None, _) => Behind::Nothing,
        };
        Some(Spelling { id, behind })
    }
}

/// How a session is spelled in an answer.
#[derive(Clone, Copy)]
pub(crate) struct Spelling<'r> {
    id: SessionId,
    behind: Behind<'r>,
}

/// What there is behind the ID.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
enum Behind<'r> {
    Nothing,
    /// All of it is spelled as the request did.
    Same(SealedName<'r>),
    Tail(Tail),
}

impl Spelling<'_> {
    /// Writes it: letters that need no escape.
    pub(crate) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match &self.behind {
            Behind::Same(name) => write!(out, "{}", name.text),
            Behind::Nothing => out.write_str(&self.id.expose()),
            Behind::Tail(tail) => {
                out.write_str(&self.id.expose())?;
                out.write_str(tail.as_str())
            }
        }
    }
}
