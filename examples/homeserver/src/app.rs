//! What every endpoint works with.

use crate::args;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::limits::Limits;
use crate::outbox::Outbox;
use crate::password::Passwords;
use crate::policies::{Policies, binding_key, id_keys};
use crate::secrets::ServerKey;
use crate::sessions::Sessions;
use std::sync::{Arc, OnceLock};

/// The state of the server. Shared by all requests; what changes in it guards itself.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub sessions: Arc<Sessions>,
    pub db: Db,
    pub passwords: Passwords,
    pub policies: Policies,
    pub limits: Limits,
    /// `None`: there is no way to send.
    pub outbox: Option<Outbox>,
    pub clock: Clock,
    /// Where the server is found, as a URL without a path. Known once it listens.
    pub origin: OnceLock<String>,
}

/// How handlers get hold of it.
pub type SharedApp = Arc<App>;

impl App {
    /// # Errors
    ///
    /// One line that names what to mend: a policy that can't be completed, an outbox that can't be written, a database of
    /// sessions that is down.
    pub async fn new(
        config: Config,
        sessions: &args::Sessions,
        db: Db,
        key: &ServerKey,
        passwords: Passwords,
        clock: Clock,
    ) -> Result<SharedApp, String> {
        let policies = Policies::new(&config, key)?;
        let sessions = Sessions::new(
            sessions,
            &config,
            &policies.rules,
            &policies.validations,
            || binding_key(key),
            id_keys(key)?,
            clock.clone(),
        )
        .await?;
        let limits = Limits::new(config.rate_limits);
        let outbox = config.outbox.clone().map(Outbox::open).transpose()?;
        let origin = OnceLock::new();
        Ok(Arc::new(Self { config, sessions, db, passwords, policies, limits, outbox, clock, origin }))
    }

    /// The full ID of a user of this server.
    pub fn user_id(&self, localpart: &str) -> String {
        format!("@{localpart}:{}", self.config.server_name)
    }
}
