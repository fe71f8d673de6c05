//! Every Matrix error code, its status, and the standard error body.
//!
//! ```text
//!  a rule was broken ─► MatrixError (code, status, keys) ─► MatrixError::write ─► body, Retry-After
//!  an answer came    ─► ErrorBody::parse            ─► code, keys: whatever survives
//! ```
//!
//! This is the one place that knows codes and statuses; the rest of the crate names
//! them. Reading is tolerant (the code survives whatever else is wrong with the body),
//! writing is strict. See [standard error response].
//!
//! [standard error response]: https://spec.matrix.org/v1.19/client-server-api/#standard-error-response

mod body;
mod code;
pub(crate) mod fault;
mod matrix_error;

pub use body::ErrorBody;
pub(crate) use body::ErrorHead;
pub use code::{AnyCode, ErrorCode};
pub use matrix_error::MatrixError;

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;
    use crate::text::Text;
    use crate::time::Millis;

    #[test]
    fn every_code_is_read_back_by_its_name_and_no_name_occurs_twice() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_name(code.name()), Some(*code));
            assert_eq!(ErrorCode::searched(Text::new(code.name())), Some(*code));
            assert_eq!(ErrorCode::ALL.iter().filter(|other| other.name() == code.name()).count(), 1);
            assert!(matches!(code.status(), 400..=504));
            assert_eq!(AnyCode::from(Text::new(code.name())), AnyCode::Known(*code));
        }
    }

    #[test]
    fn a_rejection_stays_small() {
        assert!(size_of::<MatrixError>() <= 48);
    }

    #[test]
    fn unknown_codes_and_keys_survive_a_round_trip() {
        let body = br#"{"a":[1,{"b":null}],"errcode":"COM.EXAMPLE_CODE","error":"caf\u00e9","info_uri":"https:\/\/x"}"#;
        let mut out = String::new();
        ErrorBody::parse(body).unwrap().write(&mut out).unwrap();
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(body).unwrap(), serde_json::from_str(&out).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn a_client_reads_the_same_of_an_error_as_everybody() {
        for body in [
            r#"{"errcode":"M_UNKNOWN_TOKEN","error":"caf\u00e9","soft_logout":true,"retry_after_ms":"1.5"}"#,
            r#"{"errcode":"COM.EXAMPLE_CODE","soft_logout":"true","retry_after_ms":-1,"x":{"x":[]}}"#,
            r#"{"errcode":null,"error":7,"soft_logout":false,"retry_after_ms":20}"#,
            r#"{"errcode":"M_FORBIDDEN","errcode":"M_FORBIDDEN"}"#,
            r#"{"x":1,"x":2}"#,
            "{}",
            "[]",
            "<html>",
        ] {
            let (whole, head) = (ErrorBody::parse(body.as_bytes()), ErrorHead::read(body.as_bytes()));
            assert_eq!(whole.is_ok(), head.is_some(), "{body}");
            let (Ok(whole), Some(head)) = (whole, head) else { continue };
            assert_eq!(head.code, whole.code, "{body}");
            assert_eq!(head.message, whole.message, "{body}");
            assert_eq!(head.soft_logout, whole.soft_logout == Some(true), "{body}");
            assert_eq!(head.retry_after, whole.retry_after, "{body}");
        }
    }

    #[test]
    fn the_code_survives_whatever_else_is_wrong() {
        let body =
            br#"{"errcode":"M_LIMIT_EXCEEDED","error":null,"retry_after_ms":"soon","soft_logout":"yes"}"#;
        let error = ErrorBody::parse(body).unwrap();
        assert_eq!(error.code, Some(AnyCode::Known(ErrorCode::LimitExceeded)));
        assert_eq!((error.message, error.retry_after, error.soft_logout), (None, None, None));
        for (wait, read) in [
            ("1500", Some(1500)),
            ("1500.5", Some(1500)),
            ("\"20\"", Some(20)),
            ("-1", None),
            ("1.5e3", None),
        ] {
            let body = format!("{{\"retry_after_ms\":{wait}}}");
            assert_eq!(ErrorBody::parse(body.as_bytes()).unwrap().retry_after, read.map(Millis::new));
        }
    }
}
