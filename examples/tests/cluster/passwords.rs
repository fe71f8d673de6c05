//! How often each account's password was set, as the accounts' database has counted it. The same password set twice by
//! one request looks to every client as if it were set once; here it does not.

use super::history::{History, Op, Saw};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

/// How often the password of each account was set after its registration. An account's epoch goes up by one with each,
/// and in a deactivation with its beginning and with the removal of the password.
pub fn counted(data: &Path) -> BTreeMap<String, u64> {
    let database =
        Connection::open_with_flags(data.join("homeserver.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    let sql = "SELECT localpart, epoch - (phase != 'active') - (phase != 'active' AND password_hash IS NULL) FROM users";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// How often it can have been: once for each request that was answered with 200, and at most once more for each of
/// which nobody knows whether it was carried out.
pub fn explained(history: &History) -> RangeInclusive<u64> {
    let sets = |op: Op| matches!(op, Op::Change { .. } | Op::Reset(_));
    let count = |saw: Option<Saw>| {
        let ended = history.ended().filter(|(op, ended)| sets(*op) && *ended == saw);
        ended.count() as u64
    };
    let done = count(Some(Saw::Done));
    done..=done + count(None)
}

#[test]
fn a_password_that_was_set_twice_or_never_is_found() {
    let mut history = History::of(super::history::Account::Nobody);
    for (op, saw) in [
        (Op::Register(1), Some(Saw::Done)),
        (Op::Change { from: 1, to: 2 }, Some(Saw::Done)),
        (Op::Change { from: 1, to: 3 }, Some(Saw::Refused)),
        (Op::Reset(4), Some(Saw::Nothing)),
        (Op::Login(2), Some(Saw::Done)),
    ] {
        let number = history.begin(op);
        history.end(number, saw);
    }
    assert_eq!(explained(&history), 1..=1);
    history.begin(Op::Reset(5));
    history.begin(Op::Login(5));
    assert_eq!(explained(&history), 1..=2, "nobody knows");
}
