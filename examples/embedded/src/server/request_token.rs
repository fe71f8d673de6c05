//! One endpoint more: `POST /account/password/email/requestToken`, by which the owner asks for the
//! token of a reset.

use matrix_uia::endpoint::threepid::{
    AddressAuthority, GivenAddress, Medium, Owner, Purpose, RequestTokenRequest, RequestTokenResponse,
    Requested, Threepid, TokenRequestContext, TokenRequestKey, Validation, ValidationRules,
};
use matrix_uia::server::digest::Digest;
use matrix_uia::server::respond::Respond;
use matrix_uia::{BindingKey, MatrixError, Millis, Secret, SessionId, Text, Timestamp};

use super::{Body, Server, Status, send};

/// The address of the one user of this device: it is the only one to which anything is sent.
const ALICES: &str = "alice@example.org";
/// Where the token of the message goes, which the user types in. The message has no link, so
/// `next_link` has no use: the specification ignores it for tokens that are typed in.
const SUBMIT_URL: &str = "https://device.local/submitToken";
/// The shortest time between two messages, whoever asks for them.
const BETWEEN: Millis = Millis::from_secs(60);
/// Validations that can be kept: as many as there are messages in the life of one, and one more.
const PLACES: usize = 16;

/// A message on its way to the owner's address.
pub struct Message {
    /// What confirming it would allow.
    pub allows: &'static str,
    /// What the user types in.
    pub token: SessionId,
}

/// What the device knows of the validations of addresses.
#[derive(Default)]
pub struct Addresses {
    kept: heapless::Vec<Kept, PLACES>,
    /// What the modem has to send next.
    outbox: Option<Message>,
    last_sent: Option<Timestamp>,
}

/// A validation, and what it is found by.
struct Kept {
    identity: Digest,
    sid: SessionId,
    validation: Validation,
}

impl Server<'_> {
    /// Answers one request of whoever it is. `fresh` and `token` are from fresh entropy: the ID of
    /// the validation, should it be new, and the token of the message.
    #[inline(never)]
    pub fn request_token(
        &mut self,
        body: &[u8],
        [fresh, token]: [SessionId; 2],
        now: Timestamp,
        out: &mut Body,
    ) -> Status {
        let Self { key, device, .. } = self;
        match device.addresses.request(key, body, [fresh, token], now) {
            Ok(sid) => {
                let sid = sid.expose();
                let mut response = RequestTokenResponse::new(Text::new(&sid));
                response.submit_url = Some(Text::new(SUBMIT_URL));
                if response.write(out).is_ok() { 200 } else { 500 }
            }
            Err(error) => send(&Respond::Error(error), out),
        }
    }

    /// The message that is to be sent, which the modem takes.
    pub fn message(&mut self) -> Option<Message> {
        self.device.addresses.outbox.take()
    }
}

impl Addresses {
    #[inline(never)]
    fn request(
        &mut self,
        key: &BindingKey,
        body: &[u8],
        [fresh, token]: [SessionId; 2],
        now: Timestamp,
    ) -> Result<SessionId, MatrixError> {
        let asked = read(key, body)?;
        let delivery = TokenRequestContext {
            purpose: Purpose::Reset,
            owner: if asked.threepid().address() == ALICES { Owner::Another } else { Owner::Nobody },
            allowed: true,
            // The message is this device's own, whatever server the request names.
            trusted: true,
            sendable: true,
            // It is no secret who the owner is.
            hide_existence: false,
        }
        .decide()?;
        let (policies, rules) = (AddressAuthority::new(), ValidationRules::default());
        let digest = key.validation_token(Secret::new(&token.expose()));
        let place = self.kept.iter().position(|kept| kept.identity == asked.identity());
        let kept = place.and_then(|place| self.kept.get(place));
        let before = kept.map(|kept| kept.sid);
        let found = kept.map(|kept| kept.validation.clone());
        let requested = Validation::request(found, &asked, delivery, digest, &policies, &rules, now);
        let (sid, validation) = match (requested, before) {
            (Requested::AlreadySent, Some(sid)) => return Ok(sid),
            // The token is kept nowhere, so that the message has a new one.
            (Requested::Again(validation), Some(sid)) => (sid, validation.with_token(digest)),
            (Requested::New(validation), _) => (fresh, validation),
            // Only what was found has been sent.
            _ => return Err(MatrixError::unavailable()),
        };
        if self.last_sent.is_some_and(|last| !last.has_run_out(BETWEEN, now)) {
            return Err(MatrixError::limited(BETWEEN));
        }
        // By these policies it is one thing.
        let allows = validation.authorises(&policies).descriptions().next().unwrap_or_default();
        let kept = Kept { identity: asked.identity(), sid, validation };
        // In its own place, in that of one that is over, or in a free one.
        let place = place.or_else(|| self.kept.iter().position(|kept| kept.validation.is_over(&rules, now)));
        match place.and_then(|place| self.kept.get_mut(place)) {
            Some(place) => *place = kept,
            None => self.kept.push(kept).map_err(|_| MatrixError::limited(BETWEEN))?,
        }
        self.outbox = Some(Message { allows, token });
        self.last_sent = Some(now);
        Ok(sid)
    }
}

/// What the body asks for.
#[inline(never)]
fn read(key: &BindingKey, body: &[u8]) -> Result<TokenRequestKey, MatrixError> {
    let request = RequestTokenRequest::parse(Medium::Email, body)?;
    let GivenAddress::Email(email) = request.address else { return Err(MatrixError::unrecognized()) };
    let threepid = Threepid::parse(Medium::Email, email)?;
    let RequestTokenRequest { client_secret, send_attempt, .. } = request;
    Ok(TokenRequestKey::new(key, Purpose::Reset, None, threepid, client_secret, send_attempt))
}
