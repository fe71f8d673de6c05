//! What goes over the wire.

use std::hint::black_box;

pub const FLOWS: [[&str; 2]; 2] =
    [["m.login.password", "m.login.email.identity"], ["m.login.password", "m.login.msisdn"]];
pub const PARAMS: &str = r#"{"m.login.password":{"hint":"the password you log in with"},"m.login.msisdn":{"countries":["GB","DE","FR"],"default":"GB"}}"#;

/// Of the same length, and nothing in it can be taken over from [`PARAMS`].
const OTHER_PARAMS: &str = r#"{"m.login.password":{"hint":"The Password You Log In With"},"m.login.msisdn":{"countries":["FR","GB","DE"],"default":"FR"}}"#;

/// A request to change the password, with the auth dict for a session.
pub fn request(session: &str) -> String {
    format!(
        r#"{{"new_password":"ihatebananas","auth":{{"type":"m.login.password","identifier":{{"type":"m.id.user","user":"@cheeky_monkey:example.org"}},"password":"ilovebananas","session":"{session}"}}}}"#
    )
}

/// The 401s for wrong passwords, as a client receives them, one after the other.
pub struct Challenges {
    texts: Vec<String>,
    received: usize,
}

impl Challenges {
    /// Every challenge is the same one.
    pub fn same(session: &str) -> Self {
        Self { texts: vec![challenge(session, FLOWS, PARAMS)], received: 0 }
    }

    /// No challenge has the flows and the params of the one before.
    pub fn changed(session: &str) -> Self {
        let [first, second] = FLOWS;
        let other = challenge(session, [second, first], OTHER_PARAMS);
        Self { texts: vec![challenge(session, FLOWS, PARAMS), other], received: 0 }
    }

    /// How long each of them is.
    pub fn len(&self) -> usize {
        self.texts[0].len()
    }

    #[inline]
    pub fn receive(&mut self) -> &[u8] {
        self.received = (self.received + 1) % self.texts.len();
        black_box(self.texts[self.received].as_bytes())
    }
}

fn challenge(session: &str, flows: [[&str; 2]; 2], params: &str) -> String {
    let flows = serde_json::json!(flows.map(|flow| serde_json::json!({"stages": flow})));
    format!(
        r#"{{"flows":{flows},"params":{params},"session":"{session}","completed":[],"errcode":"M_FORBIDDEN","error":"Invalid username or password."}}"#
    )
}
