//! The changes of a commit, carried out in a [`Store`].

use super::commit::{Change, Committed, HostChange};
use super::drive::Changes;
use super::operation::Operation;
use super::store::{OwnerKey, Store};
use crate::time::Timestamp;

impl<Op: Operation> Changes<'_, '_, Op> {
    /// Carries them out in a store that is written in the same transaction as the rest: what is
    /// about sessions in the store, everything else by `other`, which is asked only if the store
    /// has taken its part. What a session that makes room had reserved is given back, too.
    ///
    /// `kept` is what is to be kept beside the session, and `owner` whose bound a new one counts
    /// against. What `other` does must not fail.
    ///
    /// A host that [claims first](super::exchange::HostKind::CLAIMS) has two places to write in. It
    /// spends and undoes in the accounts' own transaction, with the record of the call, and takes
    /// this for its sessions afterwards.
    pub fn carry_out<S>(
        &self,
        store: &mut S,
        kept: Option<S::Kept>,
        owner: OwnerKey,
        now: Timestamp,
        mut other: impl FnMut(HostChange),
    ) -> Committed
    where
        S: Store,
        S::Kept: Default,
    {
        let evicted = match store.commit(self.session_changes(), kept, owner, now) {
            Ok(stored) => stored.evicted,
            Err(not_stored) => return not_stored.into(),
        };
        for change in self.iter() {
            match change {
                Change::Undo => other(HostChange::Undo),
                Change::GiveBack { session, proof } => other(HostChange::GiveBack { session, proof }),
                Change::Spend { session, proof } => other(HostChange::Spend { session, proof }),
                Change::Put(_) | Change::Remove { .. } => {}
            }
        }
        if let Some((session, record)) = evicted {
            let reserved = record.session.proofs().filter(|proof| proof.is_reservation());
            reserved.for_each(|proof| other(HostChange::GiveBack { session, proof }));
        }
        Committed::Stored
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::endpoint::Checked;
    use crate::endpoint::password::PasswordStrength;
    use crate::endpoint::register::{RegisterRequest, Registration, StoredRegistration};
    use crate::secret::Secret;
    use crate::server::account::{Account, Caller};
    use crate::server::digest::BindingKey;
    use crate::server::drive::{Guarded, Host, Loaded, Run, Stop, Verified, ready};
    use crate::server::exchange::{HostKind, OneTransaction};
    use crate::server::operation::Register;
    use crate::server::question::Question;
    use crate::server::reference::{Reference, UserRef};
    use crate::server::respond::Respond;
    use crate::server::rules::Rules;
    use crate::server::session::{Proof, SessionId};
    use crate::server::store::{FixedStore, Lifetimes};
    use crate::server::verdict::{Evidence, Verdict};
    use crate::wire::error::{ErrorCode, MatrixError};

    const TOKEN: Reference = Reference::new(7);

    struct Memory {
        store: FixedStore<(), 1>,
        owner: OwnerKey,
        others: Vec<HostChange>,
    }

    impl OneTransaction for Memory {}

    impl<'r> Host<'r, Checked<Registration<'r>>> for &mut Memory {
        type Hash = ();
        type Error = MatrixError;

        async fn load(
            &mut self,
            session: Option<SessionId>,
        ) -> Result<Loaded<StoredRegistration>, MatrixError> {
            let record = session.and_then(|id| self.store.load(&id));
            Ok(Loaded::from_record(record, |()| None, Caller::Nobody, Timestamp::default()))
        }

        async fn account(&mut self, _: UserRef) -> Result<Option<Account>, MatrixError> {
            Ok(None)
        }

        async fn verify(&mut self, _: &Question<'r>) -> Result<Verified<'r>, MatrixError> {
            Ok(Verified::InTransaction(Verdict::Passed(Evidence::token(TOKEN))))
        }

        async fn release(&mut self) {}

        async fn hash(&mut self, _: Secret<'_>) -> Result<(), MatrixError> {
            Ok(())
        }

        async fn commit(
            &mut self,
            changes: Changes<'_, 'r, Register>,
            _: Option<&StoredRegistration>,
        ) -> Result<Committed, MatrixError> {
            let Memory { store, owner, others } = &mut **self;
            Ok(changes.carry_out(store, None, *owner, Timestamp::default(), |change| others.push(change)))
        }
    }

    /// Sends a request, whose session will be `fresh`; its error, if it is none of a challenge.
    fn send(memory: &mut Memory, body: &str, fresh: SessionId) -> Option<ErrorCode> {
        let flows = crate::flows!(Register: [["m.login.registration_token", "m.login.dummy"]]);
        let key = BindingKey::from_entropy([7; 16]);
        let kind = HostKind::assume_one_transaction::<Memory>();
        let guarded = Guarded { flows: &flows, rules: &Rules::DEFAULT, key: &key, kind };
        let request = RegisterRequest::parse(body.as_bytes()).unwrap();
        let request = request.check(&PasswordStrength::default(), "example.org").unwrap();
        let mut run = Run::new(memory, &request, guarded, fresh, Timestamp::default());
        match ready(run.granted()).unwrap().unwrap_err() {
            Stop::Respond(Respond::Challenge(_)) => None,
            Stop::Respond(Respond::Error(error)) | Stop::Host(error) => Some(error.code()),
            Stop::Respond(Respond::Performed) => unreachable!("nobody was let in"),
        }
    }

    #[test]
    fn what_the_evicted_session_had_reserved_is_given_back_and_a_full_store_changes_nothing() {
        let store = FixedStore::new(Lifetimes::of(&Rules::DEFAULT));
        let mut memory = Memory { store, owner: OwnerKey::from_u64(1), others: Vec::new() };
        let ids = [1, 2, 3].map(|byte| SessionId::from_entropy([byte; SessionId::ENTROPY]));
        let token = r#"{"auth":{"type":"m.login.registration_token","token":"t"}}"#;
        assert_eq!(send(&mut memory, token, ids[0]), None);
        assert_eq!((memory.store.holding(Proof::Token(TOKEN)), &memory.others), (1, &Vec::new()));

        memory.owner = OwnerKey::NOBODY;
        assert_eq!(send(&mut memory, "{}", ids[1]), Some(ErrorCode::LimitExceeded));
        assert!(memory.others.is_empty() && memory.store.load(&ids[0]).is_some());

        memory.owner = OwnerKey::from_u64(1);
        assert_eq!(send(&mut memory, "{}", ids[2]), None);
        let given_back = HostChange::GiveBack { session: ids[0], proof: Proof::Token(TOKEN) };
        assert_eq!((memory.store.holding(Proof::Token(TOKEN)), memory.others), (0, std::vec![given_back]));
    }
}
