//! A client: HTTP/1.1 over a socket, one connection for each request.

use super::Answer;
use serde_json::{Value, json};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Client {
    server: SocketAddr,
}

/// A request of which all but the last byte is with the server.
#[derive(Debug)]
pub struct Loaded {
    connection: TcpStream,
    last: u8,
    method: String,
    path: String,
}

impl Client {
    pub const fn new(server: SocketAddr) -> Self {
        Self { server }
    }

    /// Sends a request. A path without a leading slash is one under `/_matrix/client/v3/`. The body, if any, is
    /// sent as it is.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&[u8]>) -> Answer {
        self.try_send(method, path, token, body)
            .unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}"))
    }

    /// The same, where the server may be dying.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        self.load(method, path, token, body)?.fire()
    }

    /// Opens a connection and sends everything but the last byte.
    pub fn load(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&[u8]>,
    ) -> io::Result<Loaded> {
        let mut headers = String::new();
        if let Some(token) = token {
            headers += &format!("Authorization: Bearer {token}\r\n");
        }
        if body.is_some() {
            headers += "Content-Type: application/json\r\n";
        }
        self.open(method, path, &headers, body)
    }

    fn open(&self, method: &str, path: &str, headers: &str, body: Option<&[u8]>) -> io::Result<Loaded> {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/_matrix/client/v3/{path}"),
        };
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}", self.server);
        if let Some(body) = body {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut request = (request + "\r\n").into_bytes();
        request.extend_from_slice(body.unwrap_or_default());
        let last = request.pop().unwrap();
        let mut connection = TcpStream::connect(self.server)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(60)))?;
        connection.write_all(&request)?;
        Ok(Loaded { connection, last, method: method.to_owned(), path })
    }

    /// Sends a request to a server that may not be able to answer it: the status, the head and the body.
    #[track_caller]
    pub fn unchecked(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, String, Value) {
        let received = self.load(method, path, token, Some(body.to_string().as_bytes()));
        let received = String::from_utf8(received.and_then(Loaded::receive).expect("an answer")).unwrap();
        let (head, body) = received.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
    }

    #[track_caller]
    pub fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.send("POST", path, token, Some(body.to_string().as_bytes()))
    }

    /// Sends a body with just these headers.
    #[track_caller]
    pub fn raw(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.open(method, path, headers, Some(body)).and_then(Loaded::fire).expect("an answer")
    }

    /// What a browser gets that asks for a page, with these headers.
    #[track_caller]
    pub fn page(&self, path: &str, headers: &str) -> Answer {
        self.open("GET", path, headers, None).and_then(Loaded::fire).expect("an answer")
    }

    /// Posts a form, as a browser does.
    #[track_caller]
    pub fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form(path, "", fields)
    }

    /// Sends a form as a browser does, with these headers.
    #[track_caller]
    pub fn form(&self, path: &str, headers: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", super::percent(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{headers}");
        self.open("POST", path, &headers, Some(body.as_bytes())).and_then(Loaded::fire).expect("an answer")
    }

    #[track_caller]
    pub fn login(&self, user: &str, password: &str) -> Answer {
        self.post("login", None, &super::password_auth(user, password))
    }

    /// An access token of a login.
    #[track_caller]
    pub fn token(&self, user: &str, password: &str) -> String {
        super::text(&self.login(user, password).ok(), "access_token")
    }

    /// Whom a token is of.
    #[track_caller]
    pub fn whoami(&self, token: &str) -> Answer {
        self.get("account/whoami", Some(token))
    }

    /// Whether a token is one; that it is not is a token's 401, and nothing else.
    #[track_caller]
    pub fn is_live(&self, token: &str) -> bool {
        let answer = self.whoami(token);
        if answer.status == 200 {
            return true;
        }
        answer.rejected(401, "M_UNKNOWN_TOKEN");
        false
    }

    /// Whether another token was handed out in its place: its device lives on (rule L8).
    #[track_caller]
    pub fn was_replaced(&self, token: &str) -> bool {
        self.whoami(token).rejected(401, "M_UNKNOWN_TOKEN")["soft_logout"] == true
    }

    /// Asks for a new password for the token's user.
    #[track_caller]
    pub fn change_password(&self, token: &str, new: &str, auth: Value) -> Answer {
        self.post("account/password", Some(token), &json!({ "new_password": new, "auth": auth }))
    }

    /// Registers a user by the default flow; the whole answer.
    #[track_caller]
    pub fn register(&self, user: &str, password: &str) -> Value {
        let body = json!({ "username": user, "password": password, "auth": { "type": "m.login.dummy" } });
        self.post("register", None, &body).ok()
    }
}

impl Loaded {
    /// Sends the last byte and waits for the answer.
    pub fn fire(self) -> io::Result<Answer> {
        let (method, path) = (self.method.clone(), self.path.clone());
        let received = self.receive()?;
        Answer::parse(&method, &path, &received).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The same, and hangs up after so long without waiting for an answer.
    pub fn hang_up(mut self, after: Duration) {
        let _ = self.connection.write_all(&[self.last]);
        std::thread::sleep(after);
    }

    /// Sends the last byte, and waits for the answer as it comes.
    pub fn receive(mut self) -> io::Result<Vec<u8>> {
        self.connection.write_all(&[self.last])?;
        let mut received = Vec::new();
        self.connection.read_to_end(&mut received)?;
        Ok(received)
    }
}
