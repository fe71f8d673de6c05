//! What the answer of a call has to have. Anything else that came with a 2xx is no answer (rule C7): it is not
//! told as a success, and what is stored stays.

use matrix_uia::endpoint::EndpointPath;
use serde_json::Value;

/// The body, if it is that endpoint's.
pub fn read(endpoint: EndpointPath, body: &[u8]) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let is_text = |key: &&str| body.get(key).is_some_and(Value::is_string);
    texts(endpoint).iter().all(is_text).then_some(())?;
    // A challenge is no result, whatever its status says.
    body.get("flows").is_none().then_some(())?;
    let list = if endpoint == EndpointPath::DEVICES { Some("devices") } else { None };
    list.is_none_or(|key| body.get(key).is_some_and(Value::is_array)).then_some(body)
}

/// The keys that are required, and texts.
fn texts(endpoint: EndpointPath) -> &'static [&'static str] {
    match endpoint {
        // A token that belongs to no known device can't be kept: its owner could not be found again.
        EndpointPath::LOGIN | EndpointPath::REGISTER => &["user_id", "access_token", "device_id"],
        EndpointPath::REFRESH => &["access_token"],
        EndpointPath::WHOAMI => &["user_id"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_calls() {
        let whole = br#"{"user_id":"@a:b","access_token":"t","device_id":"D"}"#;
        let no_device = br#"{"user_id":"@a:b","access_token":"t"}"#;
        assert!(read(EndpointPath::LOGIN, whole).is_some());
        assert!(read(EndpointPath::LOGIN, no_device).is_none());
        assert!(read(EndpointPath::DEVICES, b"{}").is_none());
        assert!(read(EndpointPath::DEVICES, br#"{"devices":[]}"#).is_some());
        assert!(read(EndpointPath::LOGOUT, b"{}").is_some());
        let challenge = br#"{"flows":[{"stages":["m.login.password"]}],"session":"s","params":{}}"#;
        assert!(read(EndpointPath::PASSWORD, challenge).is_none());
    }
}
