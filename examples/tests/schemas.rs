//! The schemas that every answer is held against, themselves under test: all of the contract is there, and each
//! can refuse.

use crate::support::Answer;
use crate::support::schema::{Catalogue, catalogue};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The homeserver's endpoints, as its contract lists them.
const ENDPOINTS: [(&str, &str); 36] = [
    ("POST", "/_matrix/client/v3/register"),
    ("GET", "/_matrix/client/v3/register/available"),
    ("POST", "/_matrix/client/v3/register/email/requestToken"),
    ("POST", "/_matrix/client/v3/register/msisdn/requestToken"),
    ("GET", "/_matrix/client/v1/register/m.login.registration_token/validity"),
    ("GET", "/_matrix/client/v3/login"),
    ("POST", "/_matrix/client/v3/login"),
    ("POST", "/_matrix/client/v1/login/get_token"),
    ("POST", "/_matrix/client/v3/refresh"),
    ("POST", "/_matrix/client/v3/logout"),
    ("POST", "/_matrix/client/v3/logout/all"),
    ("GET", "/_matrix/client/v3/account/whoami"),
    ("POST", "/_matrix/client/v3/account/password"),
    ("POST", "/_matrix/client/v3/account/password/email/requestToken"),
    ("POST", "/_matrix/client/v3/account/password/msisdn/requestToken"),
    ("POST", "/_matrix/client/v3/account/deactivate"),
    ("GET", "/_matrix/client/v3/account/3pid"),
    ("POST", "/_matrix/client/v3/account/3pid/add"),
    ("POST", "/_matrix/client/v3/account/3pid/email/requestToken"),
    ("POST", "/_matrix/client/v3/account/3pid/msisdn/requestToken"),
    ("POST", "/_matrix/client/v3/account/3pid/delete"),
    ("GET", "/_matrix/client/v3/devices"),
    ("GET", "/_matrix/client/v3/devices/{deviceId}"),
    ("PUT", "/_matrix/client/v3/devices/{deviceId}"),
    ("DELETE", "/_matrix/client/v3/devices/{deviceId}"),
    ("POST", "/_matrix/client/v3/delete_devices"),
    ("POST", "/_matrix/client/v3/keys/device_signing/upload"),
    ("GET", "/_matrix/client/v3/auth/{authType}/fallback/web"),
    ("POST", "/_matrix/client/v3/auth/{authType}/fallback/web"),
    ("GET", "/_matrix/static/client/login/"),
    ("GET", "/_matrix/client/v3/capabilities"),
    ("PUT", "/_matrix/client/v1/admin/lock/{userId}"),
    ("GET", "/_matrix/client/v1/admin/lock/{userId}"),
    ("PUT", "/_matrix/client/v1/admin/suspend/{userId}"),
    ("GET", "/_matrix/client/v1/admin/suspend/{userId}"),
    ("GET", "/_matrix/client/versions"),
];

const JSON: Option<&str> = Some("application/json");
const HTML: Option<&str> = Some("text/html; charset=utf-8");

impl Catalogue {
    fn accepts(&self, (method, path): (&str, &str), status: u16, body: &Value) -> bool {
        self.judge(method, path, status, JSON, body.to_string().as_bytes()).is_ok()
    }
}

fn error(code: &str) -> Value {
    match code {
        "M_LIMIT_EXCEEDED" => json!({ "errcode": code, "error": "e", "retry_after_ms": 1 }),
        "M_USER_LOCKED" => json!({ "errcode": code, "error": "e", "soft_logout": true }),
        _ => json!({ "errcode": code, "error": "e" }),
    }
}

#[test]
fn every_endpoint_of_the_contract_has_one_schema() {
    let mut written: Vec<_> = catalogue().operations.iter().map(|o| (&*o.method, &*o.path)).collect();
    // `submit_url` is not an endpoint by name.
    written.retain(|(_, path)| !path.ends_with("/submitToken"));
    written.sort_unstable();
    let mut contract = ENDPOINTS;
    contract.sort_unstable();
    assert_eq!(written, contract);
}

