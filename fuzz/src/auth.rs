//! The auth dict by the rules U6, U19, U20 and U23, read off a [`Node`].

use matrix_uia::Text;
use matrix_uia::wire::{Auth, AuthData, Malformed, ParseError, ThreepidCreds, UserIdentifier};

use crate::json::{Node, typed};

/// An auth dict in a form that can be compared: names as they are written, the data as a
/// sorted object, faults by kind and key.
#[derive(Debug, PartialEq)]
pub enum Plain {
    Absent,
    Poll(String),
    Attempt { session: Option<String>, name: String, data: Result<Node, Vec<Malformed>> },
}

/// What is wrong with an auth dict before any stage looks at it.
pub fn schema(auth: &Node, defects: &mut Vec<ParseError>) {
    match auth {
        Node::Null => {}
        Node::Object(_) => {
            typed(auth, "type", |value| value.text().is_some(), defects);
            typed(auth, "session", |value| value.text().is_some(), defects);
        }
        _ => defects.push(ParseError::NotAnObject),
    }
}

/// Compares what was parsed with what the rules say about the same dict.
pub fn compare(parsed: &Auth<'_>, auth: Option<&Node>) {
    let parsed = plain(parsed);
    let expected = auth.map_or(Plain::Absent, expected);
    match (&parsed, &expected) {
        (
            Plain::Attempt { session, name, data: Err(found) },
            Plain::Attempt { session: session2, name: name2, data: Err(faults) },
        ) => {
            assert_eq!((session, name), (session2, name2));
            assert!(found.iter().all(|fault| faults.contains(fault)), "{found:?} is not among {faults:?}");
        }
        _ => assert_eq!(parsed, expected),
    }
}

/// Whether the written form of `parsed` reads as the same dict; a malformed one only
/// keeps its type and session.
pub fn assert_same(parsed: &Auth<'_>, again: &Auth<'_>) {
    match (plain(parsed), plain(again)) {
        (
            Plain::Attempt { session, name, data: Err(_) },
            Plain::Attempt { session: session2, name: name2, .. },
        ) => assert_eq!((session, name), (session2, name2)),
        (before, after) => assert_eq!(before, after),
    }
}

pub fn text(text: Text<'_>) -> Node {
    Node::Text(text.to_cow().into_owned())
}

fn object(mut entries: Vec<(String, Node)>) -> Node {
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Node::Object(entries)
}

fn fields<const N: usize>(entries: [(&str, Option<Node>); N]) -> Node {
    let present = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    object(present.collect())
}

fn plain(auth: &Auth<'_>) -> Plain {
    match auth {
        Auth::Absent => Plain::Absent,
        Auth::Poll { session } => Plain::Poll(session.expose().to_string()),
        Auth::Attempt { session, auth_type, data } => Plain::Attempt {
            session: session.map(|session| session.expose().to_string()),
            name: auth_type.to_string(),
            data: data.map(|data| plain_data(&data)).map_err(|fault| vec![fault]),
        },
        _ => unreachable!("no such auth dict"),
    }
}

fn plain_data(data: &AuthData<'_>) -> Node {
    match data {
        AuthData::Password { identifier, password } => {
            let identifier = match identifier {
                UserIdentifier::User(user) => fields([("user", Some(text(*user)))]),
                UserIdentifier::Thirdparty { medium, address } => {
                    fields([("medium", Some(text(*medium))), ("address", Some(text(*address)))])
                }
                UserIdentifier::Phone { country, phone } => {
                    fields([("country", Some(text(*country))), ("phone", Some(text(*phone)))])
                }
                _ => unreachable!("no such identifier"),
            };
            fields([("identifier", Some(identifier)), ("password", Some(text(password.expose())))])
        }
        AuthData::Recaptcha { response } => fields([("response", Some(text(response.expose())))]),
        AuthData::RegistrationToken { token } => fields([("token", Some(text(token.expose())))]),
        AuthData::EmailIdentity(creds) | AuthData::Msisdn(creds) => plain_creds(creds),
        AuthData::Custom(raw) => custom(&crate::json::reread(raw.as_str()).root),
        _ => object(Vec::new()),
    }
}

fn plain_creds(creds: &ThreepidCreds<'_>) -> Node {
    fields([
        ("sid", Some(text(creds.sid))),
        ("client_secret", Some(text(creds.client_secret.expose()))),
        ("id_server", creds.id_server.map(text)),
        ("id_access_token", creds.id_access_token.map(|token| text(token.expose()))),
    ])
}

/// All keys but those that every auth dict has.
fn custom(auth: &Node) -> Node {
    object(auth.entries().iter().filter(|(key, _)| key != "type" && key != "session").cloned().collect())
}

