//! Session IDs that hold their session: what no server has sealed is as an unknown one; and
//! whatever somebody with the key has sealed, no ID grants anything by itself.
//!
//! The first byte of an input says which of the two it is: edits of a good ID, or the bytes that
//! are sealed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::Text;
use matrix_uia::server::exchange::HostKind;
use matrix_uia::wire::error::ErrorCode;
use matrix_uia_fuzz::sealed::{GOOD, KEYS, answer, sealed};

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let text = if first % 2 == 0 { edited(rest) } else { sealed(rest) };
    let kind = HostKind::CLAIMS.with_sealed_ids(&KEYS);
    let known = kind.session_name(Text::new(&text));
    assert!(first % 2 == 1 || known.is_some() == (text == *GOOD), "{text}");
    if let Some(began) = known.and_then(|name| name.as_it_began()) {
        assert!(!began.has_passed_stage() && began.failures() == 0 && began.is_sealed());
    }
    let body = serde_json::json!({
        "new_password": "looking-glass",
        "auth": { "type": "m.login.password", "user": "alice", "password": "wonderland", "session": text },
    });
    let (code, session) = answer(&body.to_string());
    // An unknown one is answered with another; one that is known is spelled as it was.
    if known.is_none() {
        assert_eq!(code, Some(ErrorCode::Unknown));
        assert_ne!(session.as_ref(), Some(&text));
    } else if code != Some(ErrorCode::Unknown) {
        assert!(session.is_none_or(|session| session == text));
    }
});

/// A good ID, each pair of bytes one change of it: a place and the letter that is put there, or
/// taken out.
fn edited(edits: &[u8]) -> String {
    let mut text = GOOD.clone().into_bytes();
    for edit in edits.chunks_exact(2) {
        let at = usize::from(edit[0]);
        match edit[1] {
            0 => text.truncate(at),
            1 if at < text.len() => drop(text.remove(at)),
            letter if letter.is_ascii_graphic() && at < text.len() => text[at] = letter,
            letter if letter.is_ascii_graphic() => text.push(letter),
            _ => {}
        }
    }
    String::from_utf8(text).unwrap()
}
