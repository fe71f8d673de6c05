//! [`GET /account/3pid`]: the addresses of an account.
//!
//! [`GET /account/3pid`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid

use core::fmt::{self, Write};

use super::address::{Medium, Threepid};
use crate::text::Text;
use crate::time::Timestamp;
use crate::wire::ParseError;
use crate::wire::json::{self, Items, ObjectWriter, Raw, Span, Table, table};

/// A 3PID of an account, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedThreepid {
    /// The 3PID.
    pub threepid: Threepid,
    /// When it was validated, in milliseconds since the Unix epoch.
    pub validated_at: Timestamp,
    /// When it became the account's.
    pub added_at: Timestamp,
}

impl ListedThreepid {
    /// One of a list.
    #[must_use]
    pub const fn new(threepid: Threepid, validated_at: Timestamp, added_at: Timestamp) -> Self {
        Self { threepid, validated_at, added_at }
    }

    /// `None` for what is no 3PID by this crate's reading.
    fn read(listed: Raw<'_>) -> Option<Self> {
        static KEYS: Table = table![0; "medium": Text, "address": Text, "validated_at": Any, "added_at": Any];
        let mut slots = [Span::NONE; 4];
        let text = json::walk(listed.as_str().as_bytes(), &KEYS, &mut slots).ok()?;
        let [medium, address, validated_at, added_at] = slots;
        let threepid = Threepid::parse(Medium::from_name(medium.text(text)?)?, address.text(text)?).ok()?;
        let at = |span: Span| Some(Timestamp::from_millis(span.lenient_millis(text)?.get()));
        let (validated_at, added_at) = (at(validated_at)?, at(added_at)?);
        Some(Self { threepid, validated_at, added_at })
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.text("medium", Text::new(self.threepid.medium().name()))?;
        object.text("address", Text::new(self.threepid.address()))?;
        object.integer("validated_at", self.validated_at.as_millis())?;
        object.integer("added_at", self.added_at.as_millis())?;
        object.end()
    }
}

/// The answer: read where it stands in a body, or given by a server.
#[derive(Clone, Copy, Debug)]
pub struct ThreepidsResponse<'a> {
    /// What `threepids` has; none in an answer that was given.
    read: Option<Raw<'a>>,
    given: &'a [ListedThreepid],
}

impl<'a> ThreepidsResponse<'a> {
    /// The answer that lists `threepids`.
    #[must_use]
    pub const fn new(threepids: &'a [ListedThreepid]) -> Self {
        Self { read: None, given: threepids }
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// [`ParseError`] as [`wire`](crate::wire) lists.
    pub fn parse(body: &'a [u8]) -> Result<Self, ParseError> {
        static KEYS: Table = table![0; "threepids": Any];
        let mut slots = [Span::NONE; 1];
        let text = json::walk(body, &KEYS, &mut slots)?;
        let [threepids] = slots;
        Ok(Self { read: threepids.raw(text), given: &[] })
    }

    /// The 3PIDs, in the server's order. What lacks a key, or has no [`Threepid`], is left
    /// out.
    pub fn iter(&self) -> impl Iterator<Item = ListedThreepid> + use<'a> {
        let read = Items::of(self.read).filter_map(ListedThreepid::read);
        read.chain(self.given.iter().cloned())
    }

    /// Writes the body.
    ///
    /// # Errors
    ///
    /// The sink's own: it is full.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let mut object = ObjectWriter::begin(out)?;
        object.list("threepids", self.iter(), |out, listed| listed.write(out))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn the_client_reads_the_addresses_that_the_server_writes() {
        let listed = |medium, address: &str| {
            let threepid = Threepid::parse(medium, address.into()).unwrap();
            ListedThreepid::new(threepid, Timestamp::from_millis(1), Timestamp::from_millis(2))
        };
        let both = [listed(Medium::Email, "a@example.org"), listed(Medium::Msisdn, "447700900001")];
        for given in [&both[..0], &both[..1], &both] {
            let mut body = String::new();
            ThreepidsResponse::new(given).write(&mut body).unwrap();
            let read = ThreepidsResponse::parse(body.as_bytes()).unwrap();
            assert!(read.iter().eq(given.iter().cloned()), "{body}");
        }
    }

    #[test]
    fn what_is_no_3pid_is_left_out() {
        let body = br#"{"threepids":[{},7,{"medium":"pigeon","address":"a@b","validated_at":1,"added_at":1},
            {"medium":"email","address":"a@b","validated_at":1},
            {"medium":"email","address":"a@b","validated_at":1,"added_at":2,"x":0}]}"#;
        let read = ThreepidsResponse::parse(body).unwrap();
        let mut addresses = read.iter();
        assert_eq!(addresses.next().unwrap().added_at, Timestamp::from_millis(2));
        assert_eq!(addresses.next(), None);
        assert_eq!(ThreepidsResponse::parse(b"{}").unwrap().iter().count(), 0);
    }
}
