//! Binds the parameters of a request to its session, or compares them: rule U13.

use super::work::{Before, Side, Work};
use crate::server::call::Param;
use crate::server::digest::ParamDigest;
use crate::server::rules::BodyBinding;
use crate::server::session::{SLOTS, Session};

impl Work<'_> {
    /// `false` if the request changes what is bound; then nothing has been changed.
    pub(super) fn bind(&mut self) -> bool {
        let Some(session) = &mut self.session else { return true };
        if self.request.side != Side::Client {
            return true;
        }
        let params = &self.request.call.params.slots;
        let mut slots = session.slots;
        let mut bound = session.bound;
        let exact = self.request.rules.body_binding == BodyBinding::Exact;
        let same = |(slot, param): (&u64, &Param)| param.given == 0 || param.given == *slot;
        // Most requests bring what is bound, or leave it out.
        if bound && !exact && slots.iter().zip(params).all(same) {
            return true;
        }
        let any = self.request.rules.body_binding == BodyBinding::Any;
        let begins = !bound && params.iter().any(|param| !param.free && (exact || param.given != 0));
        for (slot, param) in slots.iter_mut().zip(params) {
            let absent = if param.free { 0 } else { param.default };
            let absent = if exact && !param.free { absent.max(ParamDigest::ABSENT.0) } else { absent };
            let value = if param.given != 0 { param.given } else { absent };
            if param.free || any || begins {
                // A default stands in where parameters are bound for the first time only.
                if param.given != 0 || (begins && !param.free) {
                    *slot = value;
                }
            } else if bound && exact {
                if value != *slot {
                    return false;
                }
            } else if param.given != 0 && *slot == 0 {
                *slot = param.given;
            } else if param.given != 0 && param.given != *slot {
                return false;
            }
        }
        bound |= begins;
        if slots != session.slots || bound != session.bound {
            session.slots = slots;
            session.bound = bound;
            self.changed = true;
            self.keep = self.gives_params();
        }
        true
    }

    /// Whether the request brings any of its parameters.
    pub(super) fn gives_params(&self) -> bool {
        self.request.call.params.slots.iter().any(|param| param.given != 0)
    }

    /// Takes back what this request has bound and shown, so that it can be done again, or
    /// is not done at all.
    pub(super) fn unbind(&mut self) {
        let Before { terms, bound, slots } = self.before;
        if let Some(session) = &mut self.session {
            (session.terms, session.bound, session.slots) = (terms, bound, slots);
        }
        self.keep = false;
    }

    /// Whether the request repeats what the session is bound to: all of it, or what it
    /// gives.
    pub(super) fn repeats(&self, session: &Session, all: bool) -> bool {
        let params = &self.request.call.params.slots;
        params.iter().zip(&session.slots).all(|(param, slot)| {
            let value = if param.given != 0 { param.given } else { param.default };
            param.free
                || value == *slot
                || (param.given == 0 && !all)
                || (param.given == 0 && *slot == ParamDigest::ABSENT.0)
        })
    }

    /// Whether something was bound that this request leaves out: only the host has it.
    pub(crate) fn needs_stored(&self) -> bool {
        let Some(session) = &self.session else { return false };
        let params = &self.request.call.params.slots;
        params
            .iter()
            .zip(&session.slots)
            .any(|(param, slot)| param.given == 0 && *slot > ParamDigest::ABSENT.0 && *slot != param.default)
    }

    /// The parameters that hold, to tell whether a password that was hashed is still the
    /// one.
    pub(super) fn effective(&self) -> [u64; SLOTS] {
        let mut slots = self.session.as_ref().map_or([0; SLOTS], |session| session.slots);
        for (slot, param) in slots.iter_mut().zip(&self.request.call.params.slots) {
            if param.given != 0 {
                *slot = param.given;
            }
        }
        slots
    }
}
