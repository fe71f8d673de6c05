//! 401 bodies: what is right in them is found, by key and by iterator, and written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::wire::{AuthType, ChallengeBody, ParseError};
use matrix_uia_fuzz::json::{self, Node};

fuzz_target!(|body: &[u8]| {
    let parsed = ChallengeBody::parse(body);
    let root = json::judge(body, &parsed, |root, defects| {
        if !root.is_object() {
            defects.push(ParseError::NotAnObject);
        }
    });
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    compare(&parsed, &root);

    let mut written = String::new();
    parsed.write(&mut written).expect("a string has room");
    let reading = json::reread(&written);
    match ChallengeBody::parse(written.as_bytes()) {
        Ok(again) => {
            compare(&again, &reading.root);
            let keys = |body: &ChallengeBody<'_>| {
                (
                    flows(body),
                    completed(body),
                    body.params().map(|raw| json::reread(raw.as_str()).root),
                    body.session.map(|session| session.expose().to_string()),
                    body.code.map(|code| code.name().to_string()),
                )
            };
            let (flows, completed, params, session, code) = keys(&parsed);
            let params = params.or(Some(Node::Object(Vec::new())));
            assert_eq!((flows, completed, params, session, code), keys(&again));
            assert_eq!(again.has_completed(), parsed.has_completed());
            assert!(again.has_flows());
            if parsed.code.is_some() {
                assert_eq!(again.message.unwrap_or("".into()), parsed.message.unwrap_or("".into()));
            } else {
                assert!(again.message.is_none(), "a message without a code");
            }
        }
        Err(error) => {
            // Keys are written in our order, so nested ones may stand behind more than before.
            assert_eq!(error, ParseError::TooManyKeys);
            assert_eq!(reading.defects.first(), Some(&error));
        }
    }
});

fn names<'a>(stages: impl Iterator<Item = AuthType<'a>>) -> Vec<String> {
    stages.map(|stage| stage.to_string()).collect()
}

fn flows(body: &ChallengeBody<'_>) -> Vec<Vec<String>> {
    body.flows().map(|flow| names(flow.stages())).collect()
}

fn completed(body: &ChallengeBody<'_>) -> Vec<String> {
    names(body.completed())
}

/// The name a stage has today.
fn stable(name: String) -> String {
    if name == "org.matrix.cross_signing_reset" { "m.oauth".into() } else { name }
}

fn expected_names(list: &Node) -> Vec<String> {
    list.items().iter().filter_map(Node::text).map(stable).collect()
}

fn compare(parsed: &ChallengeBody<'_>, root: &Node) {
    let array = |key| root.get(key).filter(|value| matches!(value, Node::Array(_)));
    assert_eq!(parsed.has_flows(), array("flows").is_some());
    assert_eq!(parsed.has_completed(), array("completed").is_some());
    let expected: Vec<_> = array("flows")
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(|flow| flow.get("stages").filter(|stages| matches!(stages, Node::Array(_))))
        .map(expected_names)
        .collect();
    assert_eq!(flows(parsed), expected);
    assert_eq!(completed(parsed), array("completed").map(expected_names).unwrap_or_default());

    let params = root.get("params").filter(|params| params.is_object());
    assert_eq!(parsed.params().map(|raw| json::reread(raw.as_str()).root).as_ref(), params);
    for (key, _) in params.map_or(&[][..], Node::entries) {
        let name = stable(key.clone());
        let last = params.and_then(|params| {
            params
                .entries()
                .iter()
                .rev()
                .find(|(other, _)| stable(other.clone()) == name)
                .map(|(_, value)| value)
        });
        let found = parsed.params_of(AuthType::from(key.as_str()));
        assert_eq!(found.map(|raw| json::reread(raw.as_str()).root).as_ref(), last);
    }
    assert!(parsed.params_of(AuthType::custom("\u{1}none")).is_none() || root.get("params").is_some());

    assert_eq!(parsed.session.map(|it| it.expose().to_cow().into_owned()), root.text_of("session"));
    assert_eq!(parsed.code.map(|code| code.name().to_cow().into_owned()), root.text_of("errcode"));
    assert_eq!(parsed.message.map(|text| text.to_cow().into_owned()), root.text_of("error"));
}
