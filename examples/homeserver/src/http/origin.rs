//! Whether a form comes from its own page.

use axum::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use matrix_uia::MatrixError;
use matrix_uia::wire::error::ErrorCode;

/// Refuses a form that another site's page had the browser send: its user has not seen what it confirms (rule F7).
///
/// Browsers say so in `Sec-Fetch-Site`; those that don't name the page's `Origin`, which has to be the host that the
/// request was sent to. Whoever sends neither is no browser.
///
/// # Errors
///
/// 403 `M_FORBIDDEN`.
pub fn same_origin(headers: &HeaderMap) -> Result<(), MatrixError> {
    let own = match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(site) => matches!(site, b"same-origin" | b"none"),
        None => headers.get(ORIGIN).is_none_or(|origin| is_of_host(origin, headers.get(HOST))),
    };
    let forbidden = MatrixError::new(ErrorCode::Forbidden, "This form was not sent from its own page.");
    if own { Ok(()) } else { Err(forbidden) }
}

/// The scheme is the proxy's business: this server speaks HTTP behind one that speaks HTTPS.
fn is_of_host(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let host = host.map(HeaderValue::as_bytes);
    let authority = |scheme: &[u8]| origin.as_bytes().strip_prefix(scheme);
    let authority = authority(b"http://").or_else(|| authority(b"https://"));
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f7_a_form_is_taken_only_from_its_own_page() {
        for (site, origin, own) in [
            (None, None, true),
            (Some("same-origin"), None, true),
            (Some("none"), None, true),
            (Some("same-site"), None, false),
            (Some("cross-site"), Some("http://h:8008"), false),
            (Some("same-origin"), Some("null"), true),
            (None, Some("http://h:8008"), true),
            (None, Some("https://H:8008"), true),
            (None, Some("http://h"), false),
            (None, Some("http://evil.example"), false),
            (None, Some("null"), false),
            (None, Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("h:8008"));
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(same_origin(&headers).is_ok(), own, "{site:?} {origin:?}");
        }
    }
}
