//! The section on User-Interactive Authentication itself.

use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::endpoint::register::{LoginResponse, RegisterRequest};
use matrix_uia::server::operation::{Register, UploadSigningKeys};
use matrix_uia::server::verdict::{Evidence, StageFailure, Verdict};
use matrix_uia::wire::error::{AnyCode, ErrorCode};
use matrix_uia::wire::{Auth, AuthData, AuthType, UserIdentifier};
use matrix_uia::{Secret, Text};
use serde_json::json;

use super::{auth, challenge, data, error, stages, value};
use crate::support::{Server, flows, policy};

const FLOWS: &[&[&str]] =
    &[&["example.type.foo", "example.type.bar"], &["example.type.foo", "example.type.baz"]];
const PARAMS: &str = r#"{ "example.type.baz": { "example_key": "foobar" } }"#;

pub(super) const NO_AUTH: &str = r#"{
  "flows": [
    {
      "stages": [ "example.type.foo", "example.type.bar" ]
    },
    {
      "stages": [ "example.type.foo", "example.type.baz" ]
    }
  ],
  "params": {
      "example.type.baz": {
          "example_key": "foobar"
      }
  },
  "session": "xxxxxx"
}"#;

const COMPLETED: &str = r#"{
  "completed": [ "example.type.foo" ],
  "flows": [
    {
      "stages": [ "example.type.foo", "example.type.bar" ]
    },
    {
      "stages": [ "example.type.foo", "example.type.baz" ]
    }
  ],
  "params": {
      "example.type.baz": {
          "example_key": "foobar"
      }
  },
  "session": "xxxxxx"
}"#;

const FAILED: &str = r#"{
  "errcode": "M_FORBIDDEN",
  "error": "Invalid password",
  "completed": [ "example.type.foo" ],
  "flows": [
    {
      "stages": [ "example.type.foo", "example.type.bar" ]
    },
    {
      "stages": [ "example.type.foo", "example.type.baz" ]
    }
  ],
  "params": {
      "example.type.baz": {
          "example_key": "foobar"
      }
  },
  "session": "xxxxxx"
}"#;

#[test]
fn user_interactive_api_in_the_rest_api_first_challenge() {
    let read = challenge(NO_AUTH);
    let flows: Vec<_> = read.flows().map(|flow| stages(flow.stages())).collect();
    assert_eq!(flows, FLOWS);
    assert!(!read.has_completed());
    assert_eq!(read.session.unwrap().expose(), "xxxxxx");
    let params = read.params_of(AuthType::from("example.type.baz")).unwrap();
    assert_eq!(value(params.as_str()), json!({"example_key": "foobar"}));
}

#[test]
fn user_interactive_api_in_the_rest_api_later_challenges() {
    assert_eq!(stages(challenge(COMPLETED).completed()), ["example.type.foo"]);
    let failed = challenge(FAILED);
    assert_eq!(failed.code, Some(AnyCode::Known(ErrorCode::Forbidden)));
    assert_eq!(failed.message.unwrap(), "Invalid password");
}

/// The server writes the examples themselves, but for the session's name and the words.
#[test]
fn user_interactive_api_in_the_rest_api_as_this_server_writes_it() {
    let mut server = Server::new();
    server.policies.change = policy(FLOWS, Some(PARAMS));
    let written = |server: &mut Server, body: serde_json::Value| {
        let mut answer = server.change_password(Some("alice-token"), body);
        let session = answer.session().to_owned();
        answer.body["session"] = "xxxxxx".into();
        if answer.body.get("error").is_some() {
            answer.body["error"] = "Invalid password".into();
        }
        (answer.body, session)
    };
    let (body, session) = written(&mut server, json!({}));
    assert_eq!(body, value(NO_AUTH));
    server.next_verdict(Verdict::Passed(Evidence::nothing()));
    let attempt = |auth_type: &str| json!({"auth": {"type": auth_type, "session": session}});
    assert_eq!(written(&mut server, attempt("example.type.foo")).0, value(COMPLETED));
    server.next_verdict(Verdict::Failed(StageFailure::Credentials));
    assert_eq!(written(&mut server, attempt("example.type.bar")).0, value(FAILED));
}

#[test]
fn user_interactive_api_in_the_rest_api_an_attempt() {
    let body = r#"{
  "a_request_parameter": "something",
  "another_request_parameter": "something else",
  "auth": {
      "type": "example.type.foo",
      "session": "xxxxxx",
      "example_credential": "verypoorsharedsecret"
  }
}"#;
    let request = ChangePasswordRequest::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    request.auth.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body)["auth"]);
    let Auth::Attempt { auth_type, data: Ok(AuthData::Custom(raw)), .. } = request.auth else {
        panic!("custom")
    };
    assert_eq!(auth_type, AuthType::custom("example.type.foo"));
    assert_eq!(value(raw.as_str())["example_credential"], "verypoorsharedsecret");
    // The one beside the schema of the auth dict.
    data(
        r#"{ "type": "example.type.foo", "session": "xxxxx", "example_credential": "verypoorsharedsecret" }"#,
    );
}

