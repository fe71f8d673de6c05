//! The server's own key, made on the first start.

use super::{Result, Tx};
use crate::secrets::ServerKey;

/// The key of this database. It stays the same across restarts, and for every process that shares the
/// data: what was bound or sent under it must still be recognised.
pub fn get_or_make(tx: &Tx) -> Result<ServerKey> {
    tx.execute(
        "INSERT INTO server_key (only, key) VALUES (1, ?1) ON CONFLICT DO NOTHING",
        [ServerKey::generate().as_bytes()],
    )?;
    tx.query_one("SELECT key FROM server_key", [], |row| row.get(0).map(ServerKey::from_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[test]
    fn a_database_has_one_key_of_its_own() {
        let (one, other) = (Db::in_memory().unwrap(), Db::in_memory().unwrap());
        let key = |db: &Db| *db.blocking_transaction(get_or_make).unwrap().as_bytes();
        assert_eq!(key(&one), key(&one));
        assert_ne!(key(&one), key(&other));
    }
}