#[test]
fn what_has_no_schema_can_only_be_unrecognized() {
    let catalogue = catalogue();
    let unrecognized = error("M_UNRECOGNIZED");
    for (operation, status) in [
        (("GET", "/"), 404),
        (("GET", "/_matrix/client/v3/sync"), 404),
        (("GET", "/_matrix/client/v3/devices/"), 404),
        (("GET", "/_matrix/client/v3/devices/a/b"), 404),
        (("GET", "/_matrix/client/v1/devices"), 404),
        (("GET", "/_matrix/client/v3/register"), 405),
        (("POST", "/_matrix/client/r0/devices/a?x=y"), 405),
    ] {
        assert!(catalogue.accepts(operation, status, &unrecognized), "{operation:?}");
        for (status, body) in [
            (200, json!({})),
            (404 + 405 - status, unrecognized.clone()),
            (status, error("M_NOT_FOUND")),
            (status, json!({})),
            (401, error("M_UNKNOWN_TOKEN")),
            (413, error("M_UNRECOGNIZED")),
        ] {
            assert!(!catalogue.accepts(operation, status, &body), "{operation:?}: {status} {body}");
        }
        let page = catalogue.judge(operation.0, operation.1, 200, HTML, b"<!DOCTYPE html>");
        assert!(page.is_err(), "{operation:?}");
    }
}

/// Nobody who adds an endpoint and drives it can forget its schema.
#[test]
#[should_panic(expected = "GET /_matrix/client/v3/sync: schemas/ has no such operation")]
fn an_answer_without_a_schema_ends_the_test_that_got_it() {
    let received = "HTTP/1.1 200 OK\r\n\
        Content-Type: application/json\r\n\
        Access-Control-Allow-Origin: *\r\n\
        Access-Control-Allow-Methods: GET, POST, PUT, DELETE, OPTIONS\r\n\
        Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization\r\n\r\n{}";
    let _ = Answer::parse("GET", "/_matrix/client/v3/sync", received.as_bytes());
}

#[test]
fn paths_are_found_under_both_versions_with_parameters_and_a_query() {
    let device = json!({ "device_id": "PHONE" });
    for path in ["v3/devices/PHONE", "r0/devices/PHONE", "v3/devices/a%2Fb%3Fc", "v3/devices/PHONE?x=y/z"] {
        let path = format!("/_matrix/client/{path}");
        assert!(catalogue().accepts(("GET", &path), 200, &device), "{path}");
        assert!(!catalogue().accepts(("GET", &path), 200, &json!({})), "{path}");
    }
}

#[test]
fn a_preflight_has_no_body() {
    let judge = |status, body| catalogue().judge("OPTIONS", "/any", status, None, body);
    assert!(judge(204, b"").is_ok());
    assert!(judge(204, b"{}").is_err());
    assert!(judge(200, b"").is_err());
}

#[test]
fn pages_are_where_people_look_and_nowhere_else() {
    for operation in &catalogue().operations {
        let html = catalogue().judge(&operation.method, &operation.path, 200, HTML, b"<!DOCTYPE html>");
        assert_eq!(html.is_ok(), operation.page, "{} {}", operation.method, operation.path);
    }
}

#[test]
fn an_error_has_a_code_that_its_endpoint_gives_for_its_status() {
    let catalogue = catalogue();
    for operation in &catalogue.operations {
        let at = (&*operation.method, &*operation.path);
        assert!(catalogue.accepts(at, 413, &error("M_TOO_LARGE")), "{at:?}");
        for (status, codes) in &operation.errors {
            for code in codes {
                let body = error(code);
                assert!(catalogue.accepts(at, *status, &body), "{at:?}: {status} {code}");
                assert!(!catalogue.accepts(at, 418, &body), "{at:?}: 418 {code}");
                assert!(!catalogue.accepts(at, 500, &body), "{at:?}: 500 {code}");
                assert!(!catalogue.accepts(at, 200, &body), "{at:?}: 200 {code}");
                for broken in mutants(&json!({ "$ref": "error.json" }), "shared/x", &body) {
                    assert!(!catalogue.accepts(at, *status, &broken), "{at:?}: {status} {broken}");
                }
            }
            for code in ["M_UNKNOWN_CODE", "ORG_EXAMPLE", ""] {
                assert!(!catalogue.accepts(at, *status, &error(code)), "{at:?}: {status} {code}");
            }
        }
        let challenge =
            json!({ "flows": [{ "stages": ["s"] }], "params": {}, "session": "0123456789abcdef" });
        let asks = operation.bodies.contains_key(&401);
        assert_eq!(catalogue.accepts(at, 401, &challenge), asks, "{at:?}");
        assert!(!catalogue.accepts(at, 403, &challenge), "{at:?}");
    }
}

