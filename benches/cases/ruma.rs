//! The same steps on ruma's types.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;

use ruma_client_api::account::change_password::v3 as password;
use ruma_client_api::uiaa::{AuthData, AuthFlow, AuthType, UiaaInfo};
use ruma_common::api::IncomingRequestExt;
use ruma_common::api::error::{ErrorKind, StandardErrorBody};

use super::bytes::{self, Challenges, FLOWS, PARAMS};

const USER: &str = "@cheeky_monkey:example.org";

/// A host's map of sessions with one in it, and the request that comes for it.
pub struct Server {
    request: String,
    sessions: Mutex<HashMap<(String, String), UiaaInfo>>,
}

impl Server {
    pub fn new(session: &str) -> Self {
        let flows = FLOWS.map(|flow| AuthFlow::new(flow.map(AuthType::from).to_vec())).to_vec();
        let mut info = UiaaInfo::new(flows);
        info.params = Some(serde_json::value::RawValue::from_string(PARAMS.to_owned()).unwrap());
        info.session = Some(session.to_owned());
        let sessions = Mutex::new(HashMap::from([((USER.to_owned(), session.to_owned()), info)]));
        let server = Self { request: bytes::request(session), sessions };
        server.step();
        server
    }

    #[inline]
    pub fn parse(&self) -> password::Request {
        let request = http::Request::builder()
            .method("POST")
            .uri("/_matrix/client/v3/account/password")
            .body(black_box(self.request.as_bytes()))
            .unwrap();
        password::Request::try_from_http_request(request, &[]).unwrap()
    }

    #[inline]
    pub fn step(&self) -> Vec<u8> {
        let request = self.parse();
        let auth = request.auth.unwrap();
        let session = auth.session().unwrap().to_owned();
        let mut sessions = self.sessions.lock().unwrap();
        let info = sessions.get_mut(&(USER.to_owned(), session)).unwrap();
        let AuthData::Password(password) = &auth else { panic!("a password") };
        black_box(&password.password);
        info.auth_error = Some(Box::new(StandardErrorBody::new(
            ErrorKind::Forbidden,
            "Invalid username or password.".to_owned(),
        )));
        let stage = auth.auth_type().unwrap();
        assert!(info.flows.iter().any(|flow| flow.stages.contains(&stage)));
        write(info)
    }

    /// What was answered last.
    pub fn info(&self) -> UiaaInfo {
        self.sessions.lock().unwrap().values().next().unwrap().clone()
    }
}

#[inline]
pub fn write(info: &UiaaInfo) -> Vec<u8> {
    serde_json::to_vec(black_box(info)).unwrap()
}

/// Parses challenges.
pub struct Client {
    challenges: Challenges,
}

impl Client {
    pub const fn new(challenges: Challenges) -> Self {
        Self { challenges }
    }

    #[inline]
    pub fn step(&mut self) -> UiaaInfo {
        serde_json::from_slice(self.challenges.receive()).unwrap()
    }
}
