//! The upload of cross-signing keys: what of rules U1, U13 and U18 is about it.

use matrix_uia::endpoint::signing_keys::{
    SigningKey, SigningKeyKind, SigningKeys, UploadSigningKeysRequest, key_in_use, upload,
};
use matrix_uia::server::operation::{ChangePassword, Subject, UploadSigningKeys, UserRef};
use matrix_uia::server::session::Params;
use matrix_uia::wire::AuthType;
use matrix_uia::{BindingKey, Flows, Guard, MatrixError, Millis, PolicyError, Rules, Step, Timestamp};
use serde_json::{Value, json};

use crate::support::{flows, id};

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const ALICE: &str = "@alice:example.org";
const USER: UserRef = UserRef::new(1);

/// A key of alice's, whose public half is `public`.
fn key(usage: &str, public: &str) -> Value {
    json!({
        "user_id": ALICE, "usage": [usage], "keys": {(format!("ed25519:{public}")): public},
        "signatures": {ALICE: {"ed25519:M": "signature"}},
    })
}

fn all(public: &str) -> Value {
    json!({
        "master_key": key("master", &format!("{public}m")),
        "self_signing_key": key("self_signing", &format!("{public}s")),
        "user_signing_key": key("user_signing", &format!("{public}u")),
    })
}

/// What is stored after `body` was uploaded.
fn stored(body: &Value) -> Vec<Option<String>> {
    let text = body.to_string();
    let request = UploadSigningKeysRequest::parse(text.as_bytes()).unwrap();
    SigningKeyKind::ALL
        .iter()
        .map(|kind| request.keys.get(*kind).map(|key| key.json.as_str().to_owned()))
        .collect()
}

fn read(stored: &[Option<String>]) -> SigningKeys<'_> {
    SigningKeyKind::ALL.iter().zip(stored).fold(SigningKeys::default(), |keys, (kind, json)| {
        keys.with(*kind, json.as_deref().map(|json| SigningKey::parse(*kind, json).unwrap()))
    })
}

fn is_exempt(body: &str, before: &Value) -> bool {
    let before = stored(before);
    let request = UploadSigningKeysRequest::parse(body.as_bytes()).unwrap();
    request.exempt(&KEY, &read(&before), USER).is_some()
}

