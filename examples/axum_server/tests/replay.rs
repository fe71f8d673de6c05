//! The answer of a registration that is asked for again.

use super::host::runtime;
use argon2::{Algorithm, Argon2, Params, Version};
use axum::body::Body;
use http_body_util::BodyExt as _;
use matrix_uia_axum_server::{Server, router};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

async fn register(server: &Arc<Server>, body: &Value) -> (u16, Value) {
    let request = axum::http::Request::post("/_matrix/client/v3/register").body(Body::from(body.to_string()));
    let response = router(Arc::clone(server)).oneshot(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_registration_is_not_answered_again_once_its_device_is_logged_out() {
    runtime().block_on(async {
        let cheap = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        let server = Server::new(Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap), 10);
        let server = Arc::new(server.unwrap());
        let token = server.key.reference("let-me-in".into());
        server.db().await.accounts.tokens.insert(token, 1);

        let mut body = json!({"username": "carol", "password": "a long password"});
        let (_, challenge) = register(&server, &body).await;
        let session = challenge["session"].clone();
        body["auth"] =
            json!({"type": "m.login.registration_token", "token": "let-me-in", "session": session});
        assert_eq!(register(&server, &body).await.0, 401);
        body["auth"] = json!({"type": "m.login.dummy", "session": session});
        let (status, first) = register(&server, &body).await;
        assert_eq!(status, 200);

        let (status, again) = register(&server, &body).await;
        assert_eq!((status, &again["device_id"]), (200, &first["device_id"]));
        assert_ne!(again["access_token"], first["access_token"]);

        let carol = server.key.user("carol");
        server.db().await.accounts.user(carol).unwrap().devices.clear();
        let (status, error) = register(&server, &body).await;
        assert_eq!((status, &error["errcode"]), (401, &json!("M_UNKNOWN")));
        assert!(server.db().await.accounts.user(carol).unwrap().devices.is_empty());
    });
}
