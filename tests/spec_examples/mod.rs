//! Every JSON example of the spec's section on User-Interactive Authentication and of
//! the endpoints behind it, named by its anchor: read, written again, and compared.

mod client;
mod endpoints;
mod errors;
mod login;
mod threepid;
mod uia;

use matrix_uia::wire::error::{AnyCode, ErrorBody, MatrixError};
use matrix_uia::wire::{Auth, AuthData, AuthType, ChallengeBody};
use serde_json::Value;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn challenge(body: &str) -> ChallengeBody<'_> {
    let read = ChallengeBody::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    read.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body));
    read
}

fn auth(body: &str) -> Auth<'_> {
    let read = Auth::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    read.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body));
    read
}

fn data(body: &str) -> AuthData<'_> {
    match auth(body) {
        Auth::Attempt { data: Ok(data), .. } => data,
        other => panic!("{other:?}"),
    }
}

fn error(body: &str) -> Option<AnyCode<'_>> {
    let read = ErrorBody::parse(body.as_bytes()).unwrap();
    let mut written = String::new();
    read.write(&mut written).unwrap();
    assert_eq!(value(&written), value(body));
    read.code
}

fn rejected(reject: MatrixError) -> Value {
    let mut written = String::new();
    reject.write(&mut written).unwrap();
    value(&written)
}

fn stages<'a>(names: impl Iterator<Item = AuthType<'a>>) -> Vec<String> {
    names.map(|name| name.to_string()).collect()
}
