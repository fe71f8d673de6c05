//! One endpoint more: `POST /login`, by password.

use matrix_uia::endpoint::login::{LoginRequest, LoginResponse, decide_now};
use matrix_uia::server::respond::Respond;
use matrix_uia::{MatrixError, Secret, SessionId, Text};

use super::{Body, Device, Server, Status, send};

impl Server<'_> {
    /// Answers one login. `token` is from fresh entropy: what was the access token before is none any more.
    #[inline(never)]
    pub fn log_in(&mut self, body: &[u8], token: SessionId, out: &mut Body) -> Status {
        if let Err(error) = self.device.log_in(body, token) {
            return send(&Respond::Error(error), out);
        }
        let token = token.expose();
        let response = LoginResponse::new(Text::new("@alice:device.local"))
            .with_login(Secret::new(&token), Text::new("the device"));
        if response.write(out).is_ok() { 200 } else { 500 }
    }

    /// Whether that is the access token.
    pub fn knows(&self, token: &str) -> bool {
        self.device.token.is_some_and(|known| SessionId::parse(Text::new(token)) == Some(known))
    }
}

impl Device {
    #[inline(never)]
    fn log_in(&mut self, body: &[u8], token: SessionId) -> Result<(), MatrixError> {
        let (compared, right) = self.compare(LoginRequest::parse(body)?.attempt.password_check()?);
        let now = compared.against().map(|_| self.account);
        decide_now(compared.subject(), now, right, false)?;
        self.token = Some(token);
        Ok(())
    }
}
