//! How the sessions of a host are named: by an ID alone, or by one that holds them.

use core::fmt;

use super::name::{SealedName, SessionName};
use super::{Keys, Tail, Untouched, open, seal};
use crate::server::call::Params;
use crate::server::session::{Session, SessionId};
use crate::text::Text;

/// Whether an answer repeats the text by which the request names its session. An ID alone can be
/// written again, which takes more time, and on a small processor less code.
const REPEATS: bool = cfg!(any(feature = "sealed", target_pointer_width = "64"));

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
    /// The text by which the request names one.
    spelled: Option<Text<'r>>,
    /// The one it names as it began, where the text holds it.
    began: Option<Untouched>,
}

impl<'r> Naming<'r> {
    /// Of a request that names a session by `spelled`, or none.
    #[inline]
    pub(crate) const fn of(sealing: Sealing<'r>, spelled: Option<Text<'r>>) -> Self {
        Self { sealing, spelled, began: None }
    }

    /// Of a page, whose session was named so.
    pub(crate) fn of_page(name: &SessionName<'r>) -> Self {
        let (spelled, began) = name.sealed_name().map(|name| (name.text, name.untouched)).unzip();
        Self { sealing: Sealing::NONE, spelled, began }
    }

    /// Whether a session that begins is not stored yet.
    pub(crate) const fn is_sealed(&self) -> bool {
        self.sealing.is_on()
    }

    /// Opens the text by which the request names a session; `None` if no session can have that
    /// name.
    pub(crate) fn open(&mut self) -> Option<SessionId> {
        let name = self.sealing.name(self.spelled?)?;
        self.began = name.sealed_name().map(|name| name.untouched);
        Some(name.id())
    }

    /// The named session as it began, if its name holds it.
    pub(crate) fn session(&self) -> Option<Session> {
        self.began.map(|untouched| untouched.session())
    }

    /// How the session `id` is spelled; `named` says whether the request has named it. `None`:
    /// it can't be sealed, since the host's clock is out of range.
    #[inline]
    pub(crate) fn spelling(
        &self,
        id: &SessionId,
        session: &Session,
        named: bool,
        params: &Params,
    ) -> Option<Spelling<'r>> {
        Some(match (self.spelled, self.sealing.0) {
            (Some(text), _) if named && REPEATS => Spelling(Spelled::Same(text)),
            (_, Some(keys)) => {
                let free = params.slots.map(|param| param.free);
                Spelling(Spelled::Sealed(seal(keys, id, session, free)?))
            }
            (_, None) => Spelling(Spelled::ById),
        })
    }
}

/// How a session is spelled in an answer.
#[derive(Clone, Copy)]
pub(crate) struct Spelling<'r>(Spelled<'r>);

#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
enum Spelled<'r> {
    /// As the request did.
    Same(Text<'r>),
    ById,
    /// By its ID and, behind it, what holds it.
    Sealed(Tail),
}

impl Spelling<'_> {
    /// Writes that of the session `id`: letters that need no escape.
    pub(crate) fn write(&self, id: &SessionId, out: &mut impl fmt::Write) -> fmt::Result {
        match &self.0 {
            Spelled::Same(text) => match text.as_str() {
                Some(plain) => out.write_str(plain),
                None => text.chars().try_for_each(|letter| out.write_char(letter)),
            },
            Spelled::ById => out.write_str(&id.expose()),
            Spelled::Sealed(tail) => {
                out.write_str(&id.expose())?;
                out.write_str(tail.as_str())
            }
        }
    }
}
