//! [`GET /account/3pid`]: the addresses of an account.
//!
//! [`GET /account/3pid`]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid

use core::fmt::{self, Write};

use super::address::Threepid;
use crate::wire::json::ObjectWriter;
use crate::{Text, Timestamp};

/// A 3PID of an account, as it is listed.
#[derive(Clone, Debug)]
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
}

/// Writes the body that lists `threepids`.
///
/// # Errors
///
/// The sink's own: it is full.
pub fn write_list(out: &mut impl Write, threepids: impl IntoIterator<Item = ListedThreepid>) -> fmt::Result {
    out.write_str(r#"{"threepids":["#)?;
    for (index, listed) in threepids.into_iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        let mut object = ObjectWriter::begin(out)?;
        object.text("medium", Text::new(listed.threepid.medium().name()))?;
        object.text("address", Text::new(listed.threepid.address()))?;
        object.integer("validated_at", listed.validated_at.as_millis())?;
        object.integer("added_at", listed.added_at.as_millis())?;
        object.end()?;
    }
    out.write_str("]}")
}
