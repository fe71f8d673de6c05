//! Stored values that were damaged: whatever is changed in one, it is refused, or reads as
//! the value it was (lesson 111).

use std::fmt::Debug;
use std::sync::LazyLock;

use matrix_uia::client::Medium;
use matrix_uia::endpoint::deactivate::{Deactivation, Effect};
use matrix_uia::endpoint::refresh::Generation;
use matrix_uia::endpoint::threepid::{
    AddressAuthority, ClaimBy, Claimant, Claimed, Delivery, Purpose, Requested, Submitted, Threepid,
    TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::operation::ChangePassword;
use matrix_uia::server::reference::UserRef;
use matrix_uia::{BindingKey, Secret, SessionId, Timestamp};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::config;
use crate::support::{Server, password_auth};

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);

/// One change: where, with which byte, and whether it replaces, is inserted, or removes.
type Edit = (prop::sample::Index, u8, u8);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let byte = prop_oneof![prop::sample::select(b"0123456789{}[]\",:-. etrufalsn".to_vec()), any::<u8>()];
    prop::collection::vec((any::<prop::sample::Index>(), byte, 0..3_u8), 1..4)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for (at, byte, kind) in edits {
        let at = at.index(bytes.len().max(1));
        match kind {
            _ if bytes.is_empty() => bytes.push(*byte),
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
    edits: &[Edit],
) -> Result<(), TestCaseError> {
    let stored = serde_json::to_vec(value).unwrap();
    prop_assert_eq!(&serde_json::from_slice::<T>(&stored).unwrap(), value);
    if let Ok(read) = serde_json::from_slice::<T>(&edited(stored, edits)) {
        prop_assert_eq!(&read, value);
    }
    Ok(())
}

/// Deactivations that have just begun: with an identity server and without, with erasure
/// and without.
static BEGUN: LazyLock<Vec<Deactivation>> = LazyLock::new(|| {
    let begun = |server: Option<&str>, erase: bool| {
        let auth = password_auth(None, "alice", "wonderland");
        let body = json!({"id_server": server, "erase": erase, "auth": auth});
        Server::new().deactivate_until(Some("alice-token"), body, 0).1.expect("it begins")
    };
    let servers = [None, Some("id.example.org"), Some("a")];
    servers.into_iter().flat_map(|server| [begun(server, false), begun(server, true)]).collect()
});

fn deactivation() -> impl Strategy<Value = Deactivation> {
    let begun = (0..BEGUN.len()).prop_map(|index| BEGUN[index].clone());
    (begun, 0..=Effect::ALL.len(), any::<bool>()).prop_map(|(mut progress, steps, unbound)| {
        for _ in 0..steps {
            let unbinds = progress.effect() == Some(Effect::UnbindThreepids);
            progress = if unbinds { progress.unbound(unbound) } else { progress.done() };
        }
        progress
    })
}

fn validation() -> impl Strategy<Value = Validation> {
    let purpose = prop::sample::select(Purpose::ALL.to_vec());
    let requester = prop::option::of(any::<u64>().prop_map(UserRef::new));
    (purpose, requester, any::<i64>(), any::<u32>(), any::<bool>(), 0..3_u8).prop_map(
        |(purpose, requester, attempt, now, notice, phase)| {
            let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
            let now = Timestamp::from_millis(now.into());
            let threepid = Threepid::parse(Medium::Email, "alice@example.org".into()).unwrap();
            let secret = Secret::new("secret");
            let asked = TokenRequestKey::new(&KEY, purpose, requester, threepid, secret, attempt);
            let delivery = if notice { Delivery::Notice } else { Delivery::Token };
            let token = KEY.validation_token(Secret::new("token"));
            let requested = Validation::request(None, &asked, delivery, token, &policies, &rules, now);
            let Requested::New(sent) = requested else { panic!("{requested:?}") };
            if phase == 0 {
                return sent;
            }
            let secret = KEY.client_secret(secret);
            let Submitted::Validated(done) =
                Validation::submit(Some(sent.clone()), secret, token, &rules, now)
            else {
                return sent;
            };
            let session = KEY.claimant(SessionId::from_entropy([1; 24]));
            let claimant = Claimant { operation: ChangePassword::ID, session, user: requester };
            let claimed =
                Validation::claim(Some(done.clone()), ClaimBy::Awaited, claimant, &policies, &rules, now);
            match claimed {
                Claimed::Granted(claimed) if phase == 2 => claimed,
                _ => done,
            }
        },
    )
}

fn status() -> impl Strategy<Value = AccountStatus> {
    let event = prop::sample::select(&Event::ALL[..]);
    prop::collection::vec(event, 0..6).prop_map(|events| {
        let next = |status: AccountStatus, event| status.on(event).unwrap_or(status);
        events.into_iter().fold(AccountStatus::default(), next)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_deactivation_is_refused_or_the_same(value in deactivation(), edits in edits()) {
        survives(&value, &edits)?;
    }

    #[test]
    fn damaged_validation_is_refused_or_the_same(value in validation(), edits in edits()) {
        survives(&value, &edits)?;
    }

    #[test]
    fn damaged_status_is_refused_or_the_same(value in status(), edits in edits()) {
        survives(&value, &edits)?;
    }

    #[test]
    fn damaged_generation_is_refused_or_the_same(number in any::<u64>(), edits in edits()) {
        survives(&Generation::new(number), &edits)?;
    }
}
