//! Chaos: many operations through processes that are killed, a store that is paused and killed, and clients that hang
//! up. No operation is done twice, none that was answered with 200 is lost, no password is set more often than it was
//! asked for, no registration token lets in two or is lost to everybody, and what the clients of an account saw can be
//! explained by one order of its operations; what the client of a session saw, by one order of its requests.
//!
//! `.ci/cluster` runs it; `CLUSTER_OPERATIONS` says how many.

mod fleet;
mod history;
mod passwords;
mod session;
mod user;

use crate::kill::chance;
use crate::support::{Client, Database, Kind, Setup, times};
use fleet::Fleet;
use history::{Account, History, Op, Saw};
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use user::{password, perform};

const WORKERS: usize = 8;
/// Accounts that are worked on at a time: fewer than workers.
const AT_ONCE: usize = 5;
/// After so many operations an account is left alone, so that its history can be checked.
const ENOUGH: usize = 10;
/// How many want to register with one token, which lets in one.
const RIVALS: usize = 2;

/// How long a storm may take in all: several times what it takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);
const EACH: Duration = Duration::from_millis(300);

/// A server that starts makes those who have an address, which takes a hash each.
const WITH_ADDRESS: usize = 600;

struct User {
    name: String,
    invitation: String,
    history: History,
    /// What its password may be.
    passwords: Vec<u32>,
    last: u32,
    is_gone: bool,
}

impl User {
    /// Every third of the first was there before, and has an address.
    fn new(number: usize) -> Self {
        let invitation = format!("invitation-{}", number / RIVALS);
        let (name, account) = if number < WITH_ADDRESS && number.is_multiple_of(3) {
            (format!("r{number}"), Account::Has(0))
        } else {
            (format!("u{number}"), Account::Nobody)
        };
        let passwords = if account == Account::Nobody { vec![] } else { vec![0] };
        Self { name, invitation, history: History::of(account), passwords, last: 0, is_gone: false }
    }

    fn is_left_alone(&self) -> bool {
        // Its rival may have had the token.
        let most = if self.passwords.is_empty() { 3 } else { ENOUGH };
        self.history.len() >= most || self.is_gone
    }

    fn choose(&mut self) -> Op {
        self.last += 1;
        let new = self.last;
        let Some(now) = self.passwords.last().copied() else { return Op::Register(new) };
        match chance() % 16 {
            0..5 => Op::Login(now),
            5..11 => Op::Change { from: now, to: new },
            11 => Op::Deactivate(now),
            _ if self.name.starts_with('r') => Op::Reset(new),
            12 => Op::Register(new),
            _ => Op::Change { from: now, to: new },
        }
    }

    fn learn(&mut self, op: Op, saw: Option<Saw>) {
        self.is_gone |= matches!(op, Op::Deactivate(_)) && saw == Some(Saw::Done);
        let (Op::Register(new) | Op::Change { to: new, .. } | Op::Reset(new)) = op else { return };
        match saw {
            Some(Saw::Done) => self.passwords.push(new),
            // It may be that, and it may not.
            None => self.passwords.insert(0, new),
            Some(Saw::Refused | Saw::Nothing) => {}
        }
    }

    /// Asks the server how the account ended, and whether that can be.
    fn check(&mut self, client: &Client) -> bool {
        self.passwords.sort_unstable();
        self.passwords.dedup();
        for number in self.passwords.clone().into_iter().rev() {
            let asked = self.history.begin(Op::Login(number));
            let works = client.login(&self.name, &password(number)).status == 200;
            self.history.end(asked, Some(if works { Saw::Done } else { Saw::Refused }));
        }
        assert!(self.history.is_linearizable(), "{}: {:#?}", self.name, self.history.told);
        client.post("register", None, &json!({ "username": self.name })).json()["errcode"] == "M_USER_IN_USE"
    }
}

