//! Everything that is stored, accounts and sessions alike, behind one lock.
//!
//! A request reads under the lock and collects what it wants to write. Its commit takes the lock once more and
//! writes all of that, or nothing if anybody else has written since the load. That is what
//! [`HostKind::assume_one_transaction`](matrix_uia::server::exchange::HostKind) asks for: a commit can't fail
//! halfway, because nothing in it can fail after its checks, and it awaits nothing.

use matrix_uia::endpoint::deactivate::{Deactivation, Effect};
use matrix_uia::server::account::{Account as UiaAccount, AccountStatus, Caller, Event};
use matrix_uia::server::commit::{Change, Committed};
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::store::{HashedStore, NotStored, OwnerKey, Store as _};
use matrix_uia::{MatrixError, SessionId, Timestamp};
use std::collections::HashMap;

/// Something that a commit will write.
pub type Write = Box<dyn FnOnce(&mut Db) + Send>;

#[derive(Clone)]
pub struct Account {
    pub name: String,
    pub hash: Option<String>,
    pub epoch: u32,
    pub status: AccountStatus,
    /// How far its deactivation is.
    pub leaving: Option<Deactivation>,
}

pub struct Login {
    pub token: String,
    pub user: UserRef,
    pub device: String,
    /// What a finished registration finds its login again by.
    pub number: u64,
}

pub struct Db {
    /// Counts up with every write.
    pub version: u64,
    pub accounts: HashMap<UserRef, Account>,
    /// By access token.
    pub logins: HashMap<String, Login>,
    /// With each what its client may leave out later, as JSON.
    pub sessions: HashedStore<String>,
    /// Registration tokens with their uses that are neither spent nor reserved.
    pub tokens: HashMap<String, u32>,
    /// Which token a session has reserved one use of.
    pub reserved: HashMap<SessionId, String>,
}

impl Db {
    pub fn account(&self, user: UserRef) -> Option<UiaAccount> {
        let account = self.accounts.get(&user)?;
        Some(UiaAccount::new(Subject::new(user, account.epoch), account.status))
    }

    /// Whose access token this is by now.
    pub fn caller(&self, token: Option<&str>) -> Caller {
        let Some(token) = token else { return Caller::Nobody };
        let account = self.logins.get(token).and_then(|login| self.account(login.user));
        account.map_or(Caller::Ended(MatrixError::unknown_token(false)), Caller::User)
    }

    /// Carries out what a commit says and what the request has collected: all of it or nothing.
    pub fn commit<'c>(
        &mut self,
        read_at: u64,
        changes: impl Iterator<Item = Change<'c>> + Clone,
        kept: Option<String>,
        verified: Option<Write>,
        called: Vec<Write>,
        now: Timestamp,
    ) -> Committed {
        let spendable = |change| match change {
            Change::Spend { session, proof: _ } => verified.is_some() || self.reserved.contains_key(&session),
            _ => true,
        };
        if self.version != read_at || !changes.clone().all(spendable) {
            return Committed::Lost;
        }
        match self.sessions.commit(changes.clone(), kept, OwnerKey::NOBODY, now) {
            Ok(stored) => stored.evicted.iter().for_each(|(id, _)| self.give_back(id)),
            Err(NotStored::Full { wait, .. }) => return Committed::Full(wait),
            Err(_) => return Committed::Lost,
        }
        self.version = self.version.wrapping_add(1);
        verified.into_iter().for_each(|write| write(self));
        if !changes.clone().any(|change| matches!(change, Change::Undo)) {
            called.into_iter().for_each(|write| write(self));
        }
        for change in changes {
            match change {
                Change::Spend { session, proof: _ } => drop(self.reserved.remove(&session)),
                Change::GiveBack { session, proof: _ } => self.give_back(&session),
                // Not written in the first place, and done by the store.
                Change::Undo | Change::Put { .. } | Change::Remove { .. } => {}
            }
        }
        Committed::Stored
    }

    /// Removes sessions whose time is over.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((id, _)) = self.sessions.expire(now) {
            self.version = self.version.wrapping_add(1);
            self.give_back(&id);
        }
    }

    pub fn reserve(&mut self, session: SessionId, token: String) {
        self.tokens.entry(token.clone()).and_modify(|uses| *uses = uses.saturating_sub(1));
        self.reserved.insert(session, token);
    }

    fn give_back(&mut self, session: &SessionId) {
        let token = self.reserved.remove(session);
        let uses = token.and_then(|token| self.tokens.get_mut(&token));
        uses.into_iter().for_each(|uses| *uses = uses.saturating_add(1));
    }

    pub fn log_in(&mut self, login: Login) {
        self.version = self.version.wrapping_add(1);
        self.logins.retain(|_, it| it.user != login.user || it.device != login.device);
        self.logins.insert(login.token.clone(), login);
    }

    /// Logs all devices of a user out, but the one that has this token.
    pub fn log_out(&mut self, user: UserRef, but: Option<&str>) {
        self.version = self.version.wrapping_add(1);
        self.logins.retain(|token, login| login.user != user || Some(token.as_str()) == but);
    }

    pub fn set_password(&mut self, user: UserRef, hash: Option<String>) {
        if let Some(account) = self.accounts.get_mut(&user) {
            account.hash = hash;
            account.epoch = account.epoch.saturating_add(1);
        }
    }

    pub fn set_status(&mut self, user: UserRef, event: Event) {
        if let Some(account) = self.accounts.get_mut(&user) {
            account.status = account.status.on(event).unwrap_or(account.status);
        }
    }

    /// Carries out the next effect of a deactivation, in one act with the note that it is done.
    pub fn deactivate(&mut self, progress: Deactivation) {
        let user = progress.user();
        match progress.effect() {
            Some(Effect::Fence) => {
                self.set_status(user, Event::Fence);
                if let Some(account) = self.accounts.get_mut(&user) {
                    account.epoch = account.epoch.saturating_add(1);
                }
                let of_user = |session: &matrix_uia::Session| session.user() == Some(user);
                let ended = self.sessions.end_open(|_, record| of_user(&record.session));
                let ended: Vec<_> = ended.map(|(id, _)| id).collect();
                ended.iter().for_each(|id| self.give_back(id));
            }
            Some(Effect::EndDevices) => self.logins.retain(|_, login| login.user != user),
            Some(Effect::RemovePassword) => self.set_password(user, None),
            Some(Effect::MarkErased) => self.set_status(user, Event::Erase),
            Some(Effect::MarkDeactivated) => self.set_status(user, Event::Finish),
            // What this server has none of.
            Some(
                Effect::UnbindThreepids
                | Effect::RemoveThreepids
                | Effect::RemovePushers
                | Effect::RemoveKeyBackups
                | Effect::RemoveAccountData
                | Effect::RemoveProfile
                | Effect::RemoveDirectoryEntry
                | Effect::LeaveRooms,
            )
            | None => {}
        }
        let unbinds = progress.effect() == Some(Effect::UnbindThreepids);
        let progress = if unbinds { progress.unbound(true) } else { progress.done() };
        self.version = self.version.wrapping_add(1);
        self.accounts.entry(user).and_modify(|account| account.leaving = Some(progress));
    }
}
