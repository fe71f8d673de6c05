//! The query of a request. What is there and can't be read is not the same as what is absent (rule D7): an
//! application service's request about a user must not become one about itself.

use matrix_uia::MatrixError;
use matrix_uia::wire::error::ErrorCode;

/// The value of a parameter; `None` if it is absent.
///
/// # Errors
///
/// 400 `M_INVALID_PARAM` if it has no value, a bad one, or two.
pub fn parameter(query: &str, name: &str) -> Result<Option<String>, MatrixError> {
    const INVALID: MatrixError = MatrixError::new(
        ErrorCode::InvalidParam,
        "A parameter of the query is badly encoded, or given twice.",
    );
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = match pair.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (pair, None),
        };
        // A name may be spelled with escapes; one that can't be decoded is nobody's.
        if decode(key).as_deref() != Some(name) {
            continue;
        }
        let value = value.and_then(decode).ok_or(INVALID)?;
        if found.replace(value).is_some() {
            return Err(INVALID);
        }
    }
    Ok(found)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesson_82_absent_and_malformed_are_different() {
        for query in ["", "user", "user_idx=a", "x=user_id", "xuser_id=a", "%zz=a&user=b"] {
            assert_eq!(parameter(query, "user_id"), Ok(None), "{query}");
        }
        for (query, value) in [
            ("user_id=a", "a"),
            ("x=y&user_id=%40a%3Ab", "@a:b"),
            ("%75ser_id=a", "a"),
            ("user%5fid=a+b", "a b"),
            ("user_id=a=b", "a=b"),
            ("user_id=", ""),
        ] {
            assert_eq!(parameter(query, "user_id"), Ok(Some(value.to_owned())), "{query}");
        }
        for query in [
            "user_id",
            "user_id=%zz",
            "user_id=%+1",
            "user_id=%4",
            "user_id=%ff",
            "user_id=a&user_id=a",
            "user_id=a&%75ser_id=b",
            "user_id&user_id=a",
        ] {
            let error = parameter(query, "user_id").unwrap_err();
            assert_eq!((error.status(), error.code()), (400, ErrorCode::InvalidParam), "{query}");
        }
    }
}
