//! The upload of cross-signing keys: what of rules U1, U13 and U18 is about it.

use matrix_uia::endpoint::signing_keys::{
    SigningKeyKind, StoredSigningKeys, UploadSigningKeysRequest, key_in_use,
};
use matrix_uia::server::grant::{Exempt, Outcome};
use matrix_uia::server::operation::{ChangePassword, UploadSigningKeys};
use matrix_uia::server::reference::Subject;
use matrix_uia::wire::AuthType;
use matrix_uia::{BindingKey, Flows, FlowsBuffer, MatrixError, Millis, PolicyError, Timestamp};
use serde_json::{Value, json};

use crate::support::{Answer, Handler, Server, password_auth, policy};

const KEY: BindingKey = BindingKey::from_entropy([7; 16]);
const ALICE: &str = "@alice:example.org";

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
fn stored(body: &Value) -> StoredSigningKeys {
    let text = body.to_string();
    let request = UploadSigningKeysRequest::parse(text.as_bytes()).unwrap();
    let mut stored = StoredSigningKeys::default();
    for kind in SigningKeyKind::ALL {
        stored.set(*kind, request.keys.get(*kind).map(|key| key.json.as_str().to_owned()));
    }
    stored
}

fn is_exempt(body: &str, before: &Value) -> bool {
    let before = stored(before);
    let request = UploadSigningKeysRequest::parse(body.as_bytes()).unwrap().check(ALICE).unwrap();
    request.exempt(&KEY, &before.read()) == Some(Exempt::SigningKeys)
}

/// An upload by alice; which keys were stored.
fn upload(
    server: &mut Server,
    flows: &'static Flows<'static, UploadSigningKeys>,
    body: &Value,
) -> (Answer, Vec<String>) {
    let text = body.to_string();
    let checked = UploadSigningKeysRequest::parse(text.as_bytes()).unwrap().check(ALICE).unwrap();
    let mut names = Vec::new();
    let handler = Handler {
        admit: &mut |_| Ok(None),
        perform: &mut |_, plan: matrix_uia::endpoint::signing_keys::SigningKeysUpload| {
            names = plan.keys.read().iter().map(|(_, key)| key.public_key.to_string()).collect();
            assert!(plan.has_public_key("bs") && !plan.has_public_key("b"));
            Ok((Outcome::NOTHING, json!({})))
        },
        repeat: &mut |_, _| json!({}),
    };
    let answer = server.serve(Some("alice-token"), flows, &checked, handler);
    (answer, names)
}

fn says(reject: MatrixError) -> String {
    format!("{} {}", reject.status(), reject.code())
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u01_the_first_keys_and_the_same_again_need_no_authentication() {
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
fn u01_a_key_is_the_same_however_it_is_written_and_another_with_any_difference() {
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
fn e02_what_is_no_key_is_refused_before_any_challenge() {
    let parse = |body: &Value| {
        let text = body.to_string();
        let request = UploadSigningKeysRequest::parse(text.as_bytes()).map_err(|error| says(error.into()))?;
        request.check(ALICE).map(|_| ()).map_err(says)
    };
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
        let checked = UploadSigningKeysRequest::parse(text.as_bytes()).unwrap().check(ALICE).map_err(says)?;
        checked.admit(&before.read(), ["am"]).map_err(|refusal| says(refusal.error()))
    };
    let mut bobs = all("a");
    bobs["user_signing_key"]["user_id"] = "@bob:example.org".into();
    assert_eq!(check(&bobs, &json!({})), Err("400 M_INVALID_PARAM".to_owned()));
    let only = json!({"self_signing_key": key("self_signing", "S")});
    assert_eq!(check(&only, &json!({})), Err("400 M_MISSING_PARAM".to_owned()), "no master key is available");
    assert_eq!(check(&json!({}), &json!({})), Err("400 M_MISSING_PARAM".to_owned()));
    assert_eq!(check(&only, &all("a")), Ok(()));
    assert_eq!(check(&json!({}), &all("a")), Ok(()), "a client asks for the flows");
    assert_eq!(check(&all("a"), &json!({})), Err(says(key_in_use())), "a device has that name");
}

/// https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
#[test]
fn u13_the_keys_are_bound_to_the_session_and_may_be_left_out_later() {
    let flows = policy::<UploadSigningKeys>(&[&["m.login.dummy"]], None);
    for again in [all("b"), json!({})] {
        let mut server = Server::new();
        let (challenge, _) = upload(&mut server, flows, &all("b"));
        let auth = json!({"type": "m.login.dummy", "session": challenge.session()});
        let with_auth = |mut body: Value| {
            body["auth"] = auth.clone();
            body
        };
        let (other, _) = upload(&mut server, flows, &with_auth(all("c")));
        assert_eq!(other.says(), "403 M_FORBIDDEN", "other keys than those that were asked about");
        let (done, names) = upload(&mut server, flows, &with_auth(again));
        assert_eq!((done.says(), names), ("200".to_owned(), ["bm", "bs", "bu"].map(str::to_owned).to_vec()));
    }
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u14_a_call_that_never_had_keys_is_told_so_and_stays_complete() {
    let flows = policy::<UploadSigningKeys>(&[&["m.login.dummy"]], None);
    let (answer, _) = upload(&mut Server::new(), flows, &json!({"auth": {"type": "m.login.dummy"}}));
    assert_eq!(answer.says(), "400 M_MISSING_PARAM");
}

/// https://spec.matrix.org/v1.19/client-server-api/#oauth-authentication
#[test]
fn u19_m_oauth_is_a_stage_of_this_upload_and_of_nothing_else() {
    let oauth = [[AuthType::OAuth.name().to_string()]];
    let mut buffer = FlowsBuffer::<256>::new();
    assert!(Flows::<UploadSigningKeys>::in_buffer(&oauth, None, &mut buffer).is_ok());
    let refused = Flows::<ChangePassword>::in_buffer(&oauth, None, &mut buffer);
    assert!(matches!(refused, Err(PolicyError::WrongOperation { .. })));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload
#[test]
fn u18_a_recent_authentication_is_enough_if_the_policy_says_so() {
    let flows = policy::<UploadSigningKeys>(&[&["m.login.password"]], None);
    let text = all("b").to_string();
    let checked = UploadSigningKeysRequest::parse(text.as_bytes()).unwrap().check(ALICE).unwrap();
    let serve = |server: &mut Server, account: Subject, ago: u64| {
        let at = Timestamp::from_millis(server.now - ago);
        server.serve_recent("alice-token", flows, &checked, account, at).says()
    };
    let mut server = Server::new();
    let alice = server.account_named("alice");
    assert_eq!(serve(&mut server, alice, 0), "401", "zero never skips");
    server.rules.recent_auth = Millis::new(1_000);
    assert_eq!(serve(&mut server, alice, 999), "200");
    assert_eq!(serve(&mut server, alice, 1_000), "401");
    // The password was changed since.
    let body = json!({"new_password": "looking-glass", "auth": password_auth(None, "alice", "wonderland")});
    assert_eq!(server.change_password(Some("alice-token"), body).says(), "200");
    assert_eq!(serve(&mut server, alice, 1), "401");
}
