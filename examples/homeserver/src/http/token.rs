//! The access token of a request.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// The token of `Authorization: Bearer …`, whose scheme is written as one likes. `None` if there is no such
/// header; empty if there is nothing in it.
pub fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes().trim_ascii();
    let (scheme, token) = value.split_at_checked("Bearer".len())?;
    let ends = token.first().is_none_or(u8::is_ascii_whitespace);
    (scheme.eq_ignore_ascii_case(b"Bearer") && ends).then(|| token.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn tokens_are_found_however_the_scheme_is_written() {
        for (value, token) in [
            (Some(&b"Bearer abc"[..]), Some(&b"abc"[..])),
            (Some(b"bearer abc"), Some(b"abc")),
            (Some(b"BEARER   abc  "), Some(b"abc")),
            (Some(b"Bearer \xff"), Some(b"\xff")),
            (Some(b"Bearer"), Some(b"")),
            (Some(b"Bearer  "), Some(b"")),
            (Some(b"Bearerabc"), None),
            (Some(b"Basic abc"), None),
            (Some(b""), None),
            (None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(bearer_token(&headers), token, "{value:?}");
        }
    }
}
