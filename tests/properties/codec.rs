//! The codec against `serde_json`: what one takes the other takes, and reads alike.

use std::collections::BTreeMap;

use matrix_uia::endpoint::password::ChangePasswordRequest;
use matrix_uia::wire::error::ErrorBody;
use matrix_uia::wire::{Auth, ChallengeBody, Raw};
use matrix_uia::{BindingKey, Secret, Text};
use proptest::prelude::*;
use serde_json::Value;

/// Any text, with what JSON has to escape and what UTF-16 has to pair more often than
/// chance would have it.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        '"', '\\', '/', '\n', '\u{0}', '\u{1f}', '\u{7f}', 'é', '😀', '\u{ffff}', ' ',
    ]);
    prop::collection::vec(prop_oneof![special, any::<char>(), prop::char::range('a', 'z')], 0..24)
        .prop_map(|chars| chars.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Quarters: `serde_json` itself reads other fractions back less exactly.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..6)
                .prop_map(|map: BTreeMap<String, Value>| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The same string as JSON, each character escaped in one of the ways there are.
fn spelt(text: &str, choices: &[u8]) -> String {
    let mut out = String::from("\"");
    for (index, c) in text.chars().enumerate() {
        let choice = choices.get(index % choices.len().max(1)).copied().unwrap_or(0);
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            _ => None,
        };
        match (choice % 3, short) {
            (0, Some(short)) => out.push_str(short),
            (0 | 1, _) if c >= ' ' && c != '"' && c != '\\' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let upper = choice & 4 == 0;
                    out.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
                }
            }
        }
    }
    out.push('"');
    out
}