fn expected(auth: &Node) -> Plain {
    let session = auth.text_of("session");
    let Some(name) = auth.text_of("type") else { return session.map_or(Plain::Absent, Plain::Poll) };
    let mut faults = Vec::new();
    let data = match name.as_str() {
        "m.login.password" => {
            let password = bounded(auth, "password", "password", 512, &mut faults);
            fields([("identifier", identifier(auth, &mut faults)), ("password", password)])
        }
        "m.login.recaptcha" => {
            fields([("response", bounded(auth, "response", "response", 8192, &mut faults))])
        }
        "m.login.registration_token" => {
            let token = bounded(auth, "token", "token", 64, &mut faults);
            in_grammar(&token, "._~-", "token", &mut faults);
            fields([("token", token)])
        }
        "m.login.email.identity" | "m.login.msisdn" => creds(auth, &mut faults),
        "m.login.dummy" | "m.login.terms" | "m.login.sso" | "m.oauth" | "org.matrix.cross_signing_reset" => {
            object(Vec::new())
        }
        _ => custom(auth),
    };
    let name = if name == "org.matrix.cross_signing_reset" { "m.oauth".to_owned() } else { name };
    Plain::Attempt { session, name, data: if faults.is_empty() { Ok(data) } else { Err(faults) } }
}

fn required(object: &Node, key: &str, said: &'static str, faults: &mut Vec<Malformed>) -> Option<Node> {
    match object.get(key) {
        None => faults.push(Malformed::Missing(said)),
        Some(value @ Node::Text(_)) => return Some(value.clone()),
        Some(_) => faults.push(Malformed::Invalid(said)),
    }
    None
}

fn bounded(
    object: &Node,
    key: &str,
    said: &'static str,
    max: usize,
    faults: &mut Vec<Malformed>,
) -> Option<Node> {
    let value = required(object, key, said, faults);
    within(&value, said, max, faults);
    value
}

fn within(value: &Option<Node>, said: &'static str, max: usize, faults: &mut Vec<Malformed>) {
    if let Some(Node::Text(text)) = value
        && (text.is_empty() || text.len() > max)
    {
        faults.push(Malformed::Invalid(said));
    }
}

fn in_grammar(value: &Option<Node>, punctuation: &str, said: &'static str, faults: &mut Vec<Malformed>) {
    if let Some(Node::Text(text)) = value
        && !text.chars().all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c))
    {
        faults.push(Malformed::Invalid(said));
    }
}

fn identifier(auth: &Node, faults: &mut Vec<Malformed>) -> Option<Node> {
    let named = match auth.get("identifier") {
        // The spec's own example of a login by address leaves the type out.
        Some(object @ Node::Object(_))
            if object.get("type").is_none()
                && (object.get("user").is_some() || object.get("address").is_some()) =>
        {
            untyped(object, faults)?
        }
        Some(object @ Node::Object(_)) => {
            match required(object, "type", "identifier.type", faults)?.text()?.as_str() {
                "m.id.user" => fields([("user", required(object, "user", "identifier.user", faults))]),
                "m.id.thirdparty" => fields([
                    ("medium", required(object, "medium", "identifier.medium", faults)),
                    ("address", required(object, "address", "identifier.address", faults)),
                ]),
                "m.id.phone" => {
                    let key = if object.get("phone").is_some() { "phone" } else { "number" };
                    fields([
                        ("country", required(object, "country", "identifier.country", faults)),
                        ("phone", required(object, key, "identifier.phone", faults)),
                    ])
                }
                _ => {
                    faults.push(Malformed::Invalid("identifier.type"));
                    return None;
                }
            }
        }
        Some(_) => {
            faults.push(Malformed::Invalid("identifier"));
            return None;
        }
        // As clients wrote it before there was an `identifier`.
        None => untyped(auth, faults)?,
    };
    for (key, value) in named.entries() {
        let max = if key == "country" { 2 } else { 255 };
        within(&Some(value.clone()), "identifier", max, faults);
    }
    Some(named)
}

fn untyped(keys: &Node, faults: &mut Vec<Malformed>) -> Option<Node> {
    if keys.get("user").is_some() {
        return Some(fields([("user", required(keys, "user", "user", faults))]));
    }
    if keys.get("medium").is_none() && keys.get("address").is_none() {
        faults.push(Malformed::Missing("identifier"));
        return None;
    }
    Some(fields([
        ("medium", required(keys, "medium", "medium", faults)),
        ("address", required(keys, "address", "address", faults)),
    ]))
}

fn creds(auth: &Node, faults: &mut Vec<Malformed>) -> Node {
    let nothing = object(Vec::new());
    let creds = match auth.get("threepid_creds").or_else(|| auth.get("threepidCreds")) {
        Some(creds @ Node::Object(_)) => creds,
        Some(_) => {
            faults.push(Malformed::Invalid("threepid_creds"));
            return nothing;
        }
        None => {
            faults.push(Malformed::Missing("threepid_creds"));
            return nothing;
        }
    };
    let sid = bounded(creds, "sid", "sid", 255, faults);
    in_grammar(&sid, ".=_-", "sid", faults);
    let client_secret = bounded(creds, "client_secret", "client_secret", 255, faults);
    in_grammar(&client_secret, ".=_-", "client_secret", faults);
    let mut optional =
        |key: &'static str, max| creds.get(key).and_then(|_| bounded(creds, key, key, max, faults));
    let id_server = optional("id_server", 255);
    let id_access_token = optional("id_access_token", 1024);
    fields([
        ("sid", sid),
        ("client_secret", client_secret),
        ("id_server", id_server),
        ("id_access_token", id_access_token),
    ])
}