fn says(reject: MatrixError) -> String {
    format!("{} {}", reject.status(), reject.code())
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u1_the_first_keys_and_the_same_again_need_no_authentication() {
    let nothing = json!({});
    assert!(is_exempt(&all("a").to_string(), &nothing), "there are none yet");
    assert!(is_exempt(&all("a").to_string(), &all("a")), "the answer was lost");
    assert!(is_exempt(&json!({"master_key": all("a")["master_key"]}).to_string(), &all("a")));

    let mut other = all("a");
    other["self_signing_key"] = key("self_signing", "other");
    assert!(!is_exempt(&other.to_string(), &all("a")), "one key is new");
    assert!(!is_exempt(&all("b").to_string(), &all("a")), "all are new");
    let only = json!({"self_signing_key": all("a")["self_signing_key"]}).to_string();
    assert!(!is_exempt(&only, &all("a")), "the master key isn't in the request");
    assert!(!is_exempt("{}", &all("a")), "no auth, no success");
    assert!(!is_exempt("{}", &nothing));
    let master = json!({"master_key": all("a")["master_key"]});
    assert!(!is_exempt(&all("a").to_string(), &master), "a key that was not there is new");
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u1_a_key_is_the_same_however_it_is_written_and_another_with_any_difference() {
    let before = json!({"master_key": key("master", "M")});
    let spelt = format!(
        r#"{{"master_key": {{ "keys":{{"ed25519:M":"M"}}, "usage" : ["m\u0061ster"],
            "signatures":{{"{ALICE}":{{"ed25519:M":"signature"}}}},"user_id":"{ALICE}"}}}}"#
    );
    assert!(is_exempt(&spelt, &before));
    for (name, value) in [
        ("signatures", json!({ALICE: {"ed25519:M": "another"}})),
        ("usage", json!(["master", "x"])),
        ("keys", json!({"ed25519:N": "M"})),
        ("x", json!(null)),
    ] {
        let mut other = before.clone();
        other["master_key"][name] = value;
        assert!(!is_exempt(&other.to_string(), &before), "{name}");
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn e2_what_is_no_key_is_refused_before_any_challenge() {
    let parse =
        |body: &Value| UploadSigningKeysRequest::parse(body.to_string().as_bytes()).map(|_| ()).map_err(says);
    assert_eq!(parse(&json!({"master_key": null, "auth": null})), Ok(()));
    for (body, answer) in [
        (json!({"master_key": "x"}), "400 M_BAD_JSON"),
        (json!({"master_key": {"user_id": 1}}), "400 M_BAD_JSON"),
        (json!({"auth": 1}), "400 M_BAD_JSON"),
        (json!([]), "400 M_BAD_JSON"),
        (json!({"master_key": {}}), "400 M_INVALID_PARAM"),
        (json!({"master_key": key("self_signing", "M")}), "400 M_INVALID_PARAM"),
        (json!({"user_signing_key": key("master", "M")}), "400 M_INVALID_PARAM"),
    ] {
        assert_eq!(parse(&body), Err(answer.to_owned()), "{body}");
    }
    let check = |body: &Value, before: &Value| {
        let (text, before) = (body.to_string(), stored(before));
        UploadSigningKeysRequest::parse(text.as_bytes()).unwrap().check(ALICE, &read(&before)).map_err(says)
    };
    let mut bobs = all("a");
    bobs["user_signing_key"]["user_id"] = "@bob:example.org".into();
    assert_eq!(check(&bobs, &json!({})), Err("400 M_INVALID_PARAM".to_owned()));
    let only = json!({"self_signing_key": key("self_signing", "S")});
    assert_eq!(check(&only, &json!({})), Err("400 M_MISSING_PARAM".to_owned()), "no master key is available");
    assert_eq!(check(&json!({}), &json!({})), Err("400 M_MISSING_PARAM".to_owned()));
    assert_eq!(check(&only, &all("a")), Ok(()));
    assert_eq!(check(&json!({}), &all("a")), Ok(()), "a client asks for the flows");
    assert_eq!(says(key_in_use()), "403 M_FORBIDDEN");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u13_the_keys_are_bound_to_the_session_and_may_be_left_out_later() {
    let policy = flows::<UploadSigningKeys>(&[&["m.login.dummy"]], None);
    let rules = Rules::default();
    let guard = Guard::new(&policy, &rules);
    let subject = Subject::new(USER, 0);
    let (body, fresh, now) = (all("b").to_string(), id(1), Timestamp::from_millis(1));
    let request = UploadSigningKeysRequest::parse(body.as_bytes()).unwrap();
    let Step::Challenge(challenge) = guard.receive(request.call(&KEY, subject), None, fresh, now) else {
        panic!("a challenge")
    };
    assert!(challenge.keep_params());
    let session = challenge.session().clone();
    let kept = stored(&all("b"));

    let auth = json!({"type": "m.login.dummy", "session": fresh.expose().as_str()});
    let again = |mut body: Value| {
        body["auth"] = auth.clone();
        body.to_string()
    };
    let other = again(all("c"));
    let other = UploadSigningKeysRequest::parse(other.as_bytes()).unwrap();
    let step = guard.receive(other.call(&KEY, subject), Some(session.clone()), id(2), now);
    let Step::Reject(refused) = step else { panic!("{step:?}") };
    assert_eq!(says(refused.reject()), "403 M_FORBIDDEN", "other keys than those that were asked about");

    for (body, from) in [(all("b"), Params::Request), (json!({}), Params::Kept)] {
        let body = again(body);
        let request = UploadSigningKeysRequest::parse(body.as_bytes()).unwrap();
        let step = guard.receive(request.call(&KEY, subject), Some(session.clone()), id(2), now);
        let Step::Grant(claim) = step else { panic!("{step:?}") };
        let grant = claim.assume_stored();
        assert_eq!(grant.params(), from);
        let upload = upload(grant, &request, Some(read(&kept))).unwrap();
        let names: Vec<String> = upload.keys().map(|(_, key)| key.public_key.to_string()).collect();
        assert_eq!(names, ["bm", "bs", "bu"]);
        assert!(upload.has_public_key("bs") && !upload.has_public_key("b"));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u14_a_call_that_never_had_keys_is_told_so_and_stays_complete() {
    let policy = flows::<UploadSigningKeys>(&[&["m.login.dummy"]], None);
    let rules = Rules::default();
    let body = json!({"auth": {"type": "m.login.dummy"}}).to_string();
    let request = UploadSigningKeysRequest::parse(body.as_bytes()).unwrap();
    let call = request.call(&KEY, Subject::new(USER, 0));
    let step = Guard::new(&policy, &rules).receive(call, None, id(1), Timestamp::default());
    let Step::Grant(claim) = step else { panic!("{step:?}") };
    let denied = upload(claim.assume_stored(), &request, None).unwrap_err();
    assert_eq!(says(denied.reject()), "400 M_MISSING_PARAM");
}

/// https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication
#[test]
fn u19_m_oauth_is_a_stage_of_this_upload_and_of_nothing_else() {
    let oauth = [[AuthType::OAuth.name().to_string()]];
    let mut buffer = [0; 256];
    assert!(Flows::<UploadSigningKeys>::in_buffer(&oauth, None, &mut buffer).is_ok());
    let refused = Flows::<ChangePassword>::in_buffer(&oauth, None, &mut buffer);
    assert!(matches!(refused, Err(PolicyError::WrongOperation { .. })));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u18_a_recent_authentication_is_enough_if_the_policy_says_so() {
    let policy = flows::<UploadSigningKeys>(&[&["m.login.password"]], None);
    let mut rules = Rules::default();
    let (then, now) = (Timestamp::from_millis(1_000), Timestamp::from_millis(1_999));
    assert!(Guard::new(&policy, &rules).recent(USER, then, now).is_none());
    rules.recent_auth = Millis::new(1_000);
    let guard = Guard::new(&policy, &rules);
    assert!(guard.recent(USER, then, now).is_some());
    assert!(guard.recent(USER, then, Timestamp::from_millis(2_000)).is_none());
}
