//! The accounts that the config asks for, made on the first start.

use crate::addresses;
use crate::config::{Status, User};
use crate::db::threepids::{self, Owned};
use crate::db::users::{self, NewUser, Phase};
use crate::db::{Db, Result, Tx, trouble};
use crate::password::{PasswordHash, Passwords, normal_form};

/// Makes the configured accounts that the database doesn't have. One that it has is left as it is, whatever
/// the config says of it by now: its password may have been changed, it may have been deactivated. Its row is not even
/// read: one that is spoilt is the trouble of that account alone.
///
/// # Errors
///
/// Those of SQLite, which concern every account.
pub async fn create_missing(db: &Db, users: &[User], passwords: &Passwords, now_ms: u64) -> Result<()> {
    for user in users {
        if db.transaction(|tx| users::exists(tx, &user.localpart)).await? {
            continue;
        }
        // Hashing takes its time, so it isn't done under the database's lock.
        let password = match &user.password {
            Some(password) if user.status != Status::Deactivated => {
                Some(passwords.hash_in_turn(normal_form(password.lend()).expose()).await)
            }
            _ => None,
        };
        match db.transaction(|tx| create(tx, user, password.as_ref(), now_ms)).await {
            Err(error) if trouble::is_of_a_row(&error) => {
                tracing::error!(user = user.localpart, reason = trouble::explain(&error), "it can't be made");
            }
            made => made?,
        }
    }
    Ok(())
}

fn create(tx: &Tx, user: &User, password: Option<&PasswordHash>, now_ms: u64) -> Result<()> {
    let deactivated = user.status == Status::Deactivated;
    let new = NewUser {
        password,
        phase: if deactivated { Phase::Deactivated } else { Phase::Active },
        locked: user.status == Status::Locked,
        suspended: user.status == Status::Suspended,
        admin: user.admin,
        ..NewUser::named(&user.localpart)
    };
    // Another process that shares the data may have been faster.
    let Some(key) = users::create(tx, &new)? else { return Ok(()) };
    if deactivated {
        return Ok(());
    }
    for threepid in &user.threepids {
        // The config has been checked: each is an address, in its canonical form.
        let Ok(parsed) = addresses::threepid(threepid.medium, threepid.address.as_str().into()) else {
            continue;
        };
        let owned = Owned {
            threepid: parsed,
            id_server: threepid.id_server.clone(),
            bound: threepid.id_server.is_some(),
            validated_at: now_ms,
            added_at: now_ms,
        };
        if !threepids::add(tx, key, &owned)? {
            tracing::warn!(user = user.localpart, "an address of the config is another account's by now");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Medium};
    use matrix_uia::endpoint::threepid::Threepid;

    const USERS: &str = r#"{"users": [
        {"localpart": "alice", "password": "wonderland", "admin": true, "threepids": [
            {"medium": "email", "address": "alice@example.org", "id_server": "id.example.org"},
            {"medium": "msisdn", "address": "447700900000"}]},
        {"localpart": "locked", "status": "locked"},
        {"localpart": "suspended", "status": "suspended"},
        {"localpart": "gone", "password": "wonderland", "status": "deactivated",
         "threepids": [{"medium": "email", "address": "gone@example.org"}]}]}"#;

    #[tokio::test(flavor = "multi_thread")]
    async fn accounts_are_made_as_configured() {
        let (db, passwords) = (Db::in_memory().unwrap(), Passwords::new(8));
        let users = Config::parse(USERS.as_bytes()).unwrap().users;
        create_missing(&db, &users, &passwords, 7).await.unwrap();
        let tx = db.begin().await.unwrap();
        let found = |name: &str| users::by_localpart(&tx, name).unwrap().unwrap();
        let hash = |name: &str| users::password_hash(&tx, found(name).key).unwrap();

        let alice = found("alice");
        assert!(alice.admin && !alice.locked && !alice.suspended);
        assert!(passwords.verify("wonderland", hash("alice")).await.unwrap());
        let of_alice = threepids::list(&tx, alice.key).unwrap();
        let bound: Vec<_> = of_alice.iter().map(|t| (t.threepid.medium(), t.bound, t.added_at)).collect();
        assert_eq!(bound, [(Medium::Email, true, 7), (Medium::Msisdn, false, 7)]);

        assert!(found("locked").locked && found("suspended").suspended);
        assert_eq!(hash("locked"), None);

        assert_eq!(found("gone").phase, Phase::Deactivated);
        assert_eq!(hash("gone"), None);
        let gone = Threepid::parse(Medium::Email, "gone@example.org".into()).unwrap();
        assert_eq!(threepids::owner(&tx, &gone).unwrap(), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_account_that_exists_is_left_as_it_is() {
        let (db, passwords) = (Db::in_memory().unwrap(), Passwords::new(8));
        let users = Config::without_file().users;
        create_missing(&db, &users, &passwords, 1).await.unwrap();
        let changed = passwords.hash("looking-glass").await.unwrap();
        let tx = db.begin().await.unwrap();
        let alice = users::by_localpart(&tx, "alice").unwrap().unwrap().key;
        users::set_password(&tx, alice, Some(&changed)).unwrap();
        tx.commit().unwrap();
        create_missing(&db, &users, &passwords, 2).await.unwrap();
        let tx = db.begin().await.unwrap();
        assert_eq!(users::password_hash(&tx, alice).unwrap(), Some(changed));
    }
}