fn storm(kind: Kind) {
    let Some(mut database) = Database::start(kind) else { return };
    let operations = times("CLUSTER_OPERATIONS", 1_000);
    // Each takes one at least.
    let users = operations / 2 + AT_ONCE;
    let config = json!({
        "users": (0..users.min(WITH_ADDRESS)).step_by(3).map(|n| json!({ "localpart": format!("r{n}"), "password": password(0),
            "threepids": [{ "medium": "email", "address": format!("r{n}@example.org") }] })).collect::<Vec<_>>(),
        "flows": { "register": [["m.login.registration_token", "m.login.dummy"]] },
        "registration_tokens": (0..=users / RIVALS).map(|n| json!({ "token": format!("invitation-{n}"),
            "uses_allowed": 1 })).collect::<Vec<_>>(),
        "uia": { "claim_for_ms": 2_000, "session_lifetime_ms": 30_000 },
        "rate_limits": { "request_token": { "burst": 1_000_000 }, "failed_auth": { "burst": 1_000_000 },
            "failed_auth_per_address": { "burst": 1_000_000 } },
    });
    let mut setup = Setup::sending(config);
    setup.data = true;
    setup.sessions = Some(database.url());
    drop(setup.start());
    let fleet = Fleet::new(&setup, PATIENCE + operations.try_into().map_or(PATIENCE, |n| EACH * n));
    let servers = fleet.start();
    let done = AtomicUsize::new(0);
    let slots: Vec<_> = (0..AT_ONCE).map(|number| Mutex::new(Vec::from([User::new(number)]))).collect();
    let next = AtomicUsize::new(AT_ONCE);
    let begun = Instant::now();
    let servers = scope(|threads| {
        let servers = threads.spawn(|| fleet.kill(servers));
        threads.spawn(|| fleet.trouble(&mut database));
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| threads.spawn(|| work(&fleet, &setup, &slots, &next, &done, operations)))
            .collect();
        let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        fleet.is_over.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok), "a worker has panicked");
        servers.join().unwrap()
    });
    let took = begun.elapsed();
    assert!(!fleet.is_late(), "only {} of {operations} operations after {took:?}", done.into_inner());
    database.resume();
    let client = servers[0].client();
    // Every session is over then, and what it had reserved is given back.
    sleep(Duration::from_secs(35));
    let mut made = std::collections::BTreeMap::<String, usize>::new();
    let users: Vec<_> = slots.into_iter().flat_map(|slot| slot.into_inner().unwrap()).collect();
    let count = users.len();
    let tally = tally(&users);
    let counted = passwords::counted(&setup.data_dir());
    let (mut set, mut least, mut most) = (0, 0, 0);
    for mut user in users {
        let explained = passwords::explained(&user.history);
        let found = counted.get(&user.name).copied().unwrap_or_default();
        let told = &user.history.told;
        assert!(explained.contains(&found), "{}: set {found} times, not {explained:?}: {told:#?}", user.name);
        (set, least, most) = (set + found, least + explained.start(), most + explained.end());
        let is_there = user.check(&client);
        if user.name.starts_with('u') {
            *made.entry(user.invitation).or_default() += usize::from(is_there);
        }
    }
    for (invitation, made) in &made {
        assert!(*made <= 1, "{invitation} has let in {made}");
        let path = "/_matrix/client/v1/register/m.login.registration_token/validity";
        let valid = client.get(&format!("{path}?token={invitation}"), None).ok();
        assert_eq!(valid["valid"], *made == 0, "{invitation} has let in {made}");
    }
    // Or nothing would have been tested. How many there are depends on how fast the machine is.
    assert!(tally[0] > operations / 10, "done, refused, given up, in doubt: {tally:?}");
    println!(
        "{kind:?}: {operations} operations of {count} accounts in {took:?} (done, refused, given up, in doubt: {tally:?}), \
         {} sessions, {} kills, {} outages; {set} passwords set, from {least} to {most} explained; {} of {} tokens used",
        fleet.sessions.into_inner(),
        fleet.kills.into_inner(),
        fleet.outages.into_inner(),
        made.values().sum::<usize>(),
        made.len(),
    );
}

/// How many of the operations were carried out, refused, given up, and in doubt to the end.
fn tally(users: &[User]) -> [usize; 4] {
    let mut tally = [0; 4];
    for (_, saw) in users.iter().flat_map(|user| user.history.ended()) {
        tally[match saw {
            Some(Saw::Done) => 0,
            Some(Saw::Refused) => 1,
            Some(Saw::Nothing) => 2,
            None => 3,
        }] += 1;
    }
    tally
}

fn work(
    fleet: &Fleet<'_>,
    setup: &Setup,
    slots: &[Mutex<Vec<User>>],
    next: &AtomicUsize,
    done: &AtomicUsize,
    operations: usize,
) {
    while !fleet.has_ended() && done.fetch_add(1, Ordering::SeqCst) < operations {
        let slot = &slots[usize::try_from(chance()).unwrap_or_default() % slots.len()];
        let (at, name, invitation, op, number) = {
            let mut users = slot.lock().unwrap();
            if users.last().is_none_or(User::is_left_alone) {
                users.push(User::new(next.fetch_add(1, Ordering::SeqCst)));
            }
            let at = users.len() - 1;
            let user = &mut users[at];
            let op = user.choose();
            (at, user.name.clone(), user.invitation.clone(), op, user.history.begin(op))
        };
        let saw = perform(fleet, setup, &name, &invitation, op);
        let user = &mut slot.lock().unwrap()[at];
        user.history.end(number, saw);
        user.learn(op, saw);
    }
}

#[test]
#[ignore = "takes minutes; .ci/cluster runs it"]
fn redis_survives_a_storm() {
    storm(Kind::Redis);
}

#[test]
#[ignore = "takes minutes; .ci/cluster runs it"]
fn postgres_survives_a_storm() {
    storm(Kind::Postgres);
}
