//! The identity server that 3PIDs are to be unbound from.

use crate::Text;
use crate::wire::MAX_FIELD_LEN;
use crate::wire::error::{ErrorCode, MatrixError};

/// Longest name of an identity server, in bytes.
pub const MAX_ID_SERVER_LEN: usize = MAX_FIELD_LEN;

/// 400 `M_INVALID_PARAM` for a name that no identity server can have.
pub(crate) fn check_id_server(server: Option<Text<'_>>) -> Result<(), MatrixError> {
    match server {
        Some(server) if server.is_empty() || server.len() > MAX_ID_SERVER_LEN => {
            Err(MatrixError::new(ErrorCode::InvalidParam, "id_server is not a server name."))
        }
        _ => Ok(()),
    }
}

/// The name of an identity server.
pub type IdServer = heapless::String<MAX_ID_SERVER_LEN>;