/// The rules that bind one key to another; what binds a key alone is broken below.
#[test]
fn keys_come_with_the_others_that_they_need() {
    let challenge = |more: Value| {
        let mut body = json!({ "flows": [{ "stages": ["s"] }], "params": {}, "session": "0123456789abcdef" });
        body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        (("POST", "/_matrix/client/v3/account/password"), 401, body)
    };
    let whoami = ("GET", "/_matrix/client/v3/account/whoami");
    let register = ("POST", "/_matrix/client/v3/register");
    let login = ("GET", "/_matrix/client/v3/login");
    for ((operation, status, body), fine) in [
        (challenge(json!({})), true),
        (challenge(json!({ "completed": [] })), true),
        (challenge(json!({ "completed": [], "errcode": "M_FORBIDDEN", "error": "e" })), true),
        (challenge(json!({ "completed": [], "errcode": "M_FORBIDDEN" })), false),
        (challenge(json!({ "completed": [], "error": "e" })), false),
        (challenge(json!({ "errcode": "M_FORBIDDEN", "error": "e" })), false),
        (challenge(json!({ "completed": ["s", "s"] })), false),
        (challenge(json!({ "completed": [], "errcode": "M_UNKNOWN_TOKEN", "error": "e" })), false),
        (challenge(json!({ "flows": [] })), false),
        (challenge(json!({ "session": "short" })), false),
        (challenge(json!({ "session": "0123456789abcde/" })), false),
        (challenge(json!({ "params": { "m.oauth": { "url": "ftp://example.org/" } } })), false),
        (challenge(json!({ "params": { "m.oauth": { "url": "https://exa mple.org/" } } })), false),
        ((whoami, 401, json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "e", "soft_logout": true })), true),
        ((whoami, 401, json!({ "errcode": "M_MISSING_TOKEN", "error": "e", "soft_logout": true })), false),
        ((whoami, 401, json!({ "errcode": "M_USER_LOCKED", "error": "e" })), false),
        ((whoami, 401, json!({ "errcode": "M_USER_LOCKED", "error": "e", "soft_logout": false })), false),
        ((whoami, 401, json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "e", "retry_after_ms": 1 })), false),
        ((whoami, 429, json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "e" })), false),
        ((whoami, 200, json!({ "user_id": "alice" })), false),
        ((register, 200, json!({ "user_id": "@a:b", "access_token": "a" })), false),
        ((register, 200, json!({ "user_id": "@a:b", "device_id": "D" })), false),
        ((register, 200, json!({ "user_id": "@a:b", "refresh_token": "r" })), false),
        ((register, 200, json!({ "user_id": "@a:b", "expires_in_ms": 1 })), false),
        ((login, 200, json!({ "flows": [{ "type": "m.login.password", "get_login_token": true }] })), false),
    ] {
        let judged = catalogue().judge(operation.0, operation.1, status, JSON, body.to_string().as_bytes());
        assert_eq!(judged.is_ok(), fine, "{operation:?}: {status} {body}: {judged:?}");
    }
}

#[test]
fn every_schema_refuses_what_is_almost_its_example() {
    let catalogue = catalogue();
    for operation in &catalogue.operations {
        let at = (&*operation.method, &*operation.path);
        for (status, (location, _)) in &operation.bodies {
            let (file, pointer) = location.split_once('#').unwrap();
            let written = catalogue.files[file].pointer(pointer).unwrap();
            let (schema, _) = resolve(written, file);
            let examples = schema["examples"].as_array().unwrap_or_else(|| panic!("{location}: no example"));
            let mut shown = BTreeSet::new();
            for example in examples {
                assert!(catalogue.accepts(at, *status, example), "{location}: {example}");
                for broken in mutants(written, file, example) {
                    assert!(!catalogue.accepts(at, *status, &broken), "{location}: {broken}");
                }
                keys(example, String::new(), &mut shown);
            }
            let mut there_are = BTreeSet::new();
            properties(written, file, String::new(), &mut there_are);
            let missing: Vec<_> = there_are.difference(&shown).collect();
            assert!(missing.is_empty(), "{location}: no example shows {missing:?}");
        }
    }
}

