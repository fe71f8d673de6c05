//! The host, and what the test kit asks of it.

use crate::db::{Account, Db};
use crate::fault::Fault;
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::drive::Guarded;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::server::operation::{ChangePassword, Deactivate, Operation, Register};
use matrix_uia::server::reference::UserRef;
use matrix_uia::server::sealed::{IdKey, IdKeys};
use matrix_uia::server::store::{HashedStore, Lifetimes, Store as _};
use matrix_uia::testkit::{AccountFacts, Answer, Endpoint, Outside, Request, TestHost};
use matrix_uia::{BindingKey, Flows, Rules, Session, SessionId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

static KEYS: IdKeys = IdKeys::new(IdKey::new(1, [0x11; 32]));

/// A host in memory. `CLAIMS` says of which kind it is.
pub struct MemoryHost<const CLAIMS: bool> {
    pub(crate) outside: Outside,
    pub(crate) fault: Fault,
    /// Whether its session IDs hold their sessions.
    sealed: bool,
    pub(crate) registration: Flows<'static, Register>,
    pub(crate) password: Flows<'static, ChangePassword>,
    pub(crate) deactivation: Flows<'static, Deactivate>,
    key: BindingKey,
    rules: Rules,
    db: Mutex<Db>,
}

impl<const CLAIMS: bool> MemoryHost<CLAIMS> {
    /// A host that forgets what `fault` says.
    pub fn new(outside: Outside, fault: Fault) -> Self {
        let rules = Rules::default();
        let db = Db {
            version: 0,
            counts: fault != Fault::ConstantEpoch,
            accounts: BTreeMap::new(),
            tokens: BTreeMap::new(),
            reserved: BTreeMap::new(),
            records: BTreeMap::new(),
            sessions: HashedStore::new(Lifetimes::of(&rules), Outside::SESSIONS),
            last_number: 0,
            room: None,
            loses: false,
        };
        Self {
            outside,
            fault,
            sealed: false,
            registration: Flows::new([["m.login.registration_token", "m.login.dummy"]], None).unwrap(),
            password: Flows::new([["m.login.password"]], None).unwrap(),
            deactivation: Flows::new([["m.login.password"]], None).unwrap(),
            key: BindingKey::from_entropy([7; 16]),
            rules,
            db: Mutex::new(db),
        }
    }

    /// The same with sealed session IDs.
    pub fn sealed(outside: Outside, fault: Fault) -> Self {
        Self { sealed: true, ..Self::new(outside, fault) }
    }

    pub(crate) fn db(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap()
    }

    pub(crate) fn user(&self, name: &str) -> UserRef {
        self.key.user(name)
    }

    pub(crate) fn text(&self) -> String {
        let mut entropy = [0; SessionId::ENTROPY];
        self.outside.entropy(&mut entropy);
        SessionId::from_entropy(entropy).expose().as_str().to_owned()
    }

    fn kind(&self) -> HostKind<'_> {
        if self.sealed { Self::KIND.with_sealed_ids(&KEYS) } else { Self::KIND }
    }

    pub(crate) fn guarded<'r, Op: Operation>(&'r self, flows: &'r Flows<'static, Op>) -> Guarded<'r, Op> {
        Guarded { flows, rules: &self.rules, key: &self.key, kind: self.kind() }
    }
}

impl<const CLAIMS: bool> TestHost for MemoryHost<CLAIMS> {
    const KIND: HostKind<'static> =
        if CLAIMS { HostKind::CLAIMS } else { HostKind::assume_one_transaction::<Db>() };

    async fn request(&self, request: Request) -> Answer {
        let (token, body) = (request.token.as_deref(), request.body.as_bytes());
        let handled = match request.endpoint {
            Endpoint::Register => self.register(body).await,
            Endpoint::Password => self.change_password(token, body).await,
            Endpoint::Deactivate => self.deactivate(token, body).await,
        };
        handled.unwrap_or_else(|failure| failure.0)
    }

    async fn log_in(&self, name: &str, password: &str) -> String {
        let (user, token) = (self.user(name), self.text());
        let mut db = self.db();
        let number = db.number();
        db.version += 1;
        let account = db.accounts.entry(user).or_insert_with(|| Account {
            password: Some(password.to_owned()),
            epoch: 0,
            status: AccountStatus::default(),
            devices: BTreeMap::new(),
            leaving: None,
        });
        account.devices.insert(token.clone(), number);
        token
    }

    async fn add_registration_token(&self, token: &str, uses: u32) {
        self.db().tokens.insert(token.to_owned(), uses);
    }

    async fn uses_left(&self, token: &str) -> u32 {
        self.db().tokens[token]
    }

    async fn reservations(&self) -> usize {
        self.db().reserved.len()
    }

    async fn session(&self, id: SessionId) -> Option<Session> {
        self.db().sessions.load(&id).map(|record| record.session)
    }

    async fn account(&self, name: &str) -> Option<AccountFacts> {
        let db = self.db();
        let account = db.accounts.get(&self.user(name))?;
        Some(AccountFacts { status: account.status, epoch: account.epoch, devices: account.devices.len() })
    }

    async fn password_works(&self, name: &str, password: &str) -> bool {
        let db = self.db();
        let account = db.accounts.get(&self.user(name));
        account.is_some_and(|account| account.password.as_deref() == Some(password))
    }

    async fn change_status(&self, name: &str, event: Event) {
        self.db().set_status(self.user(name), event);
    }

    async fn set_password(&self, name: &str, password: &str) {
        self.db().set_password(self.user(name), Some(password.to_owned()));
    }

    async fn lose_next_commit(&self) -> bool {
        self.db().loses = true;
        true
    }

    async fn fail_writes(&self, nth: Option<usize>) -> bool {
        self.db().room = nth.map(|nth| nth - 1);
        true
    }

    async fn tidy(&self) {
        let now = self.outside.now();
        let leaving: Vec<_> = {
            let mut db = self.db();
            while let Some((id, _)) = db.sessions.expire(now) {
                db.version += 1;
                db.give_back_all(&id);
            }
            // What a request has reserved that was dropped before its commit.
            let over = |made| now.since(made) >= self.rules.session_lifetime;
            let orphans = db.reserved.iter().filter(|(_, it)| {
                over(it.made) && db.sessions.load(&it.session).is_none() && self.fault != Fault::OrphansLeft
            });
            for number in orphans.map(|(number, _)| *number).collect::<Vec<_>>() {
                db.give_back(number);
            }
            db.accounts.iter().filter(|(_, it)| it.leaving.is_some()).map(|(user, _)| *user).collect()
        };
        for user in leaving.into_iter().filter(|_| self.fault != Fault::NotResumed) {
            self.finish(user).await;
        }
    }
}
