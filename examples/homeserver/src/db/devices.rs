//! Devices. A device that ends takes its tokens and pushers with it, by foreign key.

use super::{Result, Tx, UserKey};
use rusqlite::{OptionalExtension as _, Row};

/// How far `last_seen_ts` may lag behind: not every request is worth a write to the disk.
const SEEN_STEP_MS: u64 = 60_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub device_id: String,
    pub display_name: Option<String>,
    pub created: u64,
    pub last_seen_ts: u64,
    pub last_seen_ip: Option<String>,
}

/// Makes a device, or takes up the one that there is. The name is for a new one only.
pub fn put(tx: &Tx, user: UserKey, device_id: &str, display_name: Option<&str>, now_ms: u64) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO devices (user, device_id, display_name, created, last_seen_ts)
         VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT DO UPDATE SET last_seen_ts = excluded.last_seen_ts",
    )?
    .execute((user, device_id, display_name, now_ms))?;
    Ok(())
}

pub fn get(tx: &Tx, user: UserKey, device_id: &str) -> Result<Option<Device>> {
    tx.prepare_cached("SELECT * FROM devices WHERE user = ?1 AND device_id = ?2")?
        .query_row((user, device_id), Device::from_row)
        .optional()
}

/// All devices of a user, oldest first.
pub fn list(tx: &Tx, user: UserKey) -> Result<Vec<Device>> {
    tx.prepare_cached("SELECT * FROM devices WHERE user = ?1 ORDER BY created, device_id")?
        .query_map([user], Device::from_row)?
        .collect()
}

/// Gives a device another name, or none. Whether there is such a device.
pub fn rename(tx: &Tx, user: UserKey, device_id: &str, name: Option<&str>) -> Result<bool> {
    let renamed = tx
        .prepare_cached("UPDATE devices SET display_name = ?3 WHERE user = ?1 AND device_id = ?2")?
        .execute((user, device_id, name))?;
    Ok(renamed == 1)
}

/// Ends one device. Whether there was one.
pub fn remove(tx: &Tx, user: UserKey, device_id: &str) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM devices WHERE user = ?1 AND device_id = ?2")?
        .execute((user, device_id))?;
    Ok(removed == 1)
}

/// Ends every device of a user but one, or all of them.
pub fn remove_all_but(tx: &Tx, user: UserKey, kept: Option<&str>) -> Result<()> {
    tx.prepare_cached("DELETE FROM devices WHERE user = ?1 AND device_id IS NOT ?2")?
        .execute((user, kept))?;
    Ok(())
}

/// A request came from this device.
pub(super) fn seen(tx: &Tx, user: UserKey, device_id: &str, now_ms: u64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE devices SET last_seen_ts = ?3
         WHERE user = ?1 AND device_id = ?2 AND last_seen_ts + ?4 <= ?3",
    )?
    .execute((user, device_id, now_ms, SEEN_STEP_MS))?;
    Ok(())
}

/// A request of this device came from this address.
pub fn seen_from(tx: &Tx, user: UserKey, device_id: &str, address: &str) -> Result<()> {
    tx.prepare_cached(
        "UPDATE devices SET last_seen_ip = ?3
         WHERE user = ?1 AND device_id = ?2 AND last_seen_ip IS NOT ?3",
    )?
    .execute((user, device_id, address))?;
    Ok(())
}

impl Device {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            device_id: row.get("device_id")?,
            display_name: row.get("display_name")?,
            created: row.get("created")?,
            last_seen_ts: row.get("last_seen_ts")?,
            last_seen_ip: row.get("last_seen_ip")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;
    use crate::db::users::{NewUser, create};

    fn with_alice(test: impl FnOnce(&Tx, UserKey) -> Result<()>) {
        let db = Db::in_memory().unwrap();
        db.blocking_transaction(|tx| {
            let alice = create(tx, &NewUser::named("alice"))?.unwrap();
            test(tx, alice)
        })
        .unwrap();
    }

    #[test]
    fn the_initial_name_names_only_a_new_device() {
        with_alice(|tx, alice| {
            put(tx, alice, "PHONE", Some("old"), 10)?;
            put(tx, alice, "PHONE", Some("new"), 20)?;
            let device = get(tx, alice, "PHONE")?.unwrap();
            assert_eq!(device.display_name.as_deref(), Some("old"));
            assert_eq!((device.created, device.last_seen_ts), (10, 20));
            assert!(rename(tx, alice, "PHONE", None)?);
            assert_eq!(get(tx, alice, "PHONE")?.unwrap().display_name, None);
            assert!(!rename(tx, alice, "TABLET", None)?);
            Ok(())
        });
    }

    #[test]
    fn the_requesting_device_stays() {
        with_alice(|tx, alice| {
            let bob = create(tx, &NewUser::named("bob"))?.unwrap();
            put(tx, bob, "A", None, 1)?;
            for (created, id) in [(3, "C"), (1, "A"), (2, "B")] {
                put(tx, alice, id, None, created)?;
            }
            let ids = || -> Result<Vec<String>> {
                Ok(list(tx, alice)?.into_iter().map(|device| device.device_id).collect())
            };
            assert_eq!(ids()?, ["A", "B", "C"]);
            remove_all_but(tx, alice, Some("B"))?;
            assert_eq!(ids()?, ["B"]);
            remove_all_but(tx, alice, None)?;
            remove_all_but(tx, alice, None)?;
            assert!(ids()?.is_empty());
            assert_eq!(list(tx, bob)?.len(), 1, "another user's device of the same name");
            assert!(remove(tx, bob, "A")?);
            assert!(!remove(tx, bob, "A")?);
            Ok(())
        });
    }

    #[test]
    fn last_seen_moves_in_steps_and_never_back() {
        with_alice(|tx, alice| {
            put(tx, alice, "PHONE", None, 1_000)?;
            for (now, shown) in [(60_999, 1_000), (61_000, 61_000), (5, 61_000)] {
                seen(tx, alice, "PHONE", now)?;
                assert_eq!(get(tx, alice, "PHONE")?.unwrap().last_seen_ts, shown);
            }
            Ok(())
        });
    }

    #[test]
    fn the_newest_address_is_the_one_kept() {
        with_alice(|tx, alice| {
            put(tx, alice, "PHONE", None, 1_000)?;
            put(tx, alice, "TABLET", None, 1_000)?;
            assert_eq!(get(tx, alice, "PHONE")?.unwrap().last_seen_ip, None);
            for address in ["192.0.2.1", "192.0.2.1", "2001:db8::1"] {
                seen_from(tx, alice, "PHONE", address)?;
                assert_eq!(get(tx, alice, "PHONE")?.unwrap().last_seen_ip.as_deref(), Some(address));
            }
            assert_eq!(get(tx, alice, "TABLET")?.unwrap().last_seen_ip, None);
            Ok(())
        });
    }
}
