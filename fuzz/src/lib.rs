//! What the fuzz targets compare the crate with.
//!
//! Nothing here calls the code it judges, but for the server of [`sealed`]: [`json`] stands on `serde_json`; [`auth`] has the
//! rules of the spec once more, written to be read and not to be fast. The model of a server
//! is in `tests/model`.

pub mod auth;
pub mod json;
pub mod sealed;

/// An auth dict that attempts `stage`, well formed for every type there is.
pub fn attempt(stage: &str, session: Option<&str>) -> String {
    let data = match stage {
        "m.login.password" => r#","identifier":{"type":"m.id.user","user":"alice"},"password":"p""#,
        "m.login.recaptcha" => r#","response":"r""#,
        "m.login.registration_token" => r#","token":"t""#,
        "m.login.email.identity" | "m.login.msisdn" => r#","threepid_creds":{"sid":"1","client_secret":"c"}"#,
        _ => "",
    };
    let session = session.map(|session| format!(r#","session":"{session}""#)).unwrap_or_default();
    format!(r#"{{"type":"{stage}"{data}{session}}}"#)
}

/// The name a stage has today.
pub fn stable(name: &str) -> &str {
    if name == "org.matrix.cross_signing_reset" { "m.oauth" } else { name }
}
