//! The JSON examples of the endpoints about 3PIDs, named by their anchors.

use matrix_uia::Timestamp;
use matrix_uia::endpoint::threepid::{
    AddThreepidRequest, DeleteThreepidRequest, DeleteThreepidResponse, GivenAddress, ListedThreepid, Medium,
    RequestTokenRequest, RequestTokenResponse, SubmitTokenRequest, SubmitTokenResponse, Threepid,
    ThreepidsResponse,
};
use serde_json::json;

use super::value;

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registeremailrequesttoken
#[test]
fn post_matrixclientv3registeremailrequesttoken() {
    let body = br#"{
        "client_secret": "monkeys_are_GREAT",
        "email": "alice@example.org",
        "id_access_token": "abc123_OpaqueString",
        "id_server": "id.example.com",
        "next_link": "https://example.org/congratulations.html",
        "send_attempt": 1
    }"#;
    let request = RequestTokenRequest::parse(Medium::Email, body).unwrap();
    assert_eq!(request.client_secret.expose(), "monkeys_are_GREAT");
    assert_eq!(request.send_attempt, 1);
    assert_eq!(request.address, GivenAddress::Email("alice@example.org".into()));
    assert_eq!(request.next_link.unwrap(), "https://example.org/congratulations.html");
    assert_eq!(request.id_server.unwrap(), "id.example.com");
    assert_eq!(request.id_access_token.unwrap().expose(), "abc123_OpaqueString");
    let body = r#"{"sid": "123abc", "submit_url": "https://example.org/path/to/submitToken"}"#;
    let answer = RequestTokenResponse::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    answer.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body));
    assert!(RequestTokenResponse::parse(b"{}").is_err());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3registermsisdnrequesttoken
#[test]
fn post_matrixclientv3registermsisdnrequesttoken() {
    let body = br#"{
        "client_secret": "monkeys_are_GREAT",
        "country": "GB",
        "next_link": "https://example.org/congratulations.html",
        "phone_number": "07700900001",
        "send_attempt": 1
    }"#;
    let request = RequestTokenRequest::parse(Medium::Msisdn, body).unwrap();
    let GivenAddress::Phone { country, number } = request.address else { panic!("{request:?}") };
    assert!(country == "GB" && number == "07700900001");
}

/// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid
#[test]
fn get_matrixclientv3account3pid() {
    let monkey = Threepid::parse(Medium::Email, "monkey@banana.island".into()).unwrap();
    let at = Timestamp::from_millis;
    let list = |listed: &[ListedThreepid]| {
        let mut body = String::new();
        ThreepidsResponse::new(listed).write(&mut body).unwrap();
        value(&body)
    };
    let listed = ListedThreepid::new(monkey, at(1_535_176_800_000), at(1_535_336_848_756));
    let expected = json!({
        "medium": "email",
        "address": "monkey@banana.island",
        "validated_at": 1_535_176_800_000_u64,
        "added_at": 1_535_336_848_756_u64
    });
    assert_eq!(list(&[]), json!({"threepids": []}));
    assert_eq!(list(core::slice::from_ref(&listed)), json!({"threepids": [expected]}));
    assert_eq!(list(&[listed.clone(), listed]), json!({"threepids": [expected, expected]}));
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd
#[test]
fn post_matrixclientv3account3pidadd() {
    let body = br#"{
        "auth": {"example_credential": "verypoorsharedsecret", "session": "xxxxx", "type": "example.type.foo"},
        "client_secret": "d0nt-T3ll",
        "sid": "abc123987"
    }"#;
    let request = AddThreepidRequest::parse(body).unwrap();
    assert_eq!(request.sid.unwrap(), "abc123987");
    assert_eq!(request.client_secret.unwrap().expose(), "d0nt-T3ll");
    assert_eq!(request.auth.session().unwrap().expose(), "xxxxx");
    assert!(request.check(true).is_ok());
}

/// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete
#[test]
fn post_matrixclientv3account3piddelete() {
    let body = br#"{"address": "example@example.org", "id_server": "example.org", "medium": "email"}"#;
    let request = DeleteThreepidRequest::parse(body, true).unwrap();
    assert_eq!(request.threepid.address(), "example@example.org");
    assert_eq!(request.unbind_at(None).unwrap(), "example.org");
    let mut written = String::new();
    DeleteThreepidResponse::new(true).write(&mut written).unwrap();
    assert_eq!(value(&written), json!({"id_server_unbind_result": "success"}));
}

/// https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken
#[test]
fn post_matrixidentityv2validateemailsubmittoken() {
    let body = br#"{"sid": "1234", "client_secret": "monkeys_are_GREAT", "token": "atoken"}"#;
    let submitted = SubmitTokenRequest::parse(body).unwrap();
    assert_eq!(submitted.sid, "1234");
    assert_eq!(submitted.client_secret.expose(), "monkeys_are_GREAT");
    assert_eq!(submitted.token.expose(), "atoken");
    let mut success = String::new();
    SubmitTokenResponse::new(true).write(&mut success).unwrap();
    assert_eq!(value(&success), json!({"success": true}));
}
