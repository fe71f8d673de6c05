//! HTTP, and nothing else: what came back is for the crate to judge.

use matrix_uia::client::Answer;
use matrix_uia::endpoint::EndpointPath;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{Request, Uri};

/// More than any answer of the account API needs.
const MAX_BODY: u64 = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A homeserver.
pub struct Http {
    agent: ureq::Agent,
    base: String,
}

/// What came back.
pub struct Reply {
    status: u16,
    retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn answer(&self) -> Answer<'_> {
        Answer::new(self.status, &self.body).with_retry_after(self.retry_after.as_deref())
    }

    /// What it was, should it be no answer of a homeserver's.
    pub fn odd(&self) -> String {
        format!("a status {} with nothing that a homeserver says to this", self.status)
    }
}

impl Http {
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            // A status is an answer, and where it leads is none of ours: a redirect would carry the token off.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Minutes can lie between two requests, and a server that was restarted.
            .max_idle_connections(0)
            .timeout_global(Some(TIMEOUT))
            .user_agent("matrix-uia-client")
            .build();
        Self { agent: config.new_agent(), base: base.to_owned() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request; a `GET` has no body.
    ///
    /// # Errors
    ///
    /// Why no answer came.
    pub fn send(&self, endpoint: EndpointPath, token: Option<&str>, body: &str) -> Result<Reply, String> {
        let uri: Uri =
            format!("{}{}", self.base, endpoint.path).parse().map_err(|_| "no such address".to_owned())?;
        let mut request = Request::builder().method(endpoint.method).uri(uri);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let sent = if endpoint.method == "GET" {
            self.agent.run(request.body(()).map_err(|error| error.to_string())?)
        } else {
            request = request.header(CONTENT_TYPE, "application/json");
            self.agent.run(request.body(body).map_err(|error| error.to_string())?)
        };
        let mut response = sent.map_err(|error| error.to_string())?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec();
        let body = body.map_err(|error| error.to_string())?;
        Ok(Reply { status: response.status().as_u16(), retry_after, body })
    }
}
