//! How an untouched session is written behind its ID, and read again.
//!
//! The function is XChaCha20-Poly1305. Its nonce is the 24 random bytes of the session's ID,
//! of which no two are the same; the number of the key and the version are authenticated.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305};

use super::keys::{IdKey, Keys};
use super::untouched::Untouched;
use crate::server::session::{SLOTS, Session, SessionId};
use crate::text::Text;

/// The version of the text. Another one is not read.
const VERSION: u8 = 2;
const TAG: usize = 16;
/// The key's number, the session, the tag.
const MAX_BYTES: usize = 1 + Untouched::MAX_LEN + TAG;
/// So many bytes as letters, of six bits each.
const MAX_LETTERS: usize = (MAX_BYTES * 8).div_ceil(6);

/// The letters behind the ID.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    letters: [u8; MAX_LETTERS],
    len: usize,
}

impl Tail {
    pub(super) fn as_str(&self) -> &str {
        self.letters.get(..self.len).and_then(|letters| str::from_utf8(letters).ok()).unwrap_or_default()
    }
}

/// Seals a session, as it began, behind its ID; `is_free` says which of its parameters may
/// change. `None`: the host's clock is out of range.
pub(super) fn seal(
    keys: Keys<'_>,
    id: &SessionId,
    session: &Session,
    is_free: [bool; SLOTS],
) -> Option<Tail> {
    let key = keys.current();
    let mut bytes = [0; MAX_BYTES];
    let (number, rest) = bytes.split_first_mut()?;
    *number = key.number();
    let len = Untouched::of(session, is_free).write(rest)?;
    let (text, after) = rest.split_at_mut_checked(len)?;
    let tag = cipher(key).encrypt_in_place_detached(id.as_bytes().into(), &header(key), text).ok()?;
    after.get_mut(..TAG)?.copy_from_slice(&tag);
    let all = bytes.get(..len.checked_add(1 + TAG)?)?;
    let mut letters = [0; MAX_LETTERS];
    let len = Base64UrlUnpadded::encode(all, &mut letters).ok()?.len();
    Some(Tail { letters, len })
}

/// The ID that `text` begins with, and the session behind it; `None` if it was not sealed
/// with one of the keys just so.
pub(super) fn open(keys: Keys<'_>, text: Text<'_>) -> Option<(SessionId, Untouched)> {
    let mut scratch = [0; SessionId::LEN + MAX_LETTERS];
    let letters = match text.as_str() {
        Some(plain) => plain,
        None => text.copy_to(&mut scratch).ok()?,
    };
    let (id, tail) = letters.split_at_checked(SessionId::LEN)?;
    let id = SessionId::parse(Text::new(id))?;
    let mut bytes = [0; MAX_BYTES];
    let len = Base64UrlUnpadded::decode(tail, &mut bytes).ok()?.len();
    let (number, rest) = bytes.get_mut(..len)?.split_first_mut()?;
    let key = keys.numbered(*number)?;
    let (text, tag) = rest.split_last_chunk_mut::<TAG>()?;
    let tag = Tag::from(*tag);
    cipher(key).decrypt_in_place_detached(id.as_bytes().into(), &header(key), text, &tag).ok()?;
    Some((id, Untouched::read(text)?))
}

fn cipher(key: &IdKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.key().into())
}

/// What is authenticated beside the session: what it is, and by which key.
fn header(key: &IdKey) -> [u8; 16] {
    let mut header = *b"matrix-uia id  \0";
    let [.., version, number] = &mut header;
    (*version, *number) = (VERSION, key.number());
    header
}
