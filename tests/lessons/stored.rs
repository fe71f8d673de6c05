//! Lessons about what is read back from a store: damaged values, and times of a wrong clock.

use std::fmt::Debug;

use matrix_uia::client::Progress;
use matrix_uia::endpoint::deactivate::{Deactivation, Effect};
use matrix_uia::endpoint::refresh::Generation;
use matrix_uia::endpoint::threepid::{
    AddressAuthority, ClaimBy, Claimant, Claimed, Delivery, Medium, Purpose, Requested, Submitted, Threepid,
    TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::account::{AccountStatus, Event};
use matrix_uia::server::endpoint::Endpoint;
use matrix_uia::server::grant::{Grant, Refusal};
use matrix_uia::server::operation::{ChangePassword, DeleteDevice};
use matrix_uia::server::seal::Sealer;
use matrix_uia::wire::{Auth, AuthType};
use matrix_uia::{BindingKey, Call, Millis, Secret, SessionId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ALICE;
use crate::support::client::{ALL, Walk, offer};
use crate::support::{Server, password_auth, policy};

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const YEAR_2099: u64 = 4_070_908_800_000;
const TODAY: u64 = 1_750_000_000_000;

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn deactivation() -> Deactivation {
    let auth = password_auth(None, "alice", "wonderland");
    let body = json!({"id_server": "id.example.org", "erase": true, "auth": auth});
    Server::new().deactivate_until(ALICE, body, 0).1.expect("it begins")
}

/// A validation of each phase, all with the times of a clock that says `now`.
fn validations(now: Timestamp) -> [Validation; 3] {
    let threepid = Threepid::parse(Medium::Email, "alice@example.org".into()).unwrap();
    let asked = TokenRequestKey::new(&KEY, Purpose::Reset, None, threepid, Secret::new("secret"), 1);
    let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
    let token = KEY.validation_token(Secret::new("token"));
    let request = Validation::request(None, &asked, Delivery::Token, token, &policies, &rules, now);
    let Requested::New(sent) = request else { panic!("{request:?}") };
    let secret = KEY.client_secret(Secret::new("secret"));
    let submitted = Validation::submit(Some(sent.clone()), secret, token, &rules, now);
    let Submitted::Validated(validated) = submitted else { panic!("{submitted:?}") };
    let claimed = claim(validated.clone(), now);
    let Claimed::Granted(claimed) = claimed else { panic!("{claimed:?}") };
    [sent, validated, claimed]
}

fn claim(found: Validation, now: Timestamp) -> Claimed {
    let session = KEY.claimant(SessionId::from_entropy([1; 24]));
    let claimant = Claimant { operation: ChangePassword::ID, session, user: None };
    let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
    Validation::claim(Some(found), ClaimBy::Awaited, claimant, &policies, &rules, now)
}

/// A progress with a challenge, a request on its way and an address being validated.
fn progress() -> Progress {
    let client = matrix_uia::client::Client::new(ALL).with_browser();
    let mut walk = Walk::challenged(client, offer(&[&["m.login.password", "m.login.sso"]]));
    walk.give();
    walk.progress
}

/// Changes each byte of the stored value, one at a time.
fn bytes_changed<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let stored = serde_json::to_vec(value).unwrap();
    let whole: T = serde_json::from_slice(&stored).unwrap();
    for index in 0..stored.len() {
        let others = (0..8).map(|bit| stored[index] ^ (1 << bit)).chain(*b"0159 -\"{}[],:netrufalsE.");
        for other in others.filter(|other| *other != stored[index]) {
            let mut changed = stored.clone();
            changed[index] = other;
            if let Ok(read) = serde_json::from_slice::<T>(&changed) {
                assert_eq!(read, whole, "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
}

/// Removes and replaces each field of the stored value, one at a time.
fn fields_changed<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let stored = serde_json::to_value(value).unwrap();
    let whole: T = serde_json::from_value(stored.clone()).unwrap();
    let mut paths = Vec::new();
    paths_of(&stored, String::new(), &mut paths);
    assert!(paths.len() >= 3, "{stored}");
    let samples = [
        Value::Null,
        false.into(),
        true.into(),
        0.into(),
        1.into(),
        7.into(),
        (-1).into(),
        YEAR_2099.into(),
        "".into(),
        "sent".into(),
        "claimed".into(),
        "active".into(),
        "mark_deactivated".into(),
        Value::Array(vec![]),
        Value::Object(Default::default()),
    ];
    for path in paths {
        for sample in &samples {
            let mut changed = stored.clone();
            *changed.pointer_mut(&path).unwrap() = sample.clone();
            if let Ok(read) = serde_json::from_value::<T>(changed) {
                assert_eq!(read, whole, "{path} = {sample}");
            }
        }
        let (parent, key) = path.rsplit_once('/').unwrap();
        let mut changed = stored.clone();
        let removed = match changed.pointer_mut(parent).unwrap() {
            Value::Object(object) => object.remove(key),
            other => Some(other.as_array_mut().unwrap().remove(key.parse().unwrap())),
        };
        if let Ok(read) = serde_json::from_value::<T>(changed) {
            assert_eq!(read, whole, "{path} removed");
            assert_eq!(removed, Some(Value::Null), "{path} removed");
        }
    }
}

fn paths_of(value: &Value, path: String, paths: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(array) => array.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        let path = format!("{path}/{key}");
        paths_of(value, path.clone(), paths);
        paths.push(path);
    }
}

#[test]
fn lesson_111_changed_byte_of_a_stored_value_is_refused_or_means_the_same() {
    bytes_changed(&deactivation());
    for validation in validations(at(TODAY)) {
        bytes_changed(&validation);
    }
    bytes_changed(&AccountStatus::default().on(Event::Lock).unwrap());
    bytes_changed(&Generation::new(41));
    bytes_changed(&progress());
}

#[test]
fn lesson_111_changed_field_of_a_stored_value_is_refused_or_means_the_same() {
    fields_changed(&deactivation());
    for validation in validations(at(TODAY)) {
        fields_changed(&validation);
    }
    fields_changed(&AccountStatus::default().on(Event::Fence).unwrap());
    fields_changed(&Generation::new(41));
    fields_changed(&progress());
}

#[test]
fn lesson_111_version_comes_first_and_another_is_refused() {
    fn of<T: Serialize + DeserializeOwned>(value: &T) {
        let stored = serde_json::to_string(value).unwrap();
        let version = stored.strip_prefix(r#"{"version":"#).expect("the version comes first");
        let (version, rest) = version.split_once(',').unwrap();
        for other in (0..=255_u16).filter(|other| other.to_string() != version) {
            let stored = format!(r#"{{"version":{other},{rest}"#);
            assert!(serde_json::from_str::<T>(&stored).is_err(), "{stored}");
        }
    }
    of(&deactivation());
    validations(at(TODAY)).iter().for_each(of);
    of(&AccountStatus::default());
    of(&Generation::FIRST);
    of(&progress());
}

#[test]
fn lesson_111_forms_of_earlier_releases_are_refused() {
    let deactivation = r#"{"user":7,"id_server":null,"erase":false,"done":3,"unbind_failed":false}"#;
    assert!(serde_json::from_str::<Deactivation>(deactivation).is_err());
    let status = r#"{"life":"active","locked":false,"suspended":false,"erased":false}"#;
    assert!(serde_json::from_str::<AccountStatus>(status).is_err());
    assert!(serde_json::from_str::<Generation>("41").is_err());
}

#[test]
fn lesson_111_deactivation_names_what_comes_next() {
    let mut progress = deactivation();
    for effect in Effect::ALL {
        let stored = serde_json::to_value(&progress).unwrap();
        assert_eq!(stored.pointer("/value/next").unwrap(), effect.name());
        progress = serde_json::from_value::<Deactivation>(stored).unwrap().done();
    }
    assert_eq!(serde_json::to_value(&progress).unwrap().pointer("/value/next"), Some(&Value::Null));
}

#[test]
fn lesson_104_validation_from_the_future_is_over() {
    let rules = ValidationRules::default();
    let secret = KEY.client_secret(Secret::new("secret"));
    let token = KEY.validation_token(Secret::new("token"));
    for (made, over) in [(TODAY + 60_000, false), (TODAY + 60_001, true), (YEAR_2099, true)] {
        let [sent, validated, claimed] = validations(at(made));
        let now = at(TODAY);
        for validation in [&sent, &validated, &claimed] {
            assert_eq!(validation.is_over(&rules, now), over, "{made}");
        }
        let submitted = Validation::submit(Some(sent.clone()), secret, token, &rules, now);
        assert_eq!(matches!(submitted, Submitted::Refused(None, _)), over, "{made}");
        assert_eq!(claim(validated, now) == Claimed::Refused, over, "{made}");
        // Also for the session that has claimed it: that is as old, and as wrong.
        assert_eq!(claim(claimed, now) == Claimed::Refused, over, "{made}");
        // Who asks again gets another one, and is not told that it has been sent.
        let threepid = Threepid::parse(Medium::Email, "alice@example.org".into()).unwrap();
        let asked = TokenRequestKey::new(&KEY, Purpose::Reset, None, threepid, Secret::new("secret"), 1);
        let policies = AddressAuthority::new();
        let again = Validation::request(Some(sent), &asked, Delivery::Token, token, &policies, &rules, now);
        assert_eq!(matches!(again, Requested::New(_)), over, "{made}");
    }
}

#[test]
fn lesson_104_recent_authentication_from_the_future_is_none() {
    struct Delete;
    impl Endpoint for Delete {
        type Op = DeleteDevice;
        type Stored = ();
        type Plan<H: Send> = ();

        fn call(&self, _: &BindingKey) -> Call<'_, DeleteDevice> {
            Call::new(&Auth::Absent)
        }

        fn to_stored(&self, _: &BindingKey, _: Option<()>, _: Option<Sealer>) {}

        fn plan<H: Send>(
            &self,
            _: &BindingKey,
            _: Grant<DeleteDevice>,
            _: Option<()>,
            _: Option<H>,
        ) -> Result<(), Refusal> {
            Ok(())
        }
    }
    let recent = |authenticated: u64| {
        let mut server = Server::new();
        server.now = TODAY;
        server.rules.recent_auth = Millis::from_secs(300);
        let flows = policy::<DeleteDevice>(&[&["m.login.password"]], None);
        let account = server.account_named("alice");
        server.serve_recent("alice-token", flows, &Delete, account, at(authenticated)).status == 200
    };
    assert!(recent(TODAY) && !recent(TODAY + 60_001) && !recent(YEAR_2099));
}

#[test]
fn lesson_104_tokens_of_a_wrong_clock_end() {
    let (lifetime, now) = (Millis::from_secs(300), at(TODAY));
    // A login token is kept with when it was made, an access token with when it ends.
    for (made, over) in [(TODAY, false), (TODAY + 60_000, false), (TODAY + 60_001, true), (YEAR_2099, true)] {
        assert_eq!(at(made).has_run_out(lifetime, now), over, "{made}");
        assert_eq!(at(made).after(lifetime).has_passed(lifetime, now), over, "{made}");
    }
}

#[test]
fn lesson_104_client_does_not_wait_for_the_time_of_a_wrong_clock() {
    let client = matrix_uia::client::Client::new(&[AuthType::Password]).with_browser();
    let mut walk = Walk::new(client);
    walk.now = YEAR_2099;
    walk.begin(offer(&[&["m.login.sso"]]));
    walk.done();
    walk.now = TODAY;
    walk.restart();
    assert!(walk.wait() <= 2_000, "the pause is counted from now");
    // The stage, too: it has its patience from now on, and no more.
    let mut polls = 0;
    while walk.step() != "failed TimedOut" {
        assert!(polls < 200, "only the number of polls would have ended it");
        polls += 1;
        walk.reply(401, offer(&[&["m.login.sso"]]));
        walk.wait();
    }
    let waited = walk.now - TODAY;
    assert!((15 * 60_000..16 * 60_000).contains(&waited), "{waited}");
}