#[test]
fn user_interactive_api_in_the_rest_api_another_error() {
    let code = error(r#"{ "errcode": "M_EXAMPLE_ERROR", "error": "Something was wrong" }"#);
    assert_eq!(code, Some(AnyCode::Other(Text::new("M_EXAMPLE_ERROR"))));
}

#[test]
fn password_based() {
    let by_user = r#"{
  "type": "m.login.password",
  "identifier": {
    "type": "m.id.user",
    "user": "<user_id or user localpart>"
  },
  "password": "<password>",
  "session": "<session ID>"
}"#;
    let AuthData::Password { identifier, password } = data(by_user) else { panic!("a password") };
    assert_eq!(identifier, UserIdentifier::User("<user_id or user localpart>".into()));
    assert_eq!(password.expose(), "<password>");
    let by_address = r#"{
  "type": "m.login.password",
  "identifier": {
    "type": "m.id.thirdparty",
    "medium": "<The medium of the third-party identifier.>",
    "address": "<The third-party address of the user>"
  },
  "password": "<password>",
  "session": "<session ID>"
}"#;
    let AuthData::Password { identifier, .. } = data(by_address) else { panic!("a password") };
    assert_eq!(
        identifier,
        UserIdentifier::Thirdparty {
            medium: "<The medium of the third-party identifier.>".into(),
            address: "<The third-party address of the user>".into(),
        },
    );
}

#[test]
fn google_recaptcha() {
    let body =
        r#"{ "type": "m.login.recaptcha", "response": "<captcha response>", "session": "<session ID>" }"#;
    assert!(
        matches!(data(body), AuthData::Recaptcha { response } if response.expose() == "<captcha response>")
    );
}

/// The placeholders of these two are no valid `sid` or secret: their places are filled.
#[test]
fn email_based_and_phone_number() {
    for auth_type in ["m.login.email.identity", "m.login.msisdn"] {
        let body = format!(
            r#"{{
  "type": "{auth_type}",
  "threepid_creds": {{
    "sid": "identity-server-session-id",
    "client_secret": "identity-server-client-secret",
    "id_server": "<url of identity server authed with, e.g. 'matrix.org:8090'>",
    "id_access_token": "<access token previously registered with the identity server>"
  }},
  "session": "<session ID>"
}}"#
        );
        let (AuthData::EmailIdentity(creds) | AuthData::Msisdn(creds)) = data(&body) else { panic!("creds") };
        assert_eq!(creds.sid, "identity-server-session-id");
        assert!(creds.id_server.is_some() && creds.id_access_token.is_some());
    }
}

#[test]
fn dummy_auth() {
    let body = r#"{ "type": "m.login.dummy", "session": "<session ID>" }"#;
    assert!(matches!(data(body), AuthData::Dummy));
    // The ambiguity, and its mend.
    let ambiguous = [vec!["m.login.recaptcha"], vec!["m.login.recaptcha", "m.login.email.identity"]];
    assert!(
        matrix_uia::Flows::<Register>::in_buffer(
            &ambiguous,
            None,
            &mut matrix_uia::FlowsBuffer::<512>::new()
        )
        .is_err()
    );
    flows::<Register>(
        &[&["m.login.recaptcha", "m.login.dummy"], &["m.login.recaptcha", "m.login.email.identity"]],
        None,
    );
}

#[test]
fn token_authenticated_registration() {
    let body = r#"{ "type": "m.login.registration_token", "token": "fBVFdqVE", "session": "<session ID>" }"#;
    assert!(matches!(data(body), AuthData::RegistrationToken { token } if token.expose() == "fBVFdqVE"));
}

pub(super) const TERMS: &str = r#"{
     "flows": [
       { "stages": [ "m.login.terms" ] }
     ],
     "params": {
       "m.login.terms": {
         "policies": {
           "terms_of_service": {
             "version": "1.2",
             "en": {
                 "name": "Terms of Service",
                 "url": "https://example.org/somewhere/terms-1.2-en.html"
             },
             "fr": {
                 "name": "Conditions d'utilisation",
                 "url": "https://example.org/somewhere/terms-1.2-fr.html"
             }
           }
         }
       }
     },
     "session": "kasgjaelkgj"
   }"#;

