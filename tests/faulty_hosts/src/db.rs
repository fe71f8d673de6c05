//! What the host stores: accounts in one place, sessions in another.

use matrix_uia::endpoint::deactivate::{Deactivation, Effect};
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::exchange::OneTransaction;
use matrix_uia::server::grant::Outcome;
use matrix_uia::server::reference::{Subject, UserRef};
use matrix_uia::server::store::HashedStore;
use matrix_uia::{SessionId, Timestamp};
use std::collections::BTreeMap;

/// Something that a commit will write.
pub type Write = Box<dyn FnOnce(&mut Db) + Send>;

#[derive(Clone)]
pub struct Account {
    pub password: Option<String>,
    pub epoch: u32,
    pub status: AccountStatus,
    /// By access token.
    pub devices: BTreeMap<String, u64>,
    pub leaving: Option<Deactivation>,
}

pub struct Reservation {
    pub session: SessionId,
    pub token: String,
    pub made: Timestamp,
}

pub struct Db {
    /// Counts up with every write.
    pub version: u64,
    /// Whether the epoch is counted.
    pub counts: bool,
    pub accounts: BTreeMap<UserRef, Account>,
    pub tokens: BTreeMap<String, u32>,
    pub reserved: BTreeMap<u64, Reservation>,
    pub records: BTreeMap<SessionId, Outcome>,
    pub sessions: HashedStore<String>,
    pub last_number: u64,
    /// How many more writes of accounts succeed; `None`: all of them.
    pub room: Option<usize>,
    /// Whether the next commit loses.
    pub loses: bool,
}

/// All of it is written under one lock.
impl OneTransaction for Db {}

impl Db {
    /// Whether there is room for one more write of accounts.
    pub fn takes_room(&mut self) -> bool {
        match &mut self.room {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    pub fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub fn subject(&self, user: UserRef) -> Option<Subject> {
        Some(Subject::new(user, self.accounts.get(&user)?.epoch))
    }

    pub fn user_of(&self, token: &str) -> Option<UserRef> {
        let of = |(user, account): (&UserRef, &Account)| account.devices.contains_key(token).then_some(*user);
        self.accounts.iter().find_map(of)
    }

    /// Reserves one use of a token for a session; the same again is the same reservation.
    pub fn reserve(&mut self, number: u64, session: SessionId, token: String, made: Timestamp) {
        if let Some(uses) = self.tokens.get_mut(&token) {
            *uses -= 1;
        }
        self.reserved.insert(number, Reservation { session, token, made });
    }

    pub fn give_back(&mut self, number: u64) {
        if let Some(reservation) = self.reserved.remove(&number) {
            *self.tokens.entry(reservation.token).or_default() += 1;
        }
    }

    /// Gives back all that is reserved for a session.
    pub fn give_back_all(&mut self, session: &SessionId) {
        let theirs = self.reserved.iter().filter(|(_, it)| it.session == *session).map(|(number, _)| *number);
        for number in theirs.collect::<Vec<_>>() {
            self.give_back(number);
        }
    }

    pub fn set_password(&mut self, user: UserRef, password: Option<String>) {
        self.version += 1;
        let counts = u32::from(self.counts);
        if let Some(account) = self.accounts.get_mut(&user) {
            account.password = password;
            account.epoch += counts;
        }
    }

    pub fn set_status(&mut self, user: UserRef, event: Event) {
        self.version += 1;
        if let Some(account) = self.accounts.get_mut(&user) {
            account.status = account.status.on(event).unwrap();
        }
    }

    /// Carries out the next effect of a deactivation.
    pub fn deactivate(&mut self, progress: Deactivation) {
        let user = progress.user();
        match progress.effect() {
            Some(Effect::Fence) => {
                self.set_status(user, Event::Fence);
                self.accounts.entry(user).and_modify(|account| account.epoch += 1);
            }
            Some(Effect::EndDevices) => {
                self.accounts.entry(user).and_modify(|account| account.devices.clear());
            }
            Some(Effect::RemovePassword) => self.set_password(user, None),
            Some(Effect::MarkErased) => self.set_status(user, Event::Erase),
            Some(Effect::MarkDeactivated) => self.set_status(user, Event::Finish),
            _ => {}
        }
        self.version += 1;
        self.accounts.entry(user).and_modify(|account| account.leaving = Some(progress.done()));
    }
}
