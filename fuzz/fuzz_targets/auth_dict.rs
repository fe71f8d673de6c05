//! Auth dicts: every stage's data as the rules say, and the same when written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use matrix_uia::wire::{Auth, ParseError};
use matrix_uia_fuzz::{auth, json};

fuzz_target!(|body: &[u8]| {
    let parsed = Auth::parse(body);
    let root = json::judge(body, &parsed, auth::schema);
    let (Ok(parsed), Some(root)) = (parsed, root) else { return };
    auth::compare(&parsed, Some(&root));

    let mut written = String::new();
    parsed.write(&mut written).expect("a string has room");
    match Auth::parse(written.as_bytes()) {
        Ok(again) => auth::assert_same(&parsed, &again),
        Err(error) => {
            // `type` goes first, so nested keys may stand behind more of them than before.
            assert_eq!(error, ParseError::TooManyKeys);
            assert_eq!(json::reread(&written).defects.first(), Some(&error));
        }
    }
});