#[test]
fn terms_of_service_at_registration() {
    assert!(matches!(data(r#"{ "type": "m.login.terms", "session": "<session ID>" }"#), AuthData::Terms));
    let first = r#"{ "username": "cheeky_monkey", "password": "ilovebananas" }"#;
    let request = RegisterRequest::parse(first.as_bytes()).unwrap();
    assert_eq!(request.username.unwrap(), "cheeky_monkey");
    assert_eq!(request.password.unwrap().expose(), "ilovebananas");
    let read = challenge(TERMS);
    assert!(read.params_of(AuthType::Terms).is_some());
    let again = r#"{
     "username": "cheeky_monkey",
     "password": "ilovebananas",
     "auth": {
       "type": "m.login.terms",
       "session": "kasgjaelkgj"
     }
   }"#;
    let request = RegisterRequest::parse(again.as_bytes()).unwrap();
    assert_eq!(request.auth.session().unwrap().expose(), "kasgjaelkgj");
    let response = LoginResponse::new(Text::new("@cheeky_monkey:matrix.org"))
        .with_login(Secret::new("abc123"), Text::new("GHTYAJCE"));
    let mut written = String::new();
    response.write(&mut written).unwrap();
    let example =
        json!({"access_token": "abc123", "device_id": "GHTYAJCE", "user_id": "@cheeky_monkey:matrix.org"});
    assert_eq!(value(&written), example);
}

#[test]
fn terms_of_service_at_registration_as_this_server_writes_them() {
    let params = value(TERMS)["params"].to_string();
    let mut server = Server::new();
    server.policies.register = policy::<Register>(&[&["m.login.terms"]], Some(&params));
    let mut body = server.register(json!({})).body;
    body["session"] = "kasgjaelkgj".into();
    assert_eq!(body, value(TERMS));
}

#[test]
fn definition_mloginterms_params() {
    let params = r#"{"m.login.terms": {
    "policies": {
        "terms_of_service": {
            "version": "1.2",
            "en": { "name": "Terms of Service", "url": "https://example.org/somewhere/terms-1.2-en.html" },
            "fr": { "name": "Conditions d'utilisation", "url": "https://example.org/somewhere/terms-1.2-fr.html" }
        },
        "privacy_policy": {
            "version": "1.2",
            "en": { "name": "Privacy Policy", "url": "https://example.org/somewhere/privacy-1.2-en.html" },
            "fr": { "name": "Politique de confidentialité", "url": "https://example.org/somewhere/privacy-1.2-fr.html" }
        }
    }
}}"#;
    flows::<Register>(&[&["m.login.terms"]], Some(params));
    let body = format!(r#"{{"flows":[{{"stages":["m.login.terms"]}}],"params":{params},"session":"x"}}"#);
    let read = challenge(&body);
    let terms = read.params_of(AuthType::Terms).unwrap();
    assert_eq!(value(terms.as_str()), value(params)["m.login.terms"]);
}

#[test]
fn oauth_authentication() {
    assert!(matches!(auth(r#"{ "session": "<session ID>" }"#), Auth::Poll { .. }));
    let params = r#"{"m.oauth": { "url": "https://example.org/account/reset-cross-signing" }}"#;
    flows::<UploadSigningKeys>(&[&["m.oauth"]], Some(params));
}

#[test]
fn fallback() {
    let read = auth(r#"{ "session": "<session ID>" }"#);
    assert_eq!(read.session().unwrap().expose(), "<session ID>");
    // The page's own request: only `auth`.
    let request = ChangePasswordRequest::parse(br#"{"auth":{"session":"sessionID"}}"#).unwrap();
    assert!(matches!(request.auth, Auth::Poll { .. }) && request.new_password.is_none());
}

#[test]
fn identifier_types() {
    for (identifier, read) in [
        (
            r#"{ "type": "m.id.user", "user": "<user_id or user localpart>" }"#,
            UserIdentifier::User("<user_id or user localpart>".into()),
        ),
        (
            r#"{
  "type": "m.id.thirdparty",
  "medium": "<The medium of the third-party identifier>",
  "address": "<The canonicalised third-party address of the user>"
}"#,
            UserIdentifier::Thirdparty {
                medium: "<The medium of the third-party identifier>".into(),
                address: "<The canonicalised third-party address of the user>".into(),
            },
        ),
        // The placeholder for the country is filled: it is a two-letter code.
        (
            r#"{ "type": "m.id.phone", "country": "GB", "phone": "<The phone number>" }"#,
            UserIdentifier::Phone { country: "GB".into(), phone: "<The phone number>".into() },
        ),
    ] {
        let body = format!(r#"{{"type":"m.login.password","identifier":{identifier},"password":"p"}}"#);
        let AuthData::Password { identifier: found, .. } = data(&body) else { panic!("a password") };
        assert_eq!(found, read);
        let mut written = String::new();
        found.write(&mut written).unwrap();
        assert_eq!(value(&written), value(identifier));
    }
}
