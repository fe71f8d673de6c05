//! Passwords: Argon2id, off the threads that serve requests and on no more cores than there are.

use crate::failure::Failure;
use crate::secrets::{Secret, entropy};
use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use matrix_uia::{MatrixError, Millis};
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization as _;

/// The longest password that is ever hashed or verified, in bytes.
pub const MAX_BYTES: usize = 512;

/// A password as it is hashed and compared, in Unicode's form NFKC: the keyboards of two devices may send the same
/// characters in different ways. Every password goes through it, be it set, changed, tried or configured, before
/// anything is asked about its strength.
pub fn normal_form(password: matrix_uia::Secret<'_>) -> Secret {
    let text = password.expose().to_cow();
    // What is ASCII has the form.
    Secret::new(if text.is_ascii() { text.into_owned() } else { text.nfkc().collect() })
}

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
    /// One permit for each that is being hashed or waits for it. A client that hangs up doesn't take its
    /// password out of the queue: without a bound, who hung up often enough would keep all others waiting.
    places: Semaphore,
    /// What the hashes before have worked in, for those to come: one piece a core at most. Glibc's allocator
    /// finds no use for an aligned piece of this size that was given back, and takes another 19 MiB from the
    /// system each time: two thousand logins took all there was.
    memory: Arc<Mutex<Vec<Memory>>>,
    /// What an account without a password is verified against.
    nobody: PasswordHash,
    /// What a new hash costs.
    params: Params,
    /// How many have been hashed or verified.
    #[cfg(test)]
    hashed: std::sync::atomic::AtomicUsize,
}

/// As many passwords wait as may. Another one may be tried in [`AGAIN_IN`].
#[derive(Debug, PartialEq, Eq)]
pub struct Overloaded;

/// A guess: the time that a queue of the usual length takes.
const AGAIN_IN: Millis = Millis::new(1_000);

impl From<Overloaded> for Failure {
    fn from(_: Overloaded) -> Self {
        MatrixError::limited(AGAIN_IN).into()
    }
}

impl Passwords {
    /// With `queue` places to wait in.
    pub fn new(queue: usize) -> Self {
        Self::with_params(queue, Params::default())
    }

    /// Hashes that cost next to nothing, for tests of something else.
    #[cfg(test)]
    pub fn cheap(queue: usize) -> Self {
        Self::with_params(queue, Params::new(Params::MIN_M_COST, 1, 1, None).unwrap())
    }

