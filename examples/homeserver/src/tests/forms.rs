//! Forms that come from another site's page.

use super::world::{Answer, World, text};
use serde_json::json;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn from(world: &World, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = [&[FORM, ("host", "h:8008")], headers].concat();
    world.send("POST", path, &headers, body.to_owned()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f07_a_form_of_another_site_confirms_nothing() {
    let world = World::new(
        r#"{"flows": {"register": [["m.login.sso"]]}, "users": [
        {"localpart": "alice", "threepids": [{"medium": "email", "address": "a@b"}]}]}"#,
    )
    .await;
    let wanted = json!({ "client_secret": "monkeys", "email": "a@b", "send_attempt": 1 });
    world.post("account/password/email/requestToken", None, wanted).await.ok();
    let message = world.messages().remove(0);
    let [sid, token] = ["sid", "token"].map(|key| text(&message, key));
    let link = format!("sid={sid}&client_secret=monkeys&token={token}");
    let session = text(&world.post("register", None, json!({})).await.json(), "session");
    for (path, body) in [
        ("auth/m.login.sso/fallback/web", format!("session={session}")),
        ("/_matrix/static/client/3pid/submit_token", link),
    ] {
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
        ] {
            let refused = from(&world, path, headers, &body).await;
            assert_eq!(refused.status, 403, "{path} {headers:?}");
        }
        // Nothing has happened so far.
        let taken = from(&world, path, &[("origin", "http://h:8008")], &body).await;
        assert_eq!(taken.status, 200, "{path}: {}", taken.text);
    }
}
