//! Passwords: Argon2id, off the threads that serve requests and on no more cores than there are.

use crate::secrets::{Secret, entropy};
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The longest password that is ever hashed or verified, in bytes.
pub const MAX_BYTES: usize = 512;

/// A password as it is stored: a PHC string, parameters and salt included.
///
/// An account without a password has no `PasswordHash` at all. A placeholder text in its stead would be
/// one mistake away from being accepted.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub const fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// Hashes and verifies passwords. One hash takes 19 MiB and some tens of milliseconds.
#[derive(Debug)]
pub struct Passwords {
    /// One permit a core: more work at once would not end sooner, and would let a flood of requests
    /// take all memory.
    cores: Arc<Semaphore>,
    /// What an account without a password is verified against.
    nobody: PasswordHash,
}

impl Passwords {
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cores: Arc::new(Semaphore::new(cores)), nobody: argon2id(&entropy::<32>()) }
    }

    /// Hashes a password with a fresh salt.
    pub async fn hash(&self, password: &str) -> PasswordHash {
        let password = Secret::new(password.to_owned());
        self.on_a_core(move || argon2id(password.expose().as_bytes())).await
    }

    /// Whether `password` is the one that `hash` was made of.
    ///
    /// `None`, for an unknown user or one without a password, takes the same work and is always wrong:
    /// the time of the answer doesn't tell which names exist. The empty password and one over
    /// [`MAX_BYTES`] are wrong without any work, whoever asks.
    pub async fn verify(&self, password: &str, hash: Option<PasswordHash>) -> bool {
        if password.is_empty() || password.len() > MAX_BYTES {
            return false;
        }
        let may_match = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let password = Secret::new(password.to_owned());
        let matches = self
            .on_a_core(move || {
                Argon2::default().verify_password(password.expose().as_bytes(), hash.as_str()).is_ok()
            })
            .await;
        matches && may_match
    }

    /// The permit goes with the work, not with who waits for it: a client that hangs up ends the wait,
    /// but a hash that has begun is computed to its end.
    async fn on_a_core<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // Acquiring fails only once a semaphore is closed, and this one never is.
        let permit = Arc::clone(&self.cores).acquire_owned().await.ok();
        let task = spawn_blocking(move || {
            let _held = permit;
            work()
        });
        match task.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Cancelled: the runtime is shutting down and polls nobody again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[expect(clippy::expect_used, reason = "Argon2 refuses only bad parameters; these are its own defaults")]
fn argon2id(password: &[u8]) -> PasswordHash {
    let hash: phc::PasswordHash = Argon2::default()
        .hash_password_with_salt(password, &entropy::<16>())
        .expect("the default parameters and a salt of 16 bytes are valid");
    PasswordHash(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let passwords = Passwords::new();
        let hash = passwords.hash("wonderland").await;
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(passwords.verify("wonderland", Some(hash.clone())).await);
        assert!(!passwords.verify("Wonderland", Some(hash.clone())).await);
        assert_ne!(hash, passwords.hash("wonderland").await, "salted");
    }

    #[tokio::test]
    async fn no_password_is_right_for_an_account_without_one() {
        let passwords = Passwords::new();
        assert!(!passwords.verify("wonderland", None).await);
        assert!(!passwords.verify("", None).await);
    }

    #[tokio::test]
    async fn the_bounds_hold_even_where_the_hash_would_match() {
        let passwords = Passwords::new();
        let longest = "x".repeat(MAX_BYTES);
        let too_long = "x".repeat(MAX_BYTES + 1);
        for (password, right) in [("", false), (longest.as_str(), true), (too_long.as_str(), false)] {
            let hash = passwords.hash(password).await;
            assert_eq!(passwords.verify(password, Some(hash)).await, right, "{} bytes", password.len());
        }
    }

    #[tokio::test]
    async fn a_stored_text_that_is_no_hash_matches_nothing() {
        let passwords = Passwords::new();
        let stored = PasswordHash::from_stored("wonderland".to_owned());
        assert!(!passwords.verify("wonderland", Some(stored)).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wait_that_is_given_up_does_not_leak_its_permit() {
        let passwords = Passwords::new();
        let all = passwords.cores.available_permits();
        let soon = std::time::Duration::from_millis(1);
        let _ = tokio::time::timeout(soon, passwords.hash("wonderland")).await;
        passwords.hash("wonderland").await;
        while passwords.cores.available_permits() < all {
            tokio::time::sleep(soon).await;
        }
    }
}