    /// A place of the queue, so that a test can fill it.
    #[cfg(test)]
    pub fn place_for_test(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Overloaded> {
        self.places.try_acquire().map_err(|_| Overloaded)
    }

    /// All cores, so that a test has everything wait that is to be hashed.
    #[cfg(test)]
    pub async fn cores_for_test(&self) -> tokio::sync::OwnedSemaphorePermit {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::clone(&self.cores).acquire_many_owned(u32::try_from(cores).unwrap()).await.unwrap()
    }

    /// How many have been hashed or verified, for a test.
    #[cfg(test)]
    pub fn hashed_for_test(&self) -> usize {
        self.hashed.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn with_params(queue: usize, params: Params) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let nobody = Memory::default().hash(&params, &entropy::<32>());
        let places = queue.saturating_add(cores).min(Semaphore::MAX_PERMITS);
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            places: Semaphore::new(places),
            memory: Arc::default(),
            nobody,
            params,
            #[cfg(test)]
            hashed: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// Hashes a password with a fresh salt.
    ///
    /// # Errors
    ///
    /// [`Overloaded`]: it has not been hashed.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, Overloaded> {
        let _place = self.places.try_acquire().map_err(|_| Overloaded)?;
        Ok(self.hash_in_turn(password).await)
    }

    /// The same, however many wait: for the server's own start.
    pub async fn hash_in_turn(&self, password: &str) -> PasswordHash {
        let password = Secret::new(password.to_owned());
        let params = self.params.clone();
        self.on_a_core(move |memory| memory.hash(&params, password.expose().as_bytes())).await
    }

    /// Whether `password` is the one that `hash` was made of.
    ///
    /// `None`, for an unknown user or one without a password, takes the same work and is always wrong:
    /// the time of the answer doesn't tell which names exist. The empty password and one over
    /// [`MAX_BYTES`] are wrong without any work, whoever asks.
    ///
    /// # Errors
    ///
    /// [`Overloaded`]: nothing has been compared.
    pub async fn verify(&self, password: &str, hash: Option<PasswordHash>) -> Result<bool, Overloaded> {
        if password.is_empty() || password.len() > MAX_BYTES {
            return Ok(false);
        }
        let _place = self.places.try_acquire().map_err(|_| Overloaded)?;
        let may_match = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let password = Secret::new(password.to_owned());
        let verify = move |memory: &mut Memory| memory.verify(password.expose().as_bytes(), hash.as_str());
        Ok(self.on_a_core(verify).await && may_match)
    }

    /// The permit goes with the work, not with who waits for it: a client that hangs up ends the wait,
    /// but a hash that has begun is computed to its end.
    async fn on_a_core<T, W>(&self, work: W) -> T
    where
        T: Send + 'static,
        W: FnOnce(&mut Memory) -> T + Send + 'static,
    {
        // Acquiring fails only once a semaphore is closed, and this one never is.
        let permit = Arc::clone(&self.cores).acquire_owned().await.ok();
        #[cfg(test)]
        self.hashed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let pool = Arc::clone(&self.memory);
        let task = spawn_blocking(move || {
            let _held = permit;
            let pool = || pool.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = pool().pop().unwrap_or_default();
            let done = work(&mut memory);
            pool().push(memory);
            done
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

/// What a hash works in. What is left there of the hash before is written over before it is read.
#[derive(Debug, Default)]
struct Memory(Vec<Block>);

impl Memory {
    #[expect(clippy::expect_used, reason = "Argon2 refuses only bad parameters; these are its own defaults")]
    fn hash(&mut self, params: &Params, password: &[u8]) -> PasswordHash {
        let argon2 = Argon2::new(Algorithm::default(), Version::default(), params.clone());
        let salt = entropy::<16>();
        let valid = "the default parameters and a salt of 16 bytes are valid";
        let hash = phc::PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::default().into()),
            params: ParamsString::try_from(argon2.params()).expect(valid),
            salt: Some(Salt::new(&salt).expect(valid)),
            hash: Some(self.output(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN).expect(valid)),
        };
        PasswordHash(hash.to_string())
    }

    fn verify(&mut self, password: &[u8], hash: &str) -> bool {
        self.output_as(password, hash).is_some_and(|(output, expected)| output == expected)
    }

    /// What `password` comes to where the salt and the parameters are those of `hash`, and what `hash` has.
    /// Outputs compare in constant time.
    fn output_as(&mut self, password: &[u8], hash: &str) -> Option<(Output, Output)> {
        let hash = phc::PasswordHash::new(hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.and_then(|version| Version::try_from(version).ok())?;
        let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
        Some((self.output(&argon2, password, &salt, expected.len())?, expected))
    }

    fn output(&mut self, argon2: &Argon2<'_>, password: &[u8], salt: &[u8], length: usize) -> Option<Output> {
        let Self(blocks) = self;
        blocks.resize(argon2.params().block_count(), Block::new());
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..length)?;
        argon2.hash_password_into_with_memory(password, salt, output, blocks).ok()?;
        Output::new(output).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let passwords = Passwords::new(8);
        let hash = passwords.hash("wonderland").await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(passwords.verify("wonderland", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("Wonderland", Some(hash.clone())).await.unwrap());
        assert_ne!(hash, passwords.hash("wonderland").await.unwrap(), "salted");
    }

    #[test]
    fn one_password_in_two_normal_forms_is_one() {
        let form = |text| normal_form(matrix_uia::Secret::new(text)).expose().to_owned();
        assert_eq!(form("cafe\u{301} \u{fb01}n"), "caf\u{e9} fin");
        assert_eq!(form("wonderland"), "wonderland");
    }

    #[tokio::test]
    async fn no_password_is_right_for_an_account_without_one() {
        let passwords = Passwords::new(8);
        assert!(!passwords.verify("wonderland", None).await.unwrap());
        assert!(!passwords.verify("", None).await.unwrap());
    }

    #[tokio::test]
    async fn the_bounds_hold_even_where_the_hash_would_match() {
        let passwords = Passwords::new(8);
        let longest = "x".repeat(MAX_BYTES);
        let too_long = "x".repeat(MAX_BYTES + 1);
        for (password, right) in [("", false), (longest.as_str(), true), (too_long.as_str(), false)] {
            let hash = passwords.hash(password).await.unwrap();
            assert_eq!(
                passwords.verify(password, Some(hash)).await.unwrap(),
                right,
                "{} bytes",
                password.len()
            );
        }
    }

    #[tokio::test]
    async fn a_stored_text_that_is_no_hash_matches_nothing() {
        let passwords = Passwords::new(8);
        let stored = PasswordHash::from_stored("wonderland".to_owned());
        assert!(!passwords.verify("wonderland", Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn memory_used_before_makes_no_difference() {
        use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
        let passwords = Passwords::new(8);
        for password in ["wonderland", "looking-glass", "wonderland"] {
            let hash = passwords.hash(password).await.unwrap();
            assert!(Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok());
            assert!(!passwords.verify("white-rabbit", Some(hash.clone())).await.unwrap());
            assert!(passwords.verify(password, Some(hash)).await.unwrap());
        }
        // Stored with other parameters than today's.
        let params = Params::new(64, 3, 1, Some(24)).unwrap();
        let other = Argon2::new(Algorithm::Argon2i, Version::V0x10, params);
        let hash = other.hash_password_with_salt(b"wonderland", b"sixteen bytes...").unwrap();
        for (password, right) in [("wonderland", true), ("looking-glass", false)] {
            let hash = PasswordHash::from_stored(hash.to_string());
            assert_eq!(passwords.verify(password, Some(hash)).await.unwrap(), right);
        }
        assert_eq!(passwords.memory.lock().unwrap().len(), 1, "one after the other, in one piece");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wait_that_is_given_up_does_not_leak_its_permit() {
        let passwords = Passwords::new(8);
        let all = passwords.cores.available_permits();
        let soon = std::time::Duration::from_millis(1);
        let _given_up = tokio::time::timeout(soon, passwords.hash("wonderland")).await;
        passwords.hash("wonderland").await.unwrap();
        while passwords.cores.available_permits() < all {
            tokio::time::sleep(soon).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn beyond_the_queue_a_password_is_turned_away_and_not_kept_waiting() {
        let passwords = Arc::new(Passwords::new(2));
        let places = passwords.places.available_permits();
        let waves = (0..places * 5).map(|_| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move { passwords.hash("wonderland").await.is_ok() })
        });
        let mut hashed = 0;
        for wave in waves.collect::<Vec<_>>() {
            hashed += usize::from(wave.await.unwrap());
        }
        assert!((places..places * 5).contains(&hashed), "{hashed} of {}", places * 5);
        assert_eq!(passwords.places.available_permits(), places);
        assert!(passwords.hash("wonderland").await.is_ok());
    }

    #[tokio::test]
    async fn without_a_queue_there_are_only_the_cores() {
        let passwords = Passwords::new(0);
        let _all =
            passwords.places.acquire_many(u32::try_from(passwords.places.available_permits()).unwrap());
        let _all = _all.await.unwrap();
        assert_eq!(passwords.hash("wonderland").await, Err(Overloaded));
        assert_eq!(passwords.verify("wonderland", None).await, Err(Overloaded));
        assert_eq!(passwords.verify("", None).await, Ok(false), "which is no work");
    }
}