/// Every keyword that a schema here may use. A validator passes over one that is misspelt.
const KEYWORDS: [&str; 19] = [
    "additionalProperties",
    "allOf",
    "const",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "examples",
    "format",
    "items",
    "minItems",
    "minLength",
    "minimum",
    "paths",
    "pattern",
    "properties",
    "required",
    "spec",
    "type",
    "uniqueItems",
];

/// What a reference leads to, and the file that this is in.
fn resolve<'a>(schema: &'a Value, file: &'a str) -> (&'a Value, &'a str) {
    let Some(reference) = schema.get("$ref") else { return (schema, file) };
    assert_eq!(schema.as_object().unwrap().len(), 1, "{file}: {schema}");
    let (name, pointer) = {
        let reference = reference.as_str().unwrap();
        reference.split_once('#').unwrap_or((reference, ""))
    };
    let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let name = if name.is_empty() { file.to_owned() } else { format!("{folder}{name}") };
    let (name, json) = catalogue().files.get_key_value(&name).unwrap_or_else(|| panic!("no file {name}"));
    resolve(json.pointer(pointer).unwrap(), name)
}

/// Bodies that differ from a valid one by one fault each: a required key dropped, a type changed, a key too many.
fn mutants(schema: &Value, file: &str, valid: &Value) -> Vec<Value> {
    let (schema, file) = resolve(schema, file);
    for keyword in schema.as_object().unwrap().keys() {
        assert!(KEYWORDS.contains(&&**keyword), "{file}: {keyword}");
    }
    let others =
        [json!(null), json!(true), json!(-0.5), json!("\u{0}"), json!([null]), json!({ "\u{0}": null })];
    let kind = std::mem::discriminant(valid);
    let mut found: Vec<Value> =
        others.into_iter().filter(|other| std::mem::discriminant(other) != kind).collect();
    match valid {
        Value::Object(object) => {
            let changed = |key: &str, value: Option<Value>| {
                let mut object = object.clone();
                match value {
                    Some(value) => object.insert(key.to_owned(), value),
                    None => object.remove(key),
                };
                Value::Object(object)
            };
            let required: Vec<String> = of(schema, "required");
            found.extend(required.iter().map(|key| changed(key, None)));
            // Open is only what the spec describes no key of.
            if schema.get("additionalProperties").is_some() {
                found.push(changed("org.example.extra", Some(json!(null))));
            } else {
                assert!(schema.get("properties").is_none(), "{file}: {schema}");
            }
            for (key, value) in object {
                if let Some(inner) = schema["properties"].get(key).or(schema.get("additionalProperties")) {
                    let inner = mutants(inner, file, value);
                    found.extend(inner.into_iter().map(|broken| changed(key, Some(broken))));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for broken in mutants(&schema["items"], file, item) {
                    let mut items = items.clone();
                    items[index] = broken;
                    found.push(items.into());
                }
            }
        }
        Value::Number(_) => found.extend([json!(0.5), json!(-1)]),
        Value::Bool(value) if schema.get("const").is_some() => found.push((!value).into()),
        Value::String(_)
            if ["const", "enum", "format", "pattern"].iter().any(|key| schema.get(key).is_some()) =>
        {
            found.push(json!("\u{0}"));
        }
        _ => {}
    }
    found
}

fn of<T: serde::de::DeserializeOwned + Default>(schema: &Value, keyword: &str) -> T {
    schema.get(keyword).map(|value| serde_json::from_value(value.clone()).unwrap()).unwrap_or_default()
}

/// The paths of all keys that a schema names.
fn properties(schema: &Value, file: &str, at: String, found: &mut BTreeSet<String>) {
    let (schema, file) = resolve(schema, file);
    for (key, inner) in of::<Map<String, Value>>(schema, "properties") {
        let at = format!("{at}/{key}");
        properties(&inner, file, at.clone(), found);
        found.insert(at);
    }
    if let Some(items) = schema.get("items") {
        properties(items, file, format!("{at}/0"), found);
    }
}

/// The paths of all keys that a value has.
fn keys(value: &Value, at: String, found: &mut BTreeSet<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().map(|item| ("0".to_owned(), item)).collect(),
        _ => return,
    };
    for (key, value) in inner {
        let at = format!("{at}/{key}");
        keys(value, at.clone(), found);
        found.insert(at);
    }
}
