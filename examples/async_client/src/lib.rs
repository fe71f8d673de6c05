//! A call that asks for authentication, over reqwest: its future may be dropped at any `await`, and the program
//! may end at any time.
//!
//! ```text
//!  next ─► the body is written ─► the progress is stored ─► sent ─► receive ─► next …
//! ```

mod file;

pub use file::File;

use matrix_uia::client::{Answer, Call, Client, Next, OwnedFailure, Patience, Progress, Prompt, Received};
use matrix_uia::wire::{AuthType, UserIdentifier};
use matrix_uia::{Secret, Text, Timestamp};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where a call goes, and whose it is.
pub struct Caller<'c> {
    pub http: reqwest::Client,
    /// The address of the homeserver, without a slash at its end.
    pub homeserver: &'c str,
    pub access_token: &'c str,
    pub user: &'c str,
    pub password: &'c str,
    /// How long it waits for the server, and how often it asks again.
    pub patience: Patience,
}

impl Caller<'_> {
    /// Makes a call; goes on with the one that `file` has, if the program ended in the middle of it.
    ///
    /// # Errors
    ///
    /// Why the call was not carried out. The file is still there if it may have been: then make it again.
    pub async fn call(&self, path: &str, call: &Call<'_>, file: &File) -> Result<Vec<u8>, Error> {
        let mut progress = file.read(call.name())?;
        progress.again();
        let result = self.authenticate(path, call, &mut progress, file).await;
        // What ended without a decision can be taken up: what is stored of it stays.
        if progress.is_over() && !progress.again() {
            file.remove()?;
        }
        result
    }

    /// Makes the call until it succeeds or the server says no.
    ///
    /// # Errors
    ///
    /// Why it was not carried out.
    pub async fn authenticate(
        &self,
        path: &str,
        call: &Call<'_>,
        progress: &mut Progress,
        file: &File,
    ) -> Result<Vec<u8>, Error> {
        let client = Client::new(&[AuthType::Password]).unattended().with_patience(self.patience);
        let user = UserIdentifier::User(Text::new(self.user));
        loop {
            let request = match client.next(progress, now()) {
                Next::Send(request) => request,
                Next::Prompt(Prompt::Password(prompt)) => prompt.answer(user, Secret::new(self.password)),
                Next::Wait { until, .. } => {
                    sleep(Duration::from_millis(until.since(now()).get())).await;
                    continue;
                }
                Next::Failed(failure) => return Err(OwnedFailure::from(failure).into()),
                other => return Err(format!("not in this example: {other:?}").into()),
            };
            let (ticket, mut body) = (request.ticket(), String::new());
            request.write(call, &mut body)?;
            // If this future is dropped below, so is the flight, and the request counts as abandoned.
            let flight = client.flight(progress, ticket, now());
            file.write(flight.progress())?;
            match self.post(path, body).await {
                Err(_) => flight.no_answer(now()),
                Ok(reply) => match flight.receive(reply.answer(), now()) {
                    Received::Result(result) => return Ok(result.to_vec()),
                    Received::GoOn | Received::Ignored => {}
                },
            }
        }
    }

    async fn post(&self, path: &str, body: String) -> reqwest::Result<Reply> {
        let request = self.http.post(format!("{}{path}", self.homeserver)).bearer_auth(self.access_token);
        let response = request.header(CONTENT_TYPE, "application/json").body(body).send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        Ok(Reply { status, retry_after, body: response.bytes().await?.to_vec() })
    }
}

/// What came back.
struct Reply {
    status: u16,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Reply {
    fn answer(&self) -> Answer<'_> {
        Answer::new(self.status, &self.body).with_retry_after(self.retry_after.as_deref())
    }
}

/// The time that is stored with the progress: it has to mean the same after a restart.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis().try_into().unwrap_or(u64::MAX))
}
