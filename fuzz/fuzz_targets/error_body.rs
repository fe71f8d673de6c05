//! Error bodies: the code survives whatever else is wrong, unknown keys a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::wire::error::{AnyCode, ErrorBody, ErrorCode};
use matrix_uia::wire::{MAX_OPEN_KEYS, ParseError};
use matrix_uia_fuzz::json::{self, Node};

fuzz_target!(|body: &[u8]| {
    let parsed = ErrorBody::parse(body);
    let root = json::judge(body, &parsed, |root, defects| {
        if !root.is_object() {
            defects.push(ParseError::NotAnObject);
        }
    });
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    compare(&parsed, &root);

    let mut written = String::new();
    parsed.write(&mut written).expect("a string has room");
    let again = ErrorBody::parse(written.as_bytes());
    if again.is_err() {
        // `errcode` and `error` are always written: two keys more than there was room for.
        assert_eq!(again.err(), Some(ParseError::TooManyKeys));
        assert!(
            json::reread(&written).root.entries().len() > MAX_OPEN_KEYS - 2 || written.len() > MAX_OPEN_KEYS
        );
        return;
    }
    let again = again.expect("told above");
    let code = parsed.code.unwrap_or(AnyCode::Known(ErrorCode::Unknown)).name().to_string();
    let mut expected: Vec<(String, Node)> = vec![
        ("errcode".into(), Node::Text(code)),
        ("error".into(), Node::Text(parsed.message.map(|text| text.to_string()).unwrap_or_default())),
    ];
    expected.extend(root.entries().iter().filter(|(key, _)| key != "errcode" && key != "error").cloned());
    assert_eq!(json::reread(&written).root, Node::Object(expected));
    assert_eq!(again.retry_after, parsed.retry_after);
});

fn compare(parsed: &ErrorBody<'_>, root: &Node) {
    let text = |text: Option<matrix_uia::Text<'_>>| text.map(|text| text.to_cow().into_owned());
    let code = root.text_of("errcode");
    assert_eq!(text(parsed.code.map(|code| code.name())), code);
    // A known code is known, however it is spelt.
    let known = code.as_deref().and_then(ErrorCode::from_name);
    assert_eq!(parsed.code.is_some_and(|code| matches!(code, AnyCode::Known(_))), known.is_some());
    assert_eq!(text(parsed.message), root.text_of("error"));
    assert_eq!(text(parsed.admin_contact), root.text_of("admin_contact"));
    assert_eq!(text(parsed.info_uri), root.text_of("info_uri"));
    assert_eq!(text(parsed.room_version), root.text_of("room_version"));
    assert_eq!(text(parsed.current_version), root.text_of("current_version"));
    assert_eq!(parsed.soft_logout, root.boolean_of("soft_logout"));
    assert_eq!(parsed.can_upgrade, root.boolean_of("can_upgrade"));
    assert_eq!(json::reread(parsed.whole.as_str()).root, *root);

    let wait = match root.get("retry_after_ms") {
        Some(Node::Number(number)) => number.clone(),
        Some(Node::Text(number)) => number.clone(),
        _ => return assert_eq!(parsed.retry_after, None),
    };
    if let Some(read) = parsed.retry_after {
        // Whatever was read is what was written, but for the fraction, which a double may round up.
        let double: f64 = wait.parse().expect("a number");
        let fraction = double - read.get() as f64;
        let near = double * f64::EPSILON;
        assert!((-near..=1.0 + near).contains(&fraction), "{wait} read as {read:?}");
        if !wait.contains(['e', 'E']) {
            let whole = wait.split('.').next().and_then(|whole| whole.parse().ok());
            assert_eq!(whole, Some(read.get()), "{wait}");
        }
    }
    if let Some(Node::Number(number)) = root.get("retry_after_ms") {
        let plain: Option<u64> = number.parse().ok();
        assert_eq!(plain, plain.and(parsed.retry_after.map(|wait| wait.get())), "a whole number is read");
    }
}