/// JSON with a few bytes changed: mostly no JSON any more.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![prop::sample::select(b"{}[]\",:\\0 eE+-.tfn\x00\xff".to_vec()), any::<u8>()];
    (value(), prop::collection::vec((any::<prop::sample::Index>(), byte, 0..3_u8), 0..3)).prop_map(
        |(value, edits)| {
            let mut bytes = value.to_string().into_bytes();
            for (at, byte, kind) in edits {
                let at = at.index(bytes.len().max(1));
                match kind {
                    _ if bytes.is_empty() => bytes.push(byte),
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            bytes
        },
    )
}

/// What the codec refuses although it is JSON.
fn beyond_the_bounds(body: &str) -> bool {
    /// Whether a key comes twice, anything nests too deep, or a number is out of range.
    struct Strict(usize);
    impl<'de> serde::de::DeserializeSeed<'de> for Strict {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_any(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Strict {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON within the bounds")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element_seed(Self(self.0 + 1))?.is_some() {}
            bound(self.0)
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut keys = std::collections::BTreeSet::new();
            while let Some(key) = map.next_key::<String>()? {
                if !keys.insert(key) {
                    return Err(serde::de::Error::custom("twice"));
                }
                map.next_value_seed(Self(self.0 + 1))?;
            }
            bound(self.0)
        }
    }
    fn bound<E: serde::de::Error>(depth: usize) -> Result<(), E> {
        if depth < matrix_uia::wire::MAX_DEPTH { Ok(()) } else { Err(E::custom("deep")) }
    }
    let mut deserializer = serde_json::Deserializer::from_str(body);
    serde::de::DeserializeSeed::deserialize(Strict(0), &mut deserializer).is_err()
}

fn written<E: std::fmt::Debug>(write: impl FnOnce(&mut String) -> Result<(), E>) -> String {
    let mut out = String::new();
    write(&mut out).unwrap();
    out
}

/// What was given as an `Option<Secret>`.
fn exposed(secret: Option<Secret<'_>>) -> Option<String> {
    secret.map(|secret| secret.expose().to_string())
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn what_serde_json_takes_within_the_bounds_is_taken(value in value()) {
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let raw = Raw::parse(&json).map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
            prop_assert_eq!(raw.as_str(), json.trim());
            prop_assert_eq!(raw.is_object(), value.is_object());
        }
    }

    #[test]
    fn what_serde_json_refuses_is_refused(bytes in damaged()) {
        let theirs = serde_json::from_slice::<Value>(&bytes);
        let Ok(json) = std::str::from_utf8(&bytes) else {
            prop_assert!(Auth::parse(&bytes).is_err());
            return Ok(());
        };
        match (theirs, Raw::parse(json)) {
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => prop_assert!(beyond_the_bounds(json), "{error}: {json}"),
            // A number beyond what they can hold is still JSON.
            (Err(error), Ok(_)) => prop_assert!(error.to_string().contains("number out of range"), "{error}: {json}"),
        }
    }

    #[test]
    fn a_string_is_the_same_however_it_is_spelt(text in text(), choices in prop::collection::vec(any::<u8>(), 1..8)) {
        let json = format!(r#"{{"new_password":{}}}"#, spelt(&text, &choices));
        let read = ChangePasswordRequest::parse(json.as_bytes()).unwrap().new_password.unwrap().expose();
        let theirs: Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(theirs["new_password"].as_str().unwrap(), &text);
        prop_assert!(read == text.as_str() && Text::new(&text) == read);
        prop_assert_eq!(read.len(), text.len());
        prop_assert_eq!(read.is_empty(), text.is_empty());
        prop_assert_eq!(read.chars().collect::<String>(), text.clone());
        prop_assert_eq!(read.to_string(), text.clone());
        let mut buffer = vec![0; text.len()];
        prop_assert_eq!(read.copy_to(&mut buffer).unwrap(), &text);
        if let Some(less) = text.len().checked_sub(1) {
            prop_assert!(read.copy_to(&mut buffer[..less]).is_err());
        }
        if let Some(plain) = read.as_str() {
            prop_assert_eq!(plain, &text);
        }
        #[cfg(feature = "alloc")]
        prop_assert_eq!(read.to_cow().into_owned(), text);
    }

    #[test]
    fn a_change_of_password_survives_the_way_out_and_back(
        password in prop::option::of(text()),
        logout_devices in prop::option::of(any::<bool>()),
        session in text(),
    ) {
        let mut request = ChangePasswordRequest::default();
        request.new_password = password.as_deref().map(Secret::new);
        request.logout_devices = logout_devices;
        request.auth = Auth::Poll { session: Secret::new(&session) };
        let out = written(|out| request.write(out));
        prop_assert!(serde_json::from_str::<Value>(&out).unwrap().is_object());
        let read = ChangePasswordRequest::parse(out.as_bytes()).unwrap();
        prop_assert_eq!(exposed(read.new_password), password);
        prop_assert_eq!(read.logout_devices, logout_devices);
        prop_assert_eq!(exposed(read.auth.session()), Some(session));
    }

    #[test]
    fn an_auth_dict_survives_the_way_out_and_back(
        kind in 0..8_usize,
        one in "[a-zA-Z0-9._=-]{1,40}",
        two in text().prop_filter("not empty", |text| !text.is_empty()),
        session in prop::option::of(text()),
        custom in value(),
    ) {
        let opaque = one.replace('=', "-");
        let mut dict = match kind {
            0 => serde_json::json!({"type": "m.login.password", "password": two, "identifier": {"type": "m.id.user", "user": two}}),
            1 => serde_json::json!({"type": "m.login.password", "password": two, "identifier": {"type": "m.id.thirdparty", "medium": one, "address": two}}),
            2 => serde_json::json!({"type": "m.login.recaptcha", "response": two}),
            3 => serde_json::json!({"type": "m.login.msisdn", "threepid_creds": {"sid": opaque, "client_secret": one}}),
            4 => serde_json::json!({"type": "m.login.email.identity", "threepid_creds": {
                "sid": opaque, "client_secret": one, "id_server": two, "id_access_token": two}}),
            5 => serde_json::json!({"type": "m.login.registration_token", "token": opaque}),
            6 => serde_json::json!({"type": "m.login.dummy"}),
            _ => serde_json::json!({"type": format!("org.example.{two}"), "anything": custom}),
        };
        if let Some(session) = &session {
            dict["session"] = session.as_str().into();
        }
        let body = dict.to_string();
        let read = Auth::parse(body.as_bytes()).unwrap();
        prop_assert!(matches!(read, Auth::Attempt { data: Ok(_), .. }), "{body}");
        let out = written(|out| read.write(out));
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), dict);
    }

    #[test]
    fn an_error_body_survives_the_way_out_and_back(
        code in prop_oneof!["M_[A-Z_]{1,12}".prop_map(String::from), text()],
        message in text(),
        more in prop::collection::btree_map(text(), value(), 0..4),
    ) {
        let mut body = Value::Object(more.into_iter().collect());
        body["errcode"] = code.as_str().into();
        body["error"] = message.as_str().into();
        let text = body.to_string();
        let read = ErrorBody::parse(text.as_bytes()).unwrap();
        prop_assert!(read.code.unwrap().name() == code.as_str() && read.message.unwrap() == message.as_str());
        let out = written(|out| read.write(out));
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), body);
    }

    #[test]
    fn a_challenge_survives_the_way_out_and_back(
        flows in prop::collection::vec(prop::collection::vec(text(), 0..4), 0..4),
        completed in prop::option::of(prop::collection::vec(text(), 0..4)),
        session in prop::option::of(text()),
        params in prop::collection::btree_map(text(), value(), 0..3),
        error in prop::option::of((text(), text())),
    ) {
        let listed: Vec<Value> = flows.iter().map(|stages| serde_json::json!({"stages": stages})).collect();
        let params = Value::Object(params.into_iter().collect());
        let mut body = serde_json::json!({"flows": listed, "params": params});
        if let Some(session) = &session {
            body["session"] = session.as_str().into();
        }
        if let Some(completed) = &completed {
            body["completed"] = completed.clone().into();
        }
        if let Some((code, message)) = &error {
            body["errcode"] = code.as_str().into();
            body["error"] = message.as_str().into();
        }
        let text = body.to_string();
        let read = ChallengeBody::parse(text.as_bytes()).unwrap();
        let canonical = |name: &String| matrix_uia::wire::AuthType::from(name.as_str()).to_string();
        let names: Vec<Vec<String>> =
            read.flows().map(|flow| flow.stages().map(|stage| stage.to_string()).collect()).collect();
        prop_assert_eq!(names, flows.iter().map(|flow| flow.iter().map(canonical).collect::<Vec<_>>()).collect::<Vec<_>>());
        prop_assert_eq!(exposed(read.session), session);
        prop_assert_eq!(read.has_completed(), completed.is_some());
        let out = written(|out| read.write(out));
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), body);
    }

    /// No bytes at all make a parser panic, or read more than there is.
    #[test]
    fn every_parser_is_total(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Auth::parse(&bytes);
        let _ = ChallengeBody::parse(&bytes);
        let _ = ErrorBody::parse(&bytes);
        let _ = ChangePasswordRequest::parse(&bytes);
    }
}

/// The same value, the last key of every object first.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<_> = map
                .iter()
                .rev()
                .map(|(key, value)| format!("{} :{}", Value::from(key.as_str()), backwards(value)))
                .collect();
            format!("{{ {} }}", fields.join(","))
        }
        Value::Array(items) => {
            format!("[ {} ]", items.iter().map(backwards).collect::<Vec<_>>().join(" ,"))
        }
        other => other.to_string(),
    }
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_digest_sees_what_a_value_says_and_not_in_which_order(one in value(), other in value()) {
        let key = BindingKey::from_entropy([7; 16]);
        let digest = |json: &str| Raw::parse(json).ok().map(|raw| key.json(raw));
        let (a, b) = (digest(&one.to_string()), digest(&other.to_string()));
        // A value of more keys than the codec opens at once has none.
        prop_assume!(a.is_some() && b.is_some());
        prop_assert_eq!(a, digest(&backwards(&one)));
        prop_assert_eq!(a == b, one == other);
    }
}
