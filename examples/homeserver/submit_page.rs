//! The pages of `submit_url`. Without a script: a form is enough, and works everywhere.

use crate::secrets;
use crate::threepids::SUBMIT_PATH;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use matrix_uia::threepid::{Purpose, SubmitToken, Validation};
use std::fmt;

/// What is about to be confirmed, and the button that does it.
pub fn button(submitted: &SubmitToken<'_>, validation: &Validation, leads_on: bool) -> Response {
    let address = Escaped(validation.threepid().address());
    let what = match validation.purpose() {
        Purpose::Register => "to create an account with it",
        Purpose::Reset => "to reset the password of the account that it belongs to",
        Purpose::Add => "to add it to an account",
    };
    let field = |name: &str, value: &str| {
        format!(r#"<input type="hidden" name="{name}" value="{}">"#, Escaped(value))
    };
    let fields = [
        field("sid", &submitted.sid.to_cow()),
        field("client_secret", &submitted.client_secret.expose().to_cow()),
        field("token", &submitted.token.expose().to_cow()),
    ]
    .concat();
    let content = format!(
        "<h1>Confirm your address</h1>\n\
         <p>Somebody who says that <strong>{address}</strong> is theirs wants {what}.</p>\n\
         <p>If that is not you, close this page: nothing will happen.</p>\n\
         <form method=\"post\" action=\"{SUBMIT_PATH}\">{fields}<button type=\"submit\">Confirm {address}</button></form>"
    );
    page(StatusCode::OK, "Confirm your address", &content, leads_on)
}

/// The address is validated.
pub fn done() -> Response {
    let content = "<h1>Confirmed</h1>\n<p>Go back to where you came from: it goes on there.</p>";
    page(StatusCode::OK, "Confirmed", content, false)
}

/// It is not.
pub fn failed(status: StatusCode) -> Response {
    let content = "<h1>This link is not valid</h1>\n\
                   <p>It may be too old, or not whole. Ask for another one where you asked for this.</p>";
    page(status, "This link is not valid", content, false)
}

fn page(status: StatusCode, title: &str, content: &str, leads_on: bool) -> Response {
    let nonce = secrets::opaque_id();
    // A browser holds what a form's answer redirects to against this, too; where it leads, the request said.
    let targets = if leads_on { "'self' https: http:" } else { "'self'" };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style nonce=\"{nonce}\">body {{ font: 1rem/1.5 sans-serif; max-width: 32rem; margin: 3rem auto; \
         padding: 0 1rem; overflow-wrap: anywhere }} button {{ font: inherit; padding: .5rem 1rem }}</style>\n\
         </head>\n<body>\n<main>\n{content}\n</main>\n</body>\n</html>\n"
    );
    let mut headers: HeaderMap = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ]
    .into_iter()
    .map(|(name, value): (HeaderName, &'static str)| (name, HeaderValue::from_static(value)))
    .collect();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    (status, headers, html).into_response()
}

/// Text as it may stand between tags and in an attribute's quotes.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn nothing_leaves_its_place() {
        let shown = Escaped(r#""><script>alert('a&b')</script>"#).to_string();
        assert_eq!(shown, "&quot;&gt;&lt;script&gt;alert(&#39;a&amp;b&#39;)&lt;/script&gt;");
    }
}
